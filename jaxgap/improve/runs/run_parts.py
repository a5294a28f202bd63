"""The parts of a kept run, known to be the same in all of its processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.parts import Loop
from jaxgap.improve.records import LoopState
from jaxgap.improve.runs.agreement import require_same, settings_of
from jaxgap.improve.runs.origin import origin_of
from jaxgap.models import Params
from jaxgap.sharding import on_mesh

Assemble: TypeAlias = Callable[[ImproveConfig], tuple[Loop, Params]]
"""Makes the parts of a run from its configuration, with the parameters to be trained."""


class InitialParams:
    """The parameters that a run begins with, which may be too large to fit beside a checkpoint.

    **Arguments:**

    - `params`: the parameters, as they are in memory.
    - `load`: loads them again.
    """

    def __init__(self, params: Params, load: Callable[[], Params]):
        self._params: Params | None = params
        self._load = load

    def drop(self) -> None:
        """Free their memory: a checkpoint is about to be loaded."""
        self._params = None

    def take(self) -> Params:
        """Hand them over, to be trained and donated; loaded again if they are not here."""
        params, self._params = self._params, None
        return self._load() if params is None else params


class RunParts(NamedTuple):
    """What a kept run is made of.

    **Fields:**

    - `loop`: what stays while the parameters change.
    - `abstract_state`: the shapes of its state, each with its place on the devices.
    - `origin`: digests of what the state goes with.
    - `initial`: the parameters to begin with.
    """

    loop: Loop
    abstract_state: LoopState
    origin: dict[str, int]
    initial: InitialParams


def make_parts(config: ImproveConfig, assemble: Assemble) -> RunParts:
    """The parts of the run, on the mesh of its configuration.

    **Raises:** `InputError` if they are not the same in all processes, or as `assemble` does.
    """
    require_same(settings_of(config))  # before anything is computed together by them
    with on_mesh(config.mesh):
        loop, params = assemble(config)
        origin = origin_of(loop)
        abstract_state = loop.abstract_state(params)
    require_same(origin)
    initial = InitialParams(params, lambda: assemble(config)[1])
    return RunParts(loop, abstract_state, origin, initial)
