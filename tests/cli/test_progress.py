"""What a bench prints of several runs stands under the name of the run it is about."""

import io
import time

from jaxgap.cli.progress import LoopProgress
from jaxgap.cli.terminal import Terminal
from jaxgap.improve import ImproveConfig


def test_a_note_stands_under_the_name_of_its_run():
    output = io.StringIO()
    progress = LoopProgress(Terminal(file=output, width=80))
    first, second, third = (progress.watcher_of(name) for name in ("one", "two", "three"))
    first.on_start(ImproveConfig(), 0)
    first.on_note("note on one")
    second.on_note("note on two")  # before it starts, as of its model
    second.on_start(ImproveConfig(num_rounds=6), 2)
    third.on_note("three failed: lower `lora_rank`")  # a run that never starts
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert lines[0] == "one"
    assert lines[2:] == [
        *("note on one", "two", "note on two", "2 of 7 checkpoints already done"),
        *("three", "three failed: lower --lora-rank"),
    ]


def test_the_times_of_a_second_run_do_not_stand_still():
    progress = LoopProgress(Terminal(file=io.StringIO(), width=80))
    (task,) = progress._progress.tasks
    config = ImproveConfig(num_rounds=1)
    with progress:
        progress.on_start(config, 0)
        progress._progress.advance(task.id, 2)  # as after the last round
        assert task.finished
        progress.on_start(config, 0)
        assert not task.finished
        before = task.elapsed
        time.sleep(0.01)
        assert before is not None
        assert task.elapsed > before
