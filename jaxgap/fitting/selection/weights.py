r"""The weights of laws in an average.

$$w_m \propto e^{-\mathrm{AIC}_m / 2}, \qquad \mathrm{AIC}_m = -2 \ln L_m + 2 k_m,$$

the Akaike weights without the small-sample correction. On curves simulated from six laws
(`experiments/auto_study.py`), averaged intervals had lower coverage with that correction, with BIC,
with stacking and with held-out scores, and the lowest with the correction: on short series it
leaves hardly any weight to laws with one more parameter, among them the true one. The laws' own
intervals, by Student's t, already allow for a short series. Equal weights cover slightly more, but
with mostly open intervals.

The criterion is irregular where a law reduces to a simpler one
(:mod:`jaxgap.fitting.results.criteria`): weights then favour the simpler law, whose interval is
part of the other's.

Source: Akaike (1978), Biometrika 66; Burnham and Anderson (2002), section 2.9.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxgap.errors import InputError
from jaxgap.fitting.selection.candidates import Candidate


def law_weights(candidates: Sequence[Candidate]) -> Float[np.ndarray, " laws"]:
    """The Akaike weights of laws fitted to one trajectory; they sum to one.

    **Raises:** `InputError` (a `ValueError`) if no law could be fitted.
    """
    found = [candidate.criteria for candidate in candidates]
    aic = np.array([-2 * each.log_likelihood + 2 * each.num_parameters for each in found])
    aic = np.where(np.isnan(aic), np.inf, aic)
    if np.isinf(aic).all():
        raise InputError("no law has finite curves on this trajectory: none can be fitted")
    relative = np.exp(-0.5 * (aic - aic.min()))
    return relative / relative.sum()
