"""The cache of compiled programs: only where nobody else can write."""

import os
import subprocess
import sys

import jax
import pytest

from jaxgap.cli.compile_cache import cache_folder, use_compile_cache


@pytest.fixture(autouse=True)
def cache_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_folder_is_the_users_own():
    assert use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == str(cache_folder())
    assert cache_folder().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("chosen", ["elsewhere", ""])
def test_the_users_own_choice_stays(chosen, monkeypatch):
    # The empty path turns JAX's cache off.
    jax.config.update("jax_compilation_cache_dir", chosen)
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    monkeypatch.setattr("jaxgap.cli.compile_cache.cache_folder", pytest.fail)
    assert use_compile_cache()
    assert jax.config.jax_compilation_cache_dir == chosen
    assert jax.config.jax_persistent_cache_min_compile_time_secs == least


def test_jax_reads_the_choice_from_the_environment(tmp_path):
    program = (
        "import jax; from jaxgap.cli.compile_cache import use_compile_cache; "
        "use_compile_cache(); print(jax.config.jax_compilation_cache_dir)"
    )
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(tmp_path / "mine")


def test_a_folder_that_others_can_write_is_not_used():
    cache_folder().mkdir(parents=True)
    os.chmod(cache_folder(), 0o777)
    assert not use_compile_cache()


def test_a_link_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    cache_folder().parent.mkdir(parents=True)
    cache_folder().symlink_to(tmp_path / "elsewhere")
    assert not use_compile_cache()
