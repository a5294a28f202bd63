"""`jaxgap`, and `python -m jaxgap`: the command line from its first moment."""

import sys

from jaxgap.errors import Terminated

# What a shell reports of a process that SIGINT or SIGTERM ended: 128 and the signal's number.
INTERRUPTED = 130
TERMINATED = 143


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line, even while it is being imported."""
    try:
        from jaxgap.cli.main import run_command

        run_command()
    except KeyboardInterrupt as stop:
        print(f"jaxgap: {str(stop) or 'interrupted'}", file=sys.stderr)
        sys.exit(TERMINATED if isinstance(stop, Terminated) else INTERRUPTED)


if __name__ == "__main__":
    main()
