"""Options that several commands share."""

import dataclasses
import re
from typing import Annotated, Any, Literal

import tyro

from jaxgap.cli.option_names import in_options
from jaxgap.errors import InputError


def random_key(seed: int):
    """The random key of the user's seed."""
    import jax

    if not 0 <= seed < 2**63:
        raise InputError(f"--seed must be a whole number from 0 to 2^63 - 1, got {seed}")
    return jax.random.key(seed)


@dataclasses.dataclass(frozen=True)
class RunFile:
    """How to read a file that lacks metadata or whose columns have other names."""

    kind: Annotated[
        Literal["uncertainty", "accuracy"] | None, tyro.conf.arg(metavar="uncertainty|accuracy")
    ] = None
    """What the capabilities are: uncertainties in nats (lower is better) or accuracies in [0, 1].
    By default what the sidecar FILE.json says, else uncertainties."""
    num_items: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """For accuracies: the number of test items behind each."""
    time_unit: Annotated[str | None, tyro.conf.arg(metavar="WORD")] = None
    """The unit of t: epoch, round, step. By default what the file says, else epoch; no number
    depends on it."""
    columns: Annotated[str | None, tyro.conf.arg(metavar="t=NAME,solver=NAME,...")] = None
    """Names of the columns to read, for logs of other tools; a NAME may contain commas."""

    def read(self, path, window: tuple[float, float] | None = None):
        """The trajectory in the file, or the part of it within a time window."""
        from jaxgap.trajectory.computable import check_computable
        from jaxgap.trajectory.read import read_trajectory
        from jaxgap.trajectory.rows import naming

        run = read_trajectory(path, self._columns(), **self._metadata())
        if window is not None:
            run = run.between(*window)
        with naming(path):
            check_computable(run)
        return run

    def read_all(self, paths):
        """Every run in the files and folders, and what could not be read, with options named."""
        from jaxgap.trajectory.collection import read_runs

        found = read_runs(paths, self._columns(), **self._metadata())
        unreadable = (
            dataclasses.replace(each, problem=in_options(each.problem)) for each in found.unreadable
        )
        return dataclasses.replace(found, unreadable=tuple(unreadable))

    def _metadata(self) -> dict[str, Any]:
        given = {"kind": self.kind, "num_items": self.num_items, "time_unit": self.time_unit}
        return {name: value for name, value in given.items() if value is not None}

    def _columns(self) -> dict[str, str] | None:
        if self.columns is None:
            return None
        from jaxgap.trajectory.outside import repeated

        # A name in the file may contain commas: only one before another NAME= separates.
        parts = [part.partition("=") for part in re.split(r",(?=[^,=]*=)", self.columns)]
        pairs = [(column.strip(), name.strip()) for column, _, name in parts]
        if not all(column and name for column, name in pairs):
            raise InputError(f"--columns {self.columns}: must look like t=step,solver=eval/nll")
        twice = repeated(column for column, _ in pairs)
        if twice is not None:
            raise InputError(f"--columns {self.columns}: '{twice}' is given twice")
        return dict(pairs)
