"""The command line: every command parses its options, calls the library, and prints.

There is one file per command. At module level it imports only what declares options and needs no
JAX; the rest of the library is imported when the command runs, so that `jaxgap --help` is fast.
"""
