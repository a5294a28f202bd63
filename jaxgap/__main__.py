"""`jaxgap`, and `python -m jaxgap`: the command line from its first moment."""

import contextlib
import gc
import io
import os
import sys

from jaxgap.cli import signals
from jaxgap.errors import Terminated


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line, even while it is being imported."""
    signals.take_interrupts()
    _mend_streams()
    try:
        from jaxgap.cli.main import run_command

        run_command()
        gc.freeze()  # so that Python, as it ends, does not look through all that was imported
    except KeyboardInterrupt as stop:
        signals.ignore_signals()  # a second Ctrl-C would break off the word on the first
        print(f"jaxgap: {str(stop) or 'interrupted'}", file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        # Threads that still write would fail as Python winds up, with tracebacks or a crash.
        is_terminated = isinstance(stop, Terminated)
        os._exit(signals.TERMINATED if is_terminated else signals.INTERRUPTED)
    finally:
        signals.leave_on_interrupts()


def _mend_streams() -> None:
    """Let words be written where a stream is closed, or cannot spell all of them."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
