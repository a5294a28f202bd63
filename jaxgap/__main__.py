"""`jaxgap`, and `python -m jaxgap`: the command line from its first moment."""

import io
import os
import sys

from jaxgap.errors import Terminated

# What a shell reports of a process that SIGINT or SIGTERM ended: 128 and the signal's number.
INTERRUPTED = 130
TERMINATED = 143


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line, even while it is being imported."""
    _mend_streams()
    try:
        from jaxgap.cli.main import run_command

        run_command()
    except KeyboardInterrupt as stop:
        print(f"jaxgap: {str(stop) or 'interrupted'}", file=sys.stderr)
        sys.exit(TERMINATED if isinstance(stop, Terminated) else INTERRUPTED)


def _mend_streams() -> None:
    """Let words be written where a stream is closed, or cannot spell all of them."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
