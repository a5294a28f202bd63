"""What the results of one law's fit and of an average over laws have in common."""

import abc

from jaxgap.fitting.diagnosis import Diagnosis
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.trajectory import Kind


class AbstractResult(abc.ABC):
    """What a report needs: numbers with their uncertainty, and what speaks against them."""

    parameters: dict[str, Estimate]
    limits: dict[str, Estimate]
    level: float
    r2: dict[str, float | None]
    num_points: int
    remarks: tuple[str, ...]
    diagnostics: Diagnostics
    kind: Kind
    time_unit: str

    @property
    @abc.abstractmethod
    def subject(self) -> str:
        """What was fitted, as the subject of a sentence."""

    @property
    @abc.abstractmethod
    def failure(self) -> str | None:
        """Why there is no fit to report, in words; `None` if there is one."""

    @property
    @abc.abstractmethod
    def has_verifier(self) -> bool:
        """Whether the verifier was measured."""

    @property
    @abc.abstractmethod
    def diagnosis(self) -> Diagnosis:
        """Whether the theory describes this run."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know: the remarks, and what the diagnosis found."""
        return (*self.remarks, *self.diagnosis.warnings())
