"""Does the solver-verifier law describe a run? Tests with p-values, and a plain verdict.

Each test checks one prediction of the theory, whatever its potential f, or of the fitted law:

- :func:`constant_ratio`: `dU_v / dU_s` is constant along the run;
- :func:`one_regime`: one set of parameters holds from the first row to the last;
- :func:`no_fall`: a capability that has been gained is not lost again.

:func:`diagnose` runs all tests that a fit allows, and draws a conclusion.
"""

from jaxgap.fitting.diagnosis.diagnose import Diagnosis, diagnose
from jaxgap.fitting.diagnosis.fall import no_fall
from jaxgap.fitting.diagnosis.finding import Finding
from jaxgap.fitting.diagnosis.ratio import constant_ratio
from jaxgap.fitting.diagnosis.regime import one_regime

__all__ = ["Diagnosis", "Finding", "constant_ratio", "diagnose", "no_fall", "one_regime"]
