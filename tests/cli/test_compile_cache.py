"""The cache of compiled programs: only where nobody else can write."""

import os

import jax
import pytest

from jaxgap.cli.compile_cache import cache_folder, use_compile_cache


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_folder_is_the_users_own():
    assert use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == str(cache_folder())
    assert cache_folder().stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_write_is_not_used():
    cache_folder().mkdir(parents=True)
    os.chmod(cache_folder(), 0o777)
    assert not use_compile_cache()


def test_a_link_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    cache_folder().parent.mkdir(parents=True)
    cache_folder().symlink_to(tmp_path / "elsewhere")
    assert not use_compile_cache()
