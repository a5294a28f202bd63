"""The self-improvement loop, one file a stage.

The configuration is imported at once, and what needs jax and flax when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING

from jaxgap.improve.config import ImproveConfig, VerifierName

if TYPE_CHECKING:
    from jaxgap.improve.embedded import embedded_loop, run
    from jaxgap.improve.estimate import Estimate
    from jaxgap.improve.exact import ExactVerifier
    from jaxgap.improve.kept_run import EndRun, Watcher, improve_to_folder, resume_folder
    from jaxgap.improve.loop import Checkpoint, Loop, OnStage, Stage, self_improve
    from jaxgap.improve.majority import MajorityVerifier
    from jaxgap.improve.metrics import RoundMetrics, SplitMetrics
    from jaxgap.improve.records import Candidates, LoopState, Prompts, Scores, Selected
    from jaxgap.improve.run_folder import RunFolder, to_trajectory
    from jaxgap.improve.verify import AbstractVerifier, RandomVerifier, SelfVerifier

__all__ = [
    "AbstractVerifier",
    "Candidates",
    "Checkpoint",
    "EndRun",
    "Estimate",
    "ExactVerifier",
    "ImproveConfig",
    "Loop",
    "LoopState",
    "MajorityVerifier",
    "OnStage",
    "Prompts",
    "RandomVerifier",
    "RoundMetrics",
    "RunFolder",
    "Scores",
    "Selected",
    "SelfVerifier",
    "SplitMetrics",
    "Stage",
    "VerifierName",
    "Watcher",
    "embedded_loop",
    "improve_to_folder",
    "resume_folder",
    "run",
    "self_improve",
    "to_trajectory",
]

_HOMES = {
    "embedded_loop": "embedded",
    "run": "embedded",
    "Checkpoint": "loop",
    "Loop": "loop",
    "OnStage": "loop",
    "Stage": "loop",
    "self_improve": "loop",
    "Estimate": "estimate",
    "ExactVerifier": "exact",
    "MajorityVerifier": "majority",
    "RoundMetrics": "metrics",
    "SplitMetrics": "metrics",
    "Candidates": "records",
    "LoopState": "records",
    "Prompts": "records",
    "Scores": "records",
    "Selected": "records",
    "RunFolder": "run_folder",
    "EndRun": "kept_run",
    "Watcher": "kept_run",
    "improve_to_folder": "kept_run",
    "resume_folder": "kept_run",
    "to_trajectory": "run_folder",
    "AbstractVerifier": "verify",
    "RandomVerifier": "verify",
    "SelfVerifier": "verify",
}


def __getattr__(name: str):
    """Import a public name from its file when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"jaxgap.improve.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
