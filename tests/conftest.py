"""What every test may use: the option for slow tests, and the folder of measured curves."""

import functools
import gc
import os
from pathlib import Path

import jax
import pytest
from hypothesis import settings

from jaxgap.cli import quick_compilation

MOST_MAPS = 25_000  # the largest module adds 34,000
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


# The same examples each time, so that only a change can break a test; --slow looks for new ones.
# No deadline: the first example of a shape compiles.
settings.register_profile("same_examples", derandomize=True, deadline=None)
settings.register_profile("new_examples", deadline=None)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_configure(config):
    if config.getoption("--slow"):
        settings.load_profile("new_examples")
        # Programs are compiled as users' are; a command that a test runs in this process would
        # change that for all later tests.
        compile_quickly = quick_compilation.compile_quickly
        quick_compilation.compile_quickly = functools.wraps(compile_quickly)(lambda: None)
    else:
        settings.load_profile("same_examples")
        # Most of the time was compiling.
        quick_compilation.compile_quickly()
    # Tracing makes many small objects that live on: to look through all of them again and again
    # was a seventh of the time.
    gc.set_threshold(200_000, 50, 1000)
    # What two workers, or a test and the process it starts, need alike is compiled once.
    folder = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir("programs")))
    jax.config.update("jax_compilation_cache_dir", folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def pytest_xdist_auto_num_workers(config):
    """Two: most of the time is compiling, on one core. Slow tests count on cores of their own."""
    return 1 if config.getoption("--slow") else min(2, os.cpu_count() or 1)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if item.get_closest_marker("slow"):  # a folder named so is a keyword too
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured curves, where the machine has it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no measured curves at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def with_devices():
    """The environment of a process that sees so many devices."""

    def of(num_devices):
        flags = f"--xla_force_host_platform_device_count={num_devices}"
        return os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}"}

    return of


@pytest.fixture
def exact_run_file(tmp_path):
    """A run on the paper's law without noise, as a CSV file."""
    import numpy as np

    from jaxgap.trajectory import Trajectory, write_csv

    ts = np.arange(8.0)
    run = Trajectory(ts, 1 + 3 * np.exp(-0.4 * ts), 0.8 + 1.2 * np.exp(-0.4 * ts))
    write_csv(run, tmp_path / "run.csv")
    return str(tmp_path / "run.csv")


@pytest.fixture(scope="session")
def tiny_model():
    """A decoder small enough for tests, with grouped-query attention."""
    from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel

    tokenizer = CharTokenizer("0123456789+=")
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
    )
    return LanguageModel(config, tokenizer)


@pytest.fixture(scope="session")
def tiny_params(tiny_model):
    """Its initial parameters."""
    import jax

    return tiny_model.init(jax.random.key(0))


@pytest.fixture(scope="module", autouse=True)
def room_for_programs():
    """Drop compiled programs before Linux runs out of memory maps for them.

    XLA's CPU backend maps several pieces of memory for each program, and a process may have 65,530
    maps (vm.max_map_count); beyond that it crashes.
    """
    # Closing a run's checkpoints looks for garbage: not among what is imported and traced already.
    gc.freeze()
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        gc.unfreeze()
        jax.clear_caches()
