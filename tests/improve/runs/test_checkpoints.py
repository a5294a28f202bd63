"""Checkpoints come back exactly, or not at all."""

import contextlib
import json
import pickle
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError, RunError
from jaxgap.improve.round_records import TrainingSet
from jaxgap.improve.runs.checkpoint_record import Saved
from jaxgap.improve.runs.checkpoints import CheckpointStore

ORIGIN = {"its problems": 7}
ACCURACIES = (0.1, 0.9, 0.2, 0.3)

# Orbax leaves its half-read arrays to the collector where a read fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def loop_state(tiny_model):
    """A state as a run has it, with an optimiser under way."""
    import optax

    from jaxgap.improve.round_records import LoopState

    params = tiny_model.init(jax.random.key(0))
    optimizer = optax.adamw(1e-3)
    _, opt_state = optimizer.update(params, optimizer.init(params), params)
    return LoopState(params, opt_state, jax.random.key(7), 0)


def saved_at(state, round_index, accuracy):
    accuracies = (*ACCURACIES[:round_index], accuracy)
    rows = tuple(
        {"t": float(t), "solver": 1 / (3 + t), "solver_accuracy": each}
        for t, each in enumerate(accuracies)
    )
    tokens = np.full((3, 4), round_index, np.int32)
    training_set = TrainingSet(tokens, tokens >= 0)
    return Saved(state._replace(round_index=round_index), training_set, rows)


@pytest.fixture(scope="module")
def written(loop_state, tmp_path_factory):
    """A folder with the checkpoints of four rounds, of which the second has the best accuracy."""
    folder = tmp_path_factory.mktemp("checkpoints") / "kept"
    store = CheckpointStore(folder, 2, ORIGIN)
    for round_index, accuracy in enumerate(ACCURACIES):
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


def test_ctrl_c_while_a_checkpoint_is_waited_for_leaves_it_to_be_finished(tmp_path, monkeypatch):
    """Else its threads would write on as Python winds up, and fail."""

    class Pending:
        waits = 0

        def result(self):
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt("now")

    store = CheckpointStore(tmp_path / "kept", 2, ORIGIN)
    pending = Pending()
    monkeypatch.setattr(store, "_pending", pending)
    with pytest.raises(KeyboardInterrupt, match="now"), contextlib.closing(store):
        store.wait()
    assert pending.waits == 2


def newest(folder, abstract):
    """The newest intact checkpoint, and what was said of the others."""
    said = []
    store = CheckpointStore(folder, 2, ORIGIN)
    saved = store.newest(abstract, said.append)
    store.close()
    return saved, said


def test_the_newest_and_the_best_are_kept(folder):
    store = CheckpointStore(folder, 2, ORIGIN)
    assert sorted(store.steps()) == [1, 2, 3]
    store.close()


def test_all_comes_back_bit_for_bit(folder, abstract, loop_state):
    saved, said = newest(folder, abstract)
    expected = saved_at(loop_state, 3, 0.3)
    assert not said
    assert saved.rows == expected.rows
    assert saved.state.round_index == 3
    for ours, theirs in zip(saved.training_set, expected.training_set, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert jax.tree.structure(saved.state.opt_state) == jax.tree.structure(loop_state.opt_state)
    for name in ("params", "opt_state"):
        pairs = zip(
            jax.tree.leaves(getattr(saved.state, name)),
            jax.tree.leaves(getattr(loop_state, name)),
            strict=True,
        )
        assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    assert jax.random.key_data(saved.state.key).tolist() == [0, 7]


def test_parameters_are_read_without_the_optimiser(folder, abstract, loop_state):
    saved, said = newest(folder, abstract._replace(opt_state=None))
    assert not said
    assert saved.state.opt_state is None
    jax.tree.map(np.testing.assert_array_equal, saved.state.params, loop_state.params)


def test_one_whose_parts_have_other_names_is_refused(folder, abstract):
    less = {name: part for name, part in abstract.params.items() if name != "norm"}
    assert less.keys() < abstract.params.keys()
    with pytest.raises(InputError, match=r"whose state has .*norm"):
        newest(folder, abstract._replace(params=less))


def test_one_of_an_optimiser_of_another_version_is_refused(folder, abstract, loop_state):
    """As where a later optax keeps one thing more: nothing is damaged, nothing is passed over."""
    more = abstract._replace(opt_state=(abstract.opt_state, {"new": abstract.params["norm"]}))
    with pytest.raises(InputError, match=r"kept/3: was made with other versions of optax or jax"):
        newest(folder, more)
    assert newest(folder, abstract)[0].state.round_index == 3


def test_one_of_a_version_that_measured_less_of_training_is_refused(loop_state, abstract, tmp_path):
    store = CheckpointStore(tmp_path / "kept", 2, ORIGIN)
    saved = saved_at(loop_state, 1, 0.9)
    store.save(saved._replace(rows=(saved.rows[0], saved.rows[1] | {"loss": 1.0})))
    store.close()
    with pytest.raises(InputError, match="whose state has no gradient_norm: use those"):
        newest(tmp_path / "kept", abstract)


def data_files(folder, step):
    """The files with the arrays' bytes, the largest first."""
    found = [path for path in (folder / str(step)).rglob("d/*") if path.is_file()]
    return sorted(found, key=lambda path: -path.stat().st_size)


def flip(path, bit):
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize(
    "part", [0.5, *(pytest.param(p, marks=pytest.mark.slow) for p in (0.1, 0.3, 0.7, 0.9))]
)
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


class Killed(BaseException):
    """As if the process ended there."""


@pytest.mark.parametrize("num_kept", [1, 2])
def test_a_kill_while_a_round_is_saved_afresh_leaves_the_checkpoint_before(
    loop_state, abstract, tmp_path, monkeypatch, num_kept
):
    folder = tmp_path / "kept"
    store = CheckpointStore(folder, num_kept, ORIGIN)
    store.save(saved_at(loop_state, 0, 0.5))
    store.wait()
    orbax = "orbax.checkpoint.checkpoint_manager.CheckpointManager.save"

    def killed(*args, **kwargs):
        raise Killed("before a byte is written")

    monkeypatch.setattr(orbax, killed)
    with pytest.raises(Killed, match="before a byte is written"):
        store.save(saved_at(loop_state, 0, 0.6))
    saved, said = newest(folder, abstract)
    assert not said
    assert saved.rows[-1]["solver_accuracy"] == 0.5
    assert not (tmp_path / "redrawn").exists()


def test_a_round_is_saved_afresh_and_nothing_of_the_first_is_left(loop_state, abstract, tmp_path):
    folder = tmp_path / "kept"
    store = CheckpointStore(folder, 1, ORIGIN)
    for accuracy in (0.5, 0.6, 0.4):
        store.save(saved_at(loop_state, 0, accuracy))
    store.save(saved_at(loop_state, 1, 0.5))
    store.close()
    assert newest(folder, abstract)[0].state.round_index == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_one_that_was_replaced_by_a_whole_one_does_not_come_back(folder, abstract, tmp_path):
    """A kill between the two: the new one is whole, the old one still lies aside."""
    shutil.copytree(folder / "2", tmp_path / "redrawn" / "3")
    saved, said = newest(folder, abstract)
    assert not said
    assert len(saved.rows) == 4
    assert not (tmp_path / "redrawn").exists()


def test_a_changed_record_is_noticed(folder, abstract):
    path = folder / "3" / "_CHECKPOINT_METADATA"
    path.write_text(path.read_text().replace('"solver_accuracy": 0.3', '"solver_accuracy": 0.4'))
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert "its record is not what was written" in said[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metrics", 5),
        ("commit_timestamp_nsecs", 10**30),
        ("commit_timestamp_nsecs", "late"),
        ("item_handlers", [1]),
        ("custom_metadata", None),
        ("custom_metadata", {}),
    ],
)
@pytest.mark.parametrize("step", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_metadata_of_a_wrong_kind_are_damage(folder, abstract, loop_state, name, value, step):
    path = folder / str(step) / "_CHECKPOINT_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    store = CheckpointStore(folder, 2, ORIGIN)
    said = []
    saved = store.newest(abstract, said.append)
    assert (saved.state.round_index, len(said)) == ((2, 1) if step == 3 else (3, 0))
    store.set_aside_after(saved.state.round_index)
    store.save(saved_at(loop_state, 3, 0.5))
    store.close()
    assert newest(folder, abstract)[0].rows[-1]["solver_accuracy"] == 0.5


def test_metadata_that_are_nested_too_deep_are_damage(folder, abstract):
    (folder / "3" / "_CHECKPOINT_METADATA").write_text("[" * 100_000)
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert len(said) == 1


def test_a_record_that_is_gone_is_said_to_be_so(folder, abstract):
    path = folder / "3" / "_CHECKPOINT_METADATA"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"custom_metadata": {}}))
    assert newest(folder, abstract)[1] == [
        "checkpoint 3 is damaged (it has no record): passed over"
    ]


def test_one_under_the_name_of_another_round_is_passed_over(folder, abstract):
    shutil.copytree(folder / "3", folder / "4")
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 3
    assert said == ["checkpoint 4 is damaged (it was written in round 3): passed over"]


def test_two_that_have_changed_places_are_passed_over(folder, abstract):
    for name, other in (("2", "x"), ("3", "2"), ("x", "3")):
        (folder / name).rename(folder / other)
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 1
    assert len(said) == 2


@pytest.mark.parametrize("name", ["03", "٣", "07", "3 (copy)"])
def test_a_folder_whose_name_is_not_that_of_a_round_is_left_alone(
    folder, abstract, loop_state, name
):
    (folder / "3").rename(folder / name)
    saved, said = newest(folder, abstract)
    assert saved.state.round_index == 2
    assert not said
    store = CheckpointStore(folder, 2, ORIGIN)
    store.set_aside_after(2)
    store.save(saved_at(loop_state, 3, 0.5))
    store.close()
    assert {path.name for path in folder.iterdir()} == {"1", "2", "3", name}


def test_one_that_cannot_be_moved_is_said_to_be_so(folder):
    (folder.parent / "damaged").touch()
    store = CheckpointStore(folder, 2, ORIGIN)
    with pytest.raises(RunError, match=r"kept/3 cannot be moved to .*/damaged \(.*File exists"):
        store.set_aside_after(2)
    store.close()


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


@pytest.mark.parametrize(("steps", "last"), [((2, 3), 1), ((1, 2, 3), -1)])
def test_a_run_goes_on_from_before_several_damaged_ones(folder, abstract, loop_state, steps, last):
    for step in steps:
        flip(data_files(folder, step)[0], 1000)
    store = CheckpointStore(folder, 2, ORIGIN)
    saved = store.newest(abstract, lambda line: None)
    assert (-1 if saved is None else saved.state.round_index) == last
    store.set_aside_after(last)
    store.save(saved_at(loop_state, last + 1, 0.5))
    store.close()
    again, said = newest(folder, abstract)
    assert again.state.round_index == last + 1
    assert not said
    aside = {path.name for path in (folder.parent / "damaged").iterdir()}
    assert aside == set(map(str, steps))


def test_whichever_file_is_cut_short_a_checkpoint_is_found(written, abstract, tmp_path):
    files = [path.relative_to(written) for path in (written / "3").rglob("*") if path.is_file()]
    assert len(files) > 5
    for number, file in enumerate(files):
        folder = shutil.copytree(written, tmp_path / str(number))
        raw = (folder / file).read_bytes()
        (folder / file).write_bytes(raw[: len(raw) // 2])
        assert newest(folder, abstract)[0].state.round_index in (2, 3), file


def test_one_of_other_problems_is_refused(folder, abstract):
    store = CheckpointStore(folder, 2, {"its problems": 8})
    with pytest.raises(InputError, match="its problems are not those that the run was made with"):
        store.newest(abstract, lambda line: None)
    store.close()


def test_one_that_says_less_of_its_origin_is_read(folder, abstract):
    store = CheckpointStore(folder, 2, ORIGIN | {"its external responses": 3})
    saved = store.newest(abstract, pytest.fail)
    store.close()
    assert saved.state.round_index == 3


def test_a_link_is_not_followed(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")
    with pytest.raises(InputError, match="is a link, and is not followed"):
        CheckpointStore(folder, 2, ORIGIN)


def test_a_file_in_its_place_is_refused_in_one_line(tmp_path):
    (tmp_path / "checkpoints").touch()
    with pytest.raises(InputError, match="checkpoints is a file: remove it"):
        CheckpointStore(tmp_path / "checkpoints", 2, ORIGIN)


def test_nothing_is_unpickled(folder, abstract, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert newest(folder, abstract)[0].state.round_index == 3


def test_what_is_saved_may_be_donated_at_once(loop_state, tmp_path, abstract):
    """A state may be trained on, its buffers donated, while it is still being written."""
    store = CheckpointStore(tmp_path / "kept", 1, ORIGIN)
    params = jax.tree.map(jnp.copy, loop_state.params)
    store.save(saved_at(loop_state._replace(params=params), 0, 0.5))
    jax.jit(lambda p: jax.tree.map(lambda x: 0 * x, p), donate_argnums=0)(params)
    store.close()
    saved, said = newest(tmp_path / "kept", abstract)
    assert not said
    assert saved is not None
