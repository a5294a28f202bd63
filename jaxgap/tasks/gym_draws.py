"""Reasoning-gym's problems, reproducible from a seed in every process.

Some of its data sets iterate over Python sets of strings, whose order differs between processes
unless the hash seed is fixed before startup, or use the global random state. A run could then not
be resumed, and the processes of one run would not share its prompts. So problems are drawn in a
separate process in which both are fixed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, TypeAlias

from jaxgap.errors import InputError, RunError
from jaxgap.tasks.child_program import child_program
from jaxgap.tasks.gym_sets import make_dataset, refusals

Draw: TypeAlias = Callable[[int, int], Iterator[Mapping[str, Any]]]
"""Yields the entries of a data set with the given seed and size."""


@contextlib.contextmanager
def drawing(name: str, config: Mapping[str, Any]) -> Iterator[Draw]:
    """A process that draws problems of a data set, ended on leaving the context.

    The function that it yields raises `InputError` if the set rejects its configuration, and
    `RunError` if the process dies.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", child_program(__name__, "main()")],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that Ctrl-C is reported once
    )
    assert process.stdin is not None
    assert process.stdout is not None
    requests, replies = process.stdin, process.stdout

    def draw(seed: int, size: int) -> Iterator[Mapping[str, Any]]:
        for index in range(size):
            yield _ask(requests, replies, (name, dict(config), seed, size, index))

    try:
        yield draw
    finally:
        process.kill()
        process.wait()
        replies.close()
        with contextlib.suppress(BrokenPipeError):  # it may have died without reading it
            requests.close()


def _ask(requests: IO[bytes], replies: IO[bytes], request: Any) -> Mapping[str, Any]:
    try:
        _send(requests, request)
        reply = pickle.load(replies)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        raise RunError("the process that draws reasoning-gym's problems died") from error
    if isinstance(reply, str):
        raise InputError(reply)
    return reply


def main() -> None:
    """Answer requests for one problem each; the request for the first one creates the set."""
    replies, sys.stdout = sys.stdout.buffer, sys.stderr  # data sets may print
    dataset: Any = None
    while True:
        try:
            name, config, seed, size, index = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if index == 0:
                random.seed(seed)
                dataset = make_dataset(name, config, seed=seed, size=size)
            with refusals(name, config):
                _send(replies, dict(dataset[index]))
        except InputError as error:
            _send(replies, str(error))


def _send(stream: IO[bytes], value: Any) -> None:
    stream.write(pickle.dumps(value))  # pickled completely before anything is written
    stream.flush()
