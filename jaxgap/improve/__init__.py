"""The self-improvement loop, one file a stage."""

from jaxgap.improve.config import ImproveConfig, VerifierName
from jaxgap.improve.embedded import embedded_loop, run
from jaxgap.improve.loop import Checkpoint, Loop, OnStage, Stage, self_improve
from jaxgap.improve.metrics import Estimate, RoundMetrics
from jaxgap.improve.records import Candidates, LoopState, Prompts, Scores, Selected
from jaxgap.improve.run_folder import RunFolder, improve_to_folder, to_trajectory
from jaxgap.improve.verify import AbstractVerifier, RandomVerifier, SelfVerifier

__all__ = [
    "AbstractVerifier",
    "Candidates",
    "Checkpoint",
    "Estimate",
    "ImproveConfig",
    "Loop",
    "LoopState",
    "OnStage",
    "Prompts",
    "RandomVerifier",
    "RoundMetrics",
    "RunFolder",
    "Scores",
    "Selected",
    "SelfVerifier",
    "Stage",
    "VerifierName",
    "embedded_loop",
    "improve_to_folder",
    "run",
    "self_improve",
    "to_trajectory",
]
