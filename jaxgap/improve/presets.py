"""Two runs of the embedded model that differ only in how it is asked to judge."""

from __future__ import annotations

import dataclasses

from jaxgap.improve.config import ImproveConfig

DEMO = ImproveConfig()
"""It judges as a careful marker: accuracy rises as uncertainty falls."""

WEAK_VERIFIER = dataclasses.replace(DEMO, verifier="careless")
"""It judges as a careless marker, who makes the solver's mistakes: both fall."""
