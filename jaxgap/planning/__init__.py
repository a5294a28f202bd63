"""The cost of a run on chips that need not be present, from its steps compiled ahead of time.

Import from the modules: the command line imports `workload` before anything heavy is loaded.
"""
