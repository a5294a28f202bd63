"""Names and tying are taken from the files as transformers takes them."""

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models import LanguageModel, load_model, save_folder
from jaxgap.models.huggingface import decoder_entries as module
from jaxgap.models.huggingface.config_json import parse_config
from jaxgap.models.huggingface.decoder_entries import decoder_entries
from jaxgap.models.huggingface.folder import load_folder
from jaxgap.models.model_files import ModelFileError

EMBEDDING, UNEMBEDDING = "model.embed_tokens.weight", "lm_head.weight"
FREQUENCIES = "rotary_emb.inv_freq"


@pytest.fixture
def folder(load_tiny, tmp_path):
    """A tied model with its tokenizer."""
    save_folder(tmp_path / "model", *load_tiny("smollm2"))
    return tmp_path / "model"


@pytest.fixture
def tensors(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def _save(folder, tensors):
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _other_head(tensors):
    head = tensors[EMBEDDING].copy()
    head[-1, -1] += 1
    return head


@pytest.mark.parametrize("elements_at_once", [1, 1 << 22])
def test_an_unembedding_of_its_own_is_not_tied(folder, tensors, monkeypatch, elements_at_once):
    monkeypatch.setattr(module, "_ELEMENTS_AT_ONCE", elements_at_once)
    head = _other_head(tensors)
    _save(folder, tensors | {UNEMBEDDING: head})
    model, params = load_model(folder)
    assert not model.config.tie_embeddings
    np.testing.assert_array_equal(params["unembedding"]["kernel"], head.T)
    np.testing.assert_array_equal(params["embedding"]["embedding"], tensors[EMBEDDING])


def test_an_equal_unembedding_is_tied(folder, tensors):
    _save(folder, tensors | {UNEMBEDDING: tensors[EMBEDDING]})
    model, params = load_model(folder)
    assert model.config.tie_embeddings
    assert "unembedding" not in params


def test_an_unembedding_of_another_shape_is_refused(folder, tensors):
    _save(folder, tensors | {UNEMBEDDING: tensors[EMBEDDING][:-1].copy()})
    with pytest.raises(ModelFileError, match=r"'lm_head\.weight' must have shape \(64, 32\), got"):
        load_model(folder)


def test_a_tied_model_may_hold_its_embedding_as_the_unembedding(folder, tensors, load_tiny):
    """As safetensors.torch.save_model writes it."""
    tensors[UNEMBEDDING] = tensors.pop(EMBEDDING)
    _save(folder, tensors)
    model, params = load_model(folder)
    assert model.config.tie_embeddings
    jax.tree.map(np.testing.assert_array_equal, params, load_tiny("smollm2")[1])


def test_names_without_their_prefix_are_read(folder, tensors, load_tiny):
    """As AutoModel's save_pretrained writes them."""
    bare = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    _save(folder, bare)
    params = load_model(folder)[1]
    jax.tree.map(np.testing.assert_array_equal, params, load_tiny("smollm2")[1])
    # Some names with it, some without, are of no program.
    _save(folder, bare | {EMBEDDING: tensors[EMBEDDING]})
    with pytest.raises(ModelFileError, match="missing tensors"):
        load_model(folder)


@pytest.mark.parametrize("place", ["", "layers.0.self_attn.", "layers.1.self_attn."])
def test_frequencies_that_the_configuration_gives_are_not_read(folder, tensors, load_tiny, place):
    _save(folder, tensors | {f"model.{place}{FREQUENCIES}": np.ones(4, np.float32)})
    params = load_model(folder)[1]
    jax.tree.map(np.testing.assert_array_equal, params, load_tiny("smollm2")[1])


def test_an_untied_model_without_an_unembedding_is_refused(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder("llama2"), tmp_path / "model")
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    del tensors[UNEMBEDDING]
    _save(folder, {name.removeprefix("model."): tensor for name, tensor in tensors.items()})
    config = parse_config(folder / "config.json")
    assert decoder_entries(folder, config)[1].keys() == tensors.keys()
    with pytest.raises(ModelFileError, match=r"1 missing tensors, for example 'lm_head\.weight'"):
        load_folder(folder)


def test_more_layers_than_tensors_are_refused_before_a_model_is_made(folder, monkeypatch):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 1000}))
    monkeypatch.setattr("jaxgap.models.huggingface.folder.LanguageModel", None)
    with pytest.raises(ModelFileError, match="says 1000 layers, but the files hold 20 tensors"):
        load_model(folder)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["other head", "head alone", "no prefix", "frequencies"])
def test_transformers_takes_them_alike(
    folder, tensors, change, run_peers, check_logits, make_tokenizer, tmp_path
):
    if change == "other head":
        tensors[UNEMBEDDING] = _other_head(tensors)
    elif change == "head alone":
        tensors[UNEMBEDDING] = tensors.pop(EMBEDDING)
    elif change == "frequencies":
        tensors["model." + FREQUENCIES] = np.ones(4, np.float32)
    else:
        tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    _save(folder, tensors)
    run_peers("logits", folder, tmp_path / "theirs.npz")
    model, params = load_model(folder)
    check_logits(LanguageModel(model.config, make_tokenizer(64)), params, tmp_path / "theirs.npz")
