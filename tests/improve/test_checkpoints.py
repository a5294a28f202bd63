"""Checkpoints come back exactly, or not at all."""

import pickle
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve.checkpoints import CheckpointStore, Saved
from jaxgap.improve.records import TrainingSet

# Orbax leaves its half-read arrays to the collector where a read fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def loop_state(tiny_model):
    """A state as a run has it, with an optimiser under way."""
    import optax

    from jaxgap.improve.records import LoopState

    params = tiny_model.init(jax.random.key(0))
    optimizer = optax.adamw(1e-3)
    _, opt_state = optimizer.update(params, optimizer.init(params), params)
    return LoopState(params, opt_state, jax.random.key(7), 0)


def saved_at(state, round_index, accuracy):
    rows = tuple(
        {"t": float(t), "solver": 1 / (3 + t), "solver_accuracy": accuracy}
        for t in range(round_index + 1)
    )
    tokens = np.full((3, 4), round_index, np.int32)
    training_set = TrainingSet(tokens, tokens >= 0)
    return Saved(state._replace(round_index=round_index), training_set, rows)


@pytest.fixture(scope="module")
def written(loop_state, tmp_path_factory):
    """A folder with the checkpoints of four rounds, of which the second has the best accuracy."""
    folder = tmp_path_factory.mktemp("checkpoints") / "kept"
    store = CheckpointStore(folder, 2)
    for round_index, accuracy in enumerate((0.1, 0.9, 0.2, 0.3)):
        store.save(saved_at(loop_state, round_index, accuracy))
    store.close()
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "kept")


@pytest.fixture
def abstract(loop_state):
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda leaf: leaf.update(sharding=device), jax.eval_shape(lambda: loop_state)
    )


def newest(folder, abstract):
    """The newest intact checkpoint, and what was said of the others."""
    said = []
    store = CheckpointStore(folder, 2)
    saved = store.newest(abstract, said.append)
    store.close()
    return saved, said


def test_the_newest_and_the_best_are_kept(folder):
    store = CheckpointStore(folder, 2)
    assert sorted(store.steps()) == [1, 2, 3]
    store.close()


def test_all_comes_back_bit_for_bit(folder, abstract, loop_state):
    saved, said = newest(folder, abstract)
    expected = saved_at(loop_state, 3, 0.3)
    assert not said
    assert saved.rows == expected.rows
    assert saved.state.round_index == 3
    np.testing.assert_array_equal(saved.training_set.tokens, expected.training_set.tokens)
    np.testing.assert_array_equal(saved.training_set.mask, expected.training_set.mask)
    assert jax.tree.structure(saved.state.opt_state) == jax.tree.structure(loop_state.opt_state)
    for name in ("params", "opt_state"):
        pairs = zip(
            jax.tree.leaves(getattr(saved.state, name)),
            jax.tree.leaves(getattr(loop_state, name)),
            strict=True,
        )
        assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    assert jax.random.key_data(saved.state.key).tolist() == [0, 7]


def data_files(folder, step):
    """The files with the arrays' bytes, the largest first."""
    found = [path for path in (folder / str(step)).rglob("d/*") if path.is_file()]
    return sorted(found, key=lambda path: -path.stat().st_size)


def flip(path, bit):
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_is_noticed_and_the_checkpoint_before_is_used(folder, abstract, part):
    largest = data_files(folder, 3)[0]
    flip(largest, int(8 * largest.stat().st_size * part))
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert len(said) == 1
    assert said[0].startswith("checkpoint 3 is damaged")
    assert "\n" not in said[0]


def test_a_truncated_checkpoint_is_passed_over(folder, abstract):
    largest = data_files(folder, 3)[0]
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert len(said) == 1


@pytest.mark.parametrize("name", ["_CHECKPOINT_METADATA", "arrays"])
def test_a_checkpoint_of_which_a_part_is_missing_is_passed_over(folder, abstract, name):
    path = folder / "3" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert len(said) == 1


def test_a_changed_record_is_noticed(folder, abstract):
    path = folder / "3" / "_CHECKPOINT_METADATA"
    path.write_text(path.read_text().replace('"solver_accuracy": 0.3', '"solver_accuracy": 0.4'))
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert "its record is not what was written" in said[0]


def test_where_all_are_damaged_there_is_none(folder, abstract):
    for step in (1, 2, 3):
        shutil.rmtree(folder / str(step) / "arrays")
    saved, said = newest(folder, abstract)
    assert saved is None
    assert len(said) == 3


def test_an_unfinished_save_is_ignored(folder, abstract):
    shutil.copytree(folder / "3", folder / "4.orbax-checkpoint-tmp")
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 3
    assert not said


def test_a_checkpoint_of_another_model_is_passed_over(folder, abstract):
    other = jax.tree.map(lambda s: jax.ShapeDtypeStruct((*s.shape, 2), s.dtype), abstract.params)
    saved, said = newest(folder, abstract._replace(params=other))
    assert saved is None
    assert len(said) == 3


def test_nothing_is_unpickled(folder, abstract, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert newest(folder, abstract)[0].state.round_index == 3


def test_saving_gives_nothing_up(loop_state, tmp_path, abstract):
    """A state may be trained on, its buffers given up, while it is still being written."""
    store = CheckpointStore(tmp_path / "kept", 1)
    params = jax.tree.map(jnp.copy, loop_state.params)
    store.save(saved_at(loop_state._replace(params=params), 0, 0.5))
    jax.jit(lambda p: jax.tree.map(lambda x: 0 * x, p), donate_argnums=0)(params)
    store.close()
    saved, said = newest(tmp_path / "kept", abstract)
    assert not said
    assert saved is not None
