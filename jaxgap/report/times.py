"""The times at which a fitted curve is drawn."""

import numpy as np
from jaxtyping import Float

# A power of two, to which predictions are padded, and how many of them subdivide intervals.
_NUM_TIMES = 128
_NUM_WITHIN = 80


def curve_times(ts: Float[np.ndarray, " T"], end: float | None = None) -> Float[np.ndarray, "128"]:
    """Times for a smooth curve through measurements that may be unevenly spaced.

    A subdivision of the measured intervals, or of longer ones where there are more than 80, and an
    even grid. An interval is divided more finely at its beginning, where a curve that relaxes bends
    most.

    **Arguments:**

    - `ts`: the measured times, shape `(T,)`, increasing; at least two.
    - `end`: where the even grid ends; by default at the last measured time.

    **Example:**

    >>> ts = curve_times(np.array([0.0, 1.0, 2.0, 1000.0]), 1300.0)
    >>> (ts <= 2).sum().item(), ts[-1].item()
    (54, 1300.0)
    """
    rows = np.linspace(0, len(ts) - 1, min(len(ts), _NUM_WITHIN + 1)).round().astype(int)
    starts, lengths = ts[rows[:-1]], np.diff(ts[rows])
    each = _NUM_WITHIN // len(starts)
    within = starts[:, None] + lengths[:, None] * (np.arange(each) / each) ** 2
    num_even = _NUM_TIMES - within.size - 1
    even = np.linspace(ts[0], ts[-1] if end is None else end, num_even)
    return np.sort(np.concatenate([within.ravel(), ts[-1:], even]))
