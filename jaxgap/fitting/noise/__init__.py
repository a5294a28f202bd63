"""Noise models: how measurements scatter about the curves.

Each is a Module that writes its likelihood as a sum of squares, so that one least-squares solver
can maximise, profile and bootstrap all of them.
"""

from jaxgap.fitting.noise.abstract_noise import AbstractNoise
from jaxgap.fitting.noise.binomial import Binomial
from jaxgap.fitting.noise.default import WeightedCurves, default_noise, weighted_curves
from jaxgap.fitting.noise.gaussian import EstimatedScale, GivenScale
from jaxgap.fitting.noise.joint_scale import JointScale, ScalePerSeries
from jaxgap.fitting.noise.relative_scale import RelativeScale
from jaxgap.fitting.noise.student_t import StudentT

__all__ = [
    "AbstractNoise",
    "Binomial",
    "EstimatedScale",
    "GivenScale",
    "JointScale",
    "RelativeScale",
    "ScalePerSeries",
    "StudentT",
    "WeightedCurves",
    "default_noise",
    "weighted_curves",
]
