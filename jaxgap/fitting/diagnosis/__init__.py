"""Does the solver-verifier law describe a run? Tests with p-values, and a plain verdict.

Each test looks at one thing that the theory promises whatever its potential f, or that the fitted
law promises:

- :func:`constant_ratio`: `dU_v / dU_s` is the same all along;
- :func:`one_regime`: one set of parameters holds from the first row to the last;
- :func:`no_fall`: a capability that has been gained is not lost again.

:func:`diagnose` asks all that a fit can be asked, and says what the findings add up to.
"""

from jaxgap.fitting.diagnosis.diagnose import Diagnosis, diagnose
from jaxgap.fitting.diagnosis.fall import no_fall
from jaxgap.fitting.diagnosis.finding import Finding
from jaxgap.fitting.diagnosis.ratio import constant_ratio
from jaxgap.fitting.diagnosis.regime import one_regime

__all__ = ["Diagnosis", "Finding", "constant_ratio", "diagnose", "no_fall", "one_regime"]
