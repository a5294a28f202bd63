"""A file is replaced as a whole, and what is not a file, or a link's target, stays."""

import errno
import os
import stat

import pytest

from jaxgap.atomic_files import current_umask, replace_file, write_atomically
from jaxgap.errors import InputError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.csv"
    write_atomically(path, "früher\n")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"later")
    assert path.read_text("utf-8") == "früher\n"
    assert os.listdir(tmp_path) == ["run.csv"]


@pytest.mark.parametrize("refused", ["tempfile.mkstemp", "os.replace"])
def test_the_file_that_cannot_be_written_is_named_and_not_the_temporary_one(
    tmp_path, monkeypatch, refused
):
    def fail(*args, **kwargs):
        raise OSError(errno.EACCES, "Permission denied", str(tmp_path / ".run.csv.x"), None, "y")

    monkeypatch.setattr(refused, fail)
    with pytest.raises(PermissionError, match="Permission denied") as error:
        replace_file(tmp_path / "run.csv", b"data")
    assert (error.value.filename, error.value.filename2) == (str(tmp_path / "run.csv"), None)
    assert os.listdir(tmp_path) == []


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"target")
    link.symlink_to(target)
    replace_file(link, b"new")
    assert (link.is_symlink(), link.read_bytes(), target.read_bytes()) == (False, b"new", b"target")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_file_has_the_permissions_of_any_new_one(tmp_path, mask):
    before = os.umask(mask)
    try:
        replace_file(tmp_path / "file", b"data")
        assert current_umask() == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="is no regular file; name another place"):
            replace_file(path, b"data")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
