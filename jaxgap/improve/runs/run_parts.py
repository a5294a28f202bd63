"""The parts of a kept run, checked to be the same in all of its processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.parts import Loop
from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs.agreement import require_same, settings_of
from jaxgap.improve.runs.origin import origin_of
from jaxgap.models import Params
from jaxgap.sharding import on_mesh, run_in_all

Assemble: TypeAlias = Callable[[ImproveConfig], tuple[Loop, Params]]
"""Builds the parts of a run and its trainable parameters from the configuration."""


class InitialParams:
    """The initial parameters of a run, which may not fit in memory beside a checkpoint.

    **Arguments:**

    - `params`: the parameters in memory.
    - `load`: loads them again.
    """

    def __init__(self, params: Params, load: Callable[[], Params]):
        self._params: Params | None = params
        self._load = load

    def drop(self) -> None:
        """Free their memory: a checkpoint is about to be loaded."""
        self._params = None

    def take(self) -> Params:
        """Hand them over to be trained and donated; reloaded if they were dropped."""
        params, self._params = self._params, None
        return self._load() if params is None else params


class RunParts(NamedTuple):
    """The parts of a kept run.

    **Fields:**

    - `loop`: what stays fixed while the parameters change.
    - `abstract_state`: the shapes of its state, each with its sharding.
    - `origin`: digests of what the state depends on.
    - `initial`: the initial parameters.
    """

    loop: Loop
    abstract_state: LoopState
    origin: dict[str, int]
    initial: InitialParams


def make_parts(config: ImproveConfig, assemble: Assemble) -> RunParts:
    """The parts of the run, on the mesh of its configuration.

    **Raises:** `InputError` if they are not the same in all processes, or if `assemble` does.
    """
    require_same(settings_of(config))  # before the processes compute anything together
    with on_mesh(config.mesh):
        loop, params = run_in_all(lambda: assemble(config))
        origin = origin_of(loop)
        abstract_state = loop.abstract_state(params)
    require_same(origin)
    initial = InitialParams(params, lambda: assemble(config)[1])
    return RunParts(loop, abstract_state, origin, initial)
