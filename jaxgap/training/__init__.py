"""Training on completions: packed batches, the loss, the optimiser and the update step."""

from jaxgap.training.batch import BatchShape, Examples, TrainingBatch
from jaxgap.training.forward import Computation
from jaxgap.training.loss import cross_entropy
from jaxgap.training.objective import loss_and_gradients, training_loss
from jaxgap.training.optimizer import AdamW
from jaxgap.training.packing import pack
from jaxgap.training.schedules import AbstractSchedule, Constant, CosineDecay, LinearDecay
from jaxgap.training.update import Update, update

__all__ = [
    "AbstractSchedule",
    "AdamW",
    "BatchShape",
    "Computation",
    "Constant",
    "CosineDecay",
    "Examples",
    "LinearDecay",
    "TrainingBatch",
    "Update",
    "cross_entropy",
    "loss_and_gradients",
    "pack",
    "training_loss",
    "update",
]
