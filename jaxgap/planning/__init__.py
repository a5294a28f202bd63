"""What a run would cost on chips that are not there: its steps, compiled ahead of time.

Import from the modules: the command line reads `workload` before anything heavy is loaded.
"""
