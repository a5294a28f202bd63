"""Every second of a round belongs to one of its stages."""

from jaxgap.improve.runs import stage_clock
from jaxgap.improve.runs.stage_clock import StageClock


def test_a_lap_is_the_seconds_of_its_stages(monkeypatch):
    times = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0])
    monkeypatch.setattr(stage_clock.time, "perf_counter", lambda: next(times))
    clock = StageClock()
    for stage in ("generate", "measure", "generate"):
        clock.enter(stage)
    assert clock.lap() == {"setup": 1.0, "generate": 6.0, "measure": 3.0}
    clock.enter("train")
    assert list(clock.lap().items()) == [("between", 5.0), ("train", 6.0)]
