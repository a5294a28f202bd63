"""How often intervals averaged over laws hold the truth, on a part of the study's grid."""

import importlib.util
from pathlib import Path

import pytest

STUDY = Path(__file__).resolve().parents[3] / "experiments" / "auto_study.py"


@pytest.mark.slow
def test_averaged_intervals_cover_four_fifths_at_least(monkeypatch):
    spec = importlib.util.spec_from_file_location("auto_study", STUDY)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    monkeypatch.setattr(study, "NUM_ROWS", (10,))
    found = study.run(2, seed=1)
    assert found["num_curves"] == 216
    assert found["groups"]["limit solver"]["holds"] > 0.8
    assert found["groups"]["ahead solver"]["holds"] > 0.8
    # An open end holds everything: curves have none.
    assert found["groups"]["ahead"]["open"] < 0.01
    # Averaging is what covers: the law that counts most does not by itself.
    limits = found["groups"]["limit"]
    assert limits["best_law_holds"] < limits["holds"] - 0.05
