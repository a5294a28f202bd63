"""Tiny models of every family, made from numbers that depend on the tensors' names alone."""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models import LanguageModel
from jaxgap.models.huggingface.config_json import parse_config
from jaxgap.models.huggingface.folder import load_folder
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.tensor_layout import stored_tensors

_PATH = Path(__file__).with_name("peers.py")


@pytest.fixture(scope="session")
def peers():
    """The module `peers.py`: tiny configurations, their numbers, the cases."""
    spec = importlib.util.spec_from_file_location("peers", _PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def run_with_peers():
    """Run a Python program where transformers is; what it prints."""
    python = os.environ.get("JAXGAP_PEERS_PYTHON")
    if not python:
        pytest.skip("JAXGAP_PEERS_PYTHON names no interpreter with transformers (see peers.py)")

    def run(*arguments):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [python, *map(str, arguments)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def run_peers(run_with_peers):
    """Run a command of `peers.py` where transformers is."""
    return functools.partial(run_with_peers, _PATH)


@pytest.fixture(scope="session")
def check_logits(peers):
    """Hold a model's logits against those that `peers.py` wrote to a file."""

    def check(model, params, path):
        with np.load(path, allow_pickle=False) as theirs:
            for name, (tokens, mask) in {
                "short": peers.short_case(),
                "long": peers.long_case(),
            }.items():
                ours = np.asarray(jax.jit(model.apply)(params, tokens, mask)[0])
                np.testing.assert_allclose(ours[mask], theirs[name][mask], atol=1e-4)

    return check


@pytest.fixture(scope="session")
def tiny_folder(peers, write_tokenizer, tmp_path_factory):
    """Write a tiny model's folder, `config.json` as transformers wrote it."""
    root = tmp_path_factory.mktemp("tiny")

    def write(family):
        folder = root / family
        if not folder.exists():
            folder.mkdir()
            shutil.copy(peers.GOLDEN / family / "config.json", folder)
            config = parse_config(folder / "config.json")
            tensors = {
                stored.name: peers.tensor_values(stored.name, stored.shape)
                for stored in stored_tensors(config, naming_of(config))
            }
            safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
            write_tokenizer(folder, config.vocab_size)
        return folder

    return write


@pytest.fixture(scope="session")
def make_tokenizer():
    """A tokenizer with as many words as asked for, `w3` being the token 3."""
    import tokenizers

    from jaxgap.models.fast_tokenizer import FastTokenizer

    def make(num_ids):
        words = {f"w{i}": i for i in range(num_ids)}
        model = tokenizers.models.WordLevel(words, unk_token="w0")
        backend = tokenizers.Tokenizer(model)
        backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        return FastTokenizer(backend, num_ids, (2,), 0, 1, None)

    return make


@pytest.fixture(scope="session")
def write_tokenizer(make_tokenizer):
    """Write such a tokenizer into a model's folder."""
    settings = {"pad_token": "w0", "bos_token": "w1", "eos_token": "w2"}

    def write(folder, num_ids):
        (folder / "tokenizer.json").write_text(make_tokenizer(num_ids).backend.to_str())
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    return write


@pytest.fixture(scope="session")
def load_tiny(tiny_folder, make_tokenizer):
    """A tiny model and its parameters, loaded once."""
    loaded = {}

    def load(family):
        if family not in loaded:
            folder = tiny_folder(family)
            config = parse_config(folder / "config.json")
            model = LanguageModel(config, make_tokenizer(config.vocab_size))
            loaded[family] = model, load_folder(folder)[1]
        return loaded[family]

    return load


@pytest.fixture(scope="session")
def golden_logits(peers):
    """Logits that transformers gave a tiny model."""

    def load(family):
        with np.load(peers.GOLDEN / family / "logits.npz", allow_pickle=False) as file:
            return dict(file)

    return load
