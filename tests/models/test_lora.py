"""Configurations of adapters that cannot be are refused."""

import pytest

from jaxgap.models import LoraConfig, LoraTarget


def test_impossible_adapters_are_refused():
    with pytest.raises(ValueError, match=r"name must be one of query, .* got 'q_proj'"):
        LoraTarget("q_proj", 2, 1.0)
    with pytest.raises(ValueError, match="rank and scale must be positive, got 0"):
        LoraTarget("query", 0, 1.0)
    with pytest.raises(ValueError, match="targets must name each projection once"):
        LoraConfig.uniform(2, alpha=2.0, names=("query", "query"))
    with pytest.raises(ValueError, match="targets must name each projection once"):
        LoraConfig(())
