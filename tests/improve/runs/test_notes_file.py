"""What was noted of a run, read from its folder."""

import json

import pytest

from jaxgap.improve.runs.notes_file import Note, early_end, read_notes

NOTES = [Note(None, "no t yet"), Note(2.0, "ended early: a"), Note(4.0, "ended early: b: c")]


def test_notes_come_back_without_the_damaged_ones(tmp_path):
    assert read_notes(tmp_path) == ()
    lines = [json.dumps({"t": t, "note": text, "sign": "x"}) for t, text in NOTES]
    damaged = ["{", "[1]", '{"t": 1}', '{"t": 1, "note": 2}', '{"t": "1", "note": "x"}']
    (tmp_path / "notes.jsonl").write_text("\n".join([lines[0], *damaged, *lines[1:]]))
    assert read_notes(tmp_path) == tuple(NOTES)
    (tmp_path / "notes.jsonl").write_bytes(b"\xff")
    assert read_notes(tmp_path) == ()


@pytest.mark.parametrize(("last", "reason"), [(1.0, None), (2.0, "a"), (3.0, None), (4.0, "b: c")])
def test_only_the_end_at_the_last_measurement_is_the_run_s_own(last, reason):
    assert early_end(NOTES, last) == reason
