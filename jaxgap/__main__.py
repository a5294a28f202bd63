"""`jaxgap`, and `python -m jaxgap`: the command line from its first moment."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line, even while it is being imported."""
    try:
        from jaxgap.cli.main import run_command

        run_command()
    except KeyboardInterrupt:
        print("jaxgap: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
