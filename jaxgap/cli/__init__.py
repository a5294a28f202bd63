"""The command line: every command parses its options, calls the library, and prints.

One file a command. Their modules import only the standard library and tyro at the top, and the
library when they run, so that `jaxgap --help` is quick.
"""
