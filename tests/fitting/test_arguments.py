"""What is not a law, a noise model, a constraint or a prior is refused by name."""

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting import LinearLaw, StudentT, fit, fit_many
from jaxgap.fitting.selection import fit_auto
from jaxgap.trajectory import Trajectory

RUN = Trajectory(np.arange(8.0), 1 + np.exp(-np.arange(8.0)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"constraints": {"gap_limit": 0.0}},
            r"^constraints: gap_limit must be Held, Bounded or Tied, got 0\.0$",
        ),
        (
            {"constraints": {"rate": (0, 1)}},
            r"^constraints: rate must be Held, Bounded or Tied, got \(0, 1\)$",
        ),
        ({"priors": {"rate": 0.3}}, r"^priors: rate must be Normal or LogNormal, got 0\.3$"),
        ({"noise": "student-t"}, r"^noise must be .* such as StudentT\(\), got 'student-t'$"),
        ({"noise": StudentT}, r"^noise must be .*, got the class StudentT$"),
    ],
)
def test_options_of_another_type_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        fit(LinearLaw(), RUN, **arguments)
    with pytest.raises(InputError, match=message):
        fit_many(LinearLaw(), [], **arguments)


@pytest.mark.parametrize(("law", "got"), [(LinearLaw, "the class LinearLaw"), ("x", "'x'")])
def test_what_is_not_a_law_is_refused(law, got):
    message = rf"^law must be a law such as LinearLaw\(\), got {got}$"
    with pytest.raises(InputError, match=message):
        fit(law, RUN)
    with pytest.raises(InputError, match=message):
        fit_auto(RUN, laws=(LinearLaw(), law))
