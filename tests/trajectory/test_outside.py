"""Reading files from outside."""

import gzip
import tracemalloc

import pytest

from jaxgap.trajectory import TrajectoryError, read_csv
from jaxgap.trajectory.outside import read_text


def test_a_small_file_takes_no_more_memory_than_it_needs(tmp_path):
    path = tmp_path / "small"
    path.write_text("a few words")
    tracemalloc.start()
    try:
        assert read_text(path, max_bytes=2**29) == "a few words"
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "large"
    path.write_text("x" * 101)
    with pytest.raises(TrajectoryError, match="101 bytes; at most 100 are read"):
        read_text(path, max_bytes=100)
    assert read_text(path, max_bytes=101) == "x" * 101


def test_a_compressed_file_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "run.csv.gz").write_bytes(gzip.compress(b"t,solver\n0,1\n1,2\n2,3\n"))
    with pytest.raises(TrajectoryError, match=r"run.csv.gz: compressed by gzip; decompress it"):
        read_csv(tmp_path / "run.csv.gz")
