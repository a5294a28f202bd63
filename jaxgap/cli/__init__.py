"""The command line: every command parses its options, calls the library, and prints.

One file a command. At the top their modules import only what declares options and needs no JAX,
and the rest of the library when they run, so that `jaxgap --help` is quick.
"""
