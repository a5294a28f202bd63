"""A new run takes an empty folder, or what a run left that never began; nothing else."""

import pytest

from jaxgap.errors import InputError
from jaxgap.improve.runs.new_run_folder import empty_folder, require_free


def test_what_a_run_left_that_never_began_is_no_hindrance(tmp_path):
    for name in ("run.lock", "own_parts.json", ".own_parts.json.abc", ".config.json.abc"):
        (tmp_path / name).touch()
    assert require_free(tmp_path) == tmp_path


def test_a_link_to_nothing_is_refused_as_such(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match="cannot be made a RUN folder: it is a link to nothing"):
        require_free(tmp_path / "run")


def test_a_folder_is_made_once(tmp_path):
    folder = empty_folder(tmp_path / "a" / "run")
    assert folder.is_dir()
    assert empty_folder(folder) == folder
    (folder / "notes.txt").touch()
    with pytest.raises(InputError, match="run is not empty: use a new folder"):
        empty_folder(folder)


def test_a_folder_with_a_run_says_how_to_resume_it(tmp_path):
    (tmp_path / "config.json").touch()
    with pytest.raises(InputError, match=r"already contains a run: resume it with `resume_folder"):
        require_free(tmp_path)
