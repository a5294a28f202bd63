"""Tracing confidence curves: every valley counts, and batch-mates do not."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.selection import fit_auto, fit_auto_many
from jaxgap.trajectory import Trajectory

LAWS = (LinearLaw(),)


def noise_runs(count):
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal((count, 2, 12))
    return [Trajectory(np.arange(12.0), 1 + each[0], 0.5 + each[1]) for each in noise]


@pytest.fixture(scope="module", name="results")
def _results():
    return fit_auto_many(noise_runs(24), laws=LAWS)


def test_noise_alone_gives_no_bound_that_the_fit_of_the_law_does_not_give(results):
    num_open = 0
    for run, averaged in zip(noise_runs(24), results, strict=True):
        alone = fit(LinearLaw(), run).limits
        for name in ("solver", "verifier"):
            ends = zip(alone[name].interval, averaged.limits[name].interval, strict=True)
            for expected, found in ends:
                num_open += expected is None
                assert expected is not None or found is None
    assert num_open > 20


def test_curves_do_not_depend_on_whether_a_batch_mate_has_another_valley(results):
    ts = np.linspace(0.0, 9.0, 12)
    decay = np.exp(-0.5 * ts)
    rng = np.random.default_rng(1)
    noise = 0.01 * rng.standard_normal((2, 12))
    plain = Trajectory(ts, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])
    alone = fit_auto(plain, laws=LAWS)
    _, beside = fit_auto_many([noise_runs(1)[0], plain], laws=LAWS)
    for name, limit in alone.limits.items():
        np.testing.assert_allclose(beside.limits[name].interval, limit.interval, rtol=1e-6)
    for found, run in zip(results[:3], noise_runs(24), strict=False):
        same = fit_auto(run, laws=LAWS).limits["verifier"].interval
        assert [end is None for end in same] == [
            end is None for end in found.limits["verifier"].interval
        ]
