"""The self-improvement loop, one file per stage.

Only the configuration is imported eagerly; everything that needs jax and flax is imported on first
use.
"""

from typing import TYPE_CHECKING

from jaxgap.improve.config import ImproveConfig, VerifierName
from jaxgap.lazy_names import lazy_names

if TYPE_CHECKING:
    from jaxgap.improve.assembly import assemble, run
    from jaxgap.improve.external import ExternalResponses
    from jaxgap.improve.loop import self_improve
    from jaxgap.improve.measures.mean_with_error import MeanWithError
    from jaxgap.improve.measures.metrics import RoundMetrics, SplitMetrics
    from jaxgap.improve.parts import Loop
    from jaxgap.improve.round_records import (
        Candidates,
        Checkpoint,
        LoopState,
        Prompts,
        Scores,
        Selected,
    )
    from jaxgap.improve.runs.kept_run import improve_to_folder, resume_folder
    from jaxgap.improve.runs.run_folder import RunFolder
    from jaxgap.improve.runs.run_trajectory import to_trajectory
    from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
    from jaxgap.improve.verifiers.asking import AskingVerifier, Question
    from jaxgap.improve.verifiers.exact import ExactVerifier
    from jaxgap.improve.verifiers.likelihood import LikelihoodVerifier
    from jaxgap.improve.verifiers.majority import MajorityVerifier
    from jaxgap.improve.verifiers.random_scores import RandomVerifier
    from jaxgap.improve.watcher import EndRun, Stage, Watcher

__all__ = [
    "AbstractVerifier",
    "AskingVerifier",
    "Candidates",
    "Checkpoint",
    "EndRun",
    "ExactVerifier",
    "ExternalResponses",
    "ImproveConfig",
    "LikelihoodVerifier",
    "Loop",
    "LoopState",
    "MajorityVerifier",
    "MeanWithError",
    "Prompts",
    "Question",
    "RandomVerifier",
    "RoundMetrics",
    "RunFolder",
    "Scores",
    "Selected",
    "SplitMetrics",
    "Stage",
    "VerifierName",
    "Watcher",
    "assemble",
    "improve_to_folder",
    "resume_folder",
    "run",
    "self_improve",
    "to_trajectory",
]

_HOMES = {
    "assemble": "assembly",
    "run": "assembly",
    "ExternalResponses": "external",
    "improve_to_folder": "runs.kept_run",
    "resume_folder": "runs.kept_run",
    "self_improve": "loop",
    "MeanWithError": "measures.mean_with_error",
    "RoundMetrics": "measures.metrics",
    "SplitMetrics": "measures.metrics",
    "Loop": "parts",
    "Candidates": "round_records",
    "Checkpoint": "round_records",
    "LoopState": "round_records",
    "Prompts": "round_records",
    "Scores": "round_records",
    "Selected": "round_records",
    "RunFolder": "runs.run_folder",
    "to_trajectory": "runs.run_trajectory",
    "AbstractVerifier": "verifiers.abstract_verifier",
    "AskingVerifier": "verifiers.asking",
    "Question": "verifiers.asking",
    "ExactVerifier": "verifiers.exact",
    "LikelihoodVerifier": "verifiers.likelihood",
    "MajorityVerifier": "verifiers.majority",
    "RandomVerifier": "verifiers.random_scores",
    "EndRun": "watcher",
    "Stage": "watcher",
    "Watcher": "watcher",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
