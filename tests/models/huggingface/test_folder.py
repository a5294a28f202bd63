"""Folders are checked from their headers, and only then read."""

import json
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models.axes import logical_axes
from jaxgap.models.huggingface.folder import load_folder
from jaxgap.models.model_files import ModelFileError
from jaxgap.models.tensor_layout import Part, Stored, _Pieces


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder("llama2"), tmp_path / "model")


@pytest.fixture
def tensors(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def _load(folder):
    return load_folder(folder)[1]


def _shard(folder, tensors, **changes):
    """Two files and an index, in place of the one."""
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, chosen in enumerate((names[:5], names[5:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        safetensors.numpy.save_file({name: tensors[name] for name in chosen}, folder / file)
        weight_map |= dict.fromkeys(chosen, file)
    index = {"metadata": {}, "weight_map": weight_map | changes}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_shards_hold_what_one_file_holds(folder, tensors):
    whole = _load(folder)
    _shard(folder, tensors)
    jax.tree.map(np.testing.assert_array_equal, _load(folder), whole)


def test_tensors_of_other_types_are_read(folder, tensors):
    tensors["model.norm.weight"] = tensors["model.norm.weight"].astype(np.float16)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    scale = _load(folder)["norm"]["scale"]
    assert scale.dtype == np.float32
    np.testing.assert_array_equal(scale, tensors["model.norm.weight"])


def test_parameters_go_where_their_sharding_says(folder):
    params = _load(folder)
    mesh = jax.make_mesh((1,), ("tensor",), axis_types=(jax.sharding.AxisType.Auto,))
    rules = {"heads": "tensor", "mlp": "tensor", "vocab": "tensor"}
    shardings = jax.tree.map(
        lambda axes: jax.NamedSharding(mesh, jax.P(*(rules.get(axis) for axis in axes))),
        logical_axes(params),
        is_leaf=lambda x: isinstance(x, tuple),
    )
    placed = load_folder(folder, shardings=shardings)[1]
    jax.tree.map(np.testing.assert_array_equal, placed, params)
    assert jax.tree.all(jax.tree.map(lambda x, s: x.sharding == s, placed, shardings))


def test_of_a_tensor_that_is_cut_only_the_pieces_are_read():
    """As a process does whose devices hold a part."""
    asked = []

    class Watched(np.ndarray):
        def __getitem__(self, index):
            asked.append(index)
            return np.asarray(super().__getitem__(index))

    stored = Stored("w", (4, 6), (Part(("w",), 4),), transposed=True)
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    pieces = _Pieces(stored.name, values.T.view(Watched), np.float32)
    half = pieces((slice(3, 6), slice(None)))
    np.testing.assert_array_equal(half, values.T[3:])
    assert asked == [(slice(3, 6), slice(None))]


def test_memory_is_not_taken_twice(folder, tensors, monkeypatch):
    """Files are mapped, and one tensor at a time becomes a parameter."""
    opened = []
    memmap = np.memmap
    monkeypatch.setattr(
        np, "memmap", lambda path, *rest: opened.append(path) or memmap(path, *rest)
    )
    monkeypatch.setattr(np, "fromfile", None)
    _load(folder)
    assert len(opened) == len(tensors)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../model.safetensors", "is not the name of a safetensors file"),
        ("/etc/passwd", "is not the name of a safetensors file"),
        ("sub/model.safetensors", "is not the name of a safetensors file"),
        ("..\\model.safetensors", "is not the name of a safetensors file"),
        ("model.bin", "is not the name of a safetensors file"),
        (["a"], "is not the name of a safetensors file"),
        ("missing.safetensors", "missing.safetensors: no such file"),
        ("model-00001-of-00002.safetensors", "does not say that model-00002"),
    ],
)
def test_an_index_that_lies_is_refused(folder, tensors, name, message):
    _shard(folder, tensors, **{"model.norm.weight": name})
    with pytest.raises(ModelFileError, match=message) as caught:
        _load(folder)
    assert "\n" not in str(caught.value)


def test_an_index_of_a_tensor_that_is_nowhere_is_refused(folder, tensors):
    _shard(folder, tensors, extra="model-00001-of-00002.safetensors")
    with pytest.raises(ModelFileError, match="'extra' is not in model-00001"):
        _load(folder)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_an_index_may_list_or_omit_frequencies(folder, tensors, stored, listed):
    """As in transformers, which computes them."""
    whole = _load(folder)
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    _shard(folder, tensors | {name: np.ones(4, np.float32)} if stored else tensors)
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"].pop(name, None)
    if listed:
        index["weight_map"][name] = "model-00001-of-00002.safetensors"
    path.write_text(json.dumps(index))
    jax.tree.map(np.testing.assert_array_equal, _load(folder), whole)


def test_a_shard_that_is_a_pipe_is_not_opened(folder, tensors):
    _shard(folder, tensors)
    (folder / "model-00002-of-00002.safetensors").unlink()
    os.mkfifo(folder / "model-00002-of-00002.safetensors")
    with pytest.raises(ModelFileError, match="not a file"):
        _load(folder)


def test_pickles_are_refused_with_a_way_out(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match=r"pytorch_model.bin: a pickle.*save_pretrained"):
        _load(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(
        ModelFileError, match=r"no model.safetensors and no model.safetensors.index"
    ):
        _load(folder)


def test_a_config_of_another_model_is_refused(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    for change, message in (
        (
            {"num_hidden_layers": 1000},
            r"config.json says 1000 layers, but the files hold 21 tensors",
        ),
        ({"num_hidden_layers": 3}, "9 missing tensors, for example 'model.layers.2"),
        ({"hidden_size": 64}, r"must have shape \(64, 64\), got \[64, 32\]"),
        ({"tie_word_embeddings": True, "vocab_size": 65}, "must have shape"),
        (
            {"model_type": "qwen2"},
            "6 missing tensors, for example 'model.layers.0.self_attn.k_proj.b",
        ),
    ):
        path.write_text(json.dumps(values | change))
        with pytest.raises(ModelFileError, match=message):
            _load(folder)


def test_numbers_that_are_not_finite_are_refused(folder, tensors):
    tensors["model.norm.weight"][3] = np.nan
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"tensor 'model\.norm\.weight' has a NaN or infinity"):
        _load(folder)


def test_the_single_file_comes_before_an_index_that_was_left_over(folder, tensors):
    _shard(folder, tensors)
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + 1
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    np.testing.assert_array_equal(_load(folder)["norm"]["scale"], tensors["model.norm.weight"])


@pytest.mark.filterwarnings("error")
def test_a_number_too_large_for_the_type_asked_for_is_distinguished_from_an_infinity(
    folder, tensors
):
    tensors["model.norm.weight"][3] = 70_000
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    message = r"'model\.norm\.weight' has a number beyond float16's largest, 65504; load it"
    with pytest.raises(ModelFileError, match=message):
        load_folder(folder, dtype=jnp.float16)
    assert load_folder(folder, dtype=jnp.bfloat16)[1]["norm"]["scale"][3] == 70_144
