"""Part of a run in one of two processes, of which one fails as it is told.

Usage: ended_together.py INDEX ADDRESS FOLDER WHERE WHO
"""

import os
import signal
import sys
from pathlib import Path

import jaxgap.cli.main as main
from jaxgap.cli.processes import Processes
from jaxgap.errors import InputError, RunError
from jaxgap.improve import ImproveConfig, assemble, improve_to_folder
from jaxgap.sharding import barrier, run_in_all, run_on_first

CONFIG = ImproveConfig(
    num_rounds=1,
    num_train_prompts=8,
    num_held_out_prompts=6,
    num_candidates=2,
    batch_size=4,
    prompts_per_call=8,
    mesh="fsdp=2",
)
FAILURES = {
    "input": InputError("mine: is wrong"),
    "system": PermissionError(13, "Permission denied", "a/b"),
    "run": RunError("the disk is full"),
    "mistake": KeyError("a mistake"),
}


def run(index: int, folder: Path, where: str, who: int) -> None:
    place, _, kind = where.partition("-")

    def fail() -> None:
        if index == who and kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if index == who:
            raise FAILURES[kind]

    def assemble_or_fail(config):
        fail()
        return assemble(config)

    match place:
        case "assembly":
            improve_to_folder(CONFIG, folder, assemble=assemble_or_fail)
        case "first":
            run_on_first(fail)
        case "all":
            run_in_all(fail)
        case "alone":
            fail()
    barrier()


class Command:
    def run(self) -> None:
        index, address, folder, where, who = sys.argv[1:]
        with Processes(address, 2, int(index)).joined(Path(folder)):
            run(int(index), Path(folder), where, int(who))


if __name__ == "__main__":
    main._parse = lambda argv: Command()
    main.run_command()
