"""The record of one self-improvement run: what the loop measures and what the fit reads.

A :class:`Trajectory` is the only interface between the language-model half of jaxgap, which writes
it, and the differential-equation half, which reads it. It round-trips bit-exactly through CSV and
JSONL files.
"""

from jaxgap.trajectory.csv_file import read_csv, write_csv
from jaxgap.trajectory.jsonl_file import read_jsonl, write_jsonl
from jaxgap.trajectory.record import Kind, Trajectory, TrajectoryError

__all__ = [
    "Kind",
    "Trajectory",
    "TrajectoryError",
    "read_csv",
    "read_jsonl",
    "write_csv",
    "write_jsonl",
]
