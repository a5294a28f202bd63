"""Partial pooling across the seeds of one experiment.

:func:`profiles_of` gives the whole profile likelihood of a number of one run (`profiles`), and
:func:`pool` combines those of several runs (`random_effects`).
"""

from jaxgap.fitting.pooling.profiles import Profile, profiles_of
from jaxgap.fitting.pooling.random_effects import Interval, RandomEffects, pool

__all__ = ["Interval", "Profile", "RandomEffects", "pool", "profiles_of"]
