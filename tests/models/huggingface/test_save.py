"""What is saved is read back to the bit, by us and by transformers."""

import dataclasses
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import tokenizers

from jaxgap.errors import DiskFullError, InputError, RunError
from jaxgap.models import LanguageModel, LoraConfig
from jaxgap.models.chat_template import ChatTemplate
from jaxgap.models.huggingface.folder import load_folder
from jaxgap.models.huggingface.save import save_folder

FAMILIES = ("llama3", "phi3_mini", "phi35_mini", "phi4_mini", "qwen25", "qwen3")


@pytest.mark.parametrize("family", FAMILIES)
def test_export_and_reload_is_exact(family, load_tiny, tmp_path):
    model, params = load_tiny(family)
    save_folder(tmp_path / "out", model, params, max_shard_bytes=20_000)
    assert (tmp_path / "out" / "model.safetensors.index.json").exists()
    again, reloaded = load_folder(tmp_path / "out")
    assert again.config == model.config
    jax.tree.map(np.testing.assert_array_equal, reloaded, params)


def test_bfloat16_is_exact_in_one_file(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
    save_folder(tmp_path / "out", model, narrow)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["torch_dtype"] == "bfloat16"
    _, reloaded = load_folder(tmp_path / "out", dtype=jnp.bfloat16)
    jax.tree.map(np.testing.assert_array_equal, reloaded, narrow)


@pytest.mark.parametrize(
    ("mask", "of_folder", "of_file"), [(0o002, 0o775, 0o664), (0o077, 0o700, 0o600)]
)
def test_others_may_read_what_is_saved_as_the_umask_says(
    load_tiny, tmp_path, mask, of_folder, of_file
):
    before = os.umask(mask)
    try:
        save_folder(tmp_path / "out", *load_tiny("smollm2"))
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == of_folder
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {of_file}


@pytest.mark.parametrize(
    ("said", "error", "line"),
    [
        ("I/O error: No space left on device (os error 28)", DiskFullError, "no space left on the"),
        ("I/O error: Input/output error", RunError, "Input/output error"),
    ],
)
def test_weights_that_cannot_be_written_are_one_line(
    load_tiny, tmp_path, monkeypatch, said, error, line
):
    def fail(*_):
        raise safetensors.SafetensorError(said)

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    model, params = load_tiny("smollm2")
    with pytest.raises(error, match=rf"model\.safetensors cannot be written \(.*{line}"):
        save_folder(tmp_path / "out", model, params)
    assert not list(tmp_path.iterdir())


def test_the_tokenizer_survives(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    template = ChatTemplate("{{ bos_token }}{{ messages[0].content }}", {"bos_token": "w1"})
    tokenizer = dataclasses.replace(model.tokenizer, end_ids=(2, 5), chat_template=template)
    save_folder(tmp_path / "out", LanguageModel(model.config, tokenizer), params)
    again = load_folder(tmp_path / "out")[0].tokenizer
    assert again.encode("w5 w7") == [5, 7]
    assert (again.stop_ids, again.pad_id, again.bos_id) == ((2, 5), 0, 1)
    assert again.render_chat([{"role": "user", "content": "w9"}]) == "w1w9"


ASKED = [{"role": "user", "content": "w9"}]
CHAT = "{% for m in messages %}{{ m.content + ' w7 ' }}{% endfor %}"


@pytest.mark.parametrize(
    "template",
    [
        CHAT,
        "  " + CHAT,
        "\n  " + CHAT,
        " w5 " + CHAT,
        "{%- set a = 'w6 ' -%}\n {{- a }}" + CHAT,
        "{{ bos_token + ' ' }}" + CHAT,
        "  {% if messages %}{{ 'w1 ' }}{% endif %}" + CHAT,
    ],
)
@pytest.mark.parametrize("begins_chats", [True, False])
@pytest.mark.parametrize("adds_bos", [True, False])
def test_conversations_begin_as_they_did(load_tiny, tmp_path, template, begins_chats, adds_bos):
    """A model from GGUF begins them as its file says; a folder as its template says."""
    model, params = load_tiny("smollm2")
    backend = tokenizers.Tokenizer.from_str(model.tokenizer.backend.to_str())
    backend.add_special_tokens(["w1"])
    if adds_bos:
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single=["w1", "$A"], special_tokens=[("w1", 1)]
        )
    tokenizer = dataclasses.replace(
        model.tokenizer,
        backend=backend,
        chat_template=ChatTemplate(template, {"bos_token": "w1"}),
        begins_chats=begins_chats,
    )
    save_folder(tmp_path / "out", LanguageModel(model.config, tokenizer), params)
    again = load_folder(tmp_path / "out")[0].tokenizer
    for chat in (ASKED, [{"role": "system", "content": "w4"}, *ASKED]):
        texts = [each.render_chat(chat) for each in (tokenizer, again)]
        before, after = (
            each.encode_batch([text], begin=each.begins_prompts)
            for each, text in zip((tokenizer, again), texts, strict=True)
        )
        assert before == after
        assert before[0].count(1) <= 1
        assert texts[1] in (texts[0], "w1" + texts[0])


def test_nothing_is_written_over(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="exists already; give a new folder"):
        save_folder(tmp_path / "out", model, params)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


def test_an_empty_folder_is_filled_through_a_link(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to("there")
    save_folder(tmp_path / "out", model, params)
    assert (tmp_path / "out").is_symlink()
    jax.tree.map(np.testing.assert_array_equal, load_folder(tmp_path / "there")[1], params)
    assert not [path.name for path in tmp_path.rglob(".*")]


def test_the_working_directory_is_filled(load_tiny, tmp_path, monkeypatch):
    model, params = load_tiny("smollm2")
    monkeypatch.chdir(tmp_path)
    save_folder(".", model, params)
    jax.tree.map(np.testing.assert_array_equal, load_folder(tmp_path)[1], params)


def test_the_configuration_comes_last_and_a_failure_leaves_an_empty_folder(
    load_tiny, tmp_path, monkeypatch
):
    def move(path, target):
        moved.append(target.name)
        if target.name == "config.json":
            raise OSError("no more")
        return os.replace(path, target)

    moved = []
    monkeypatch.setattr(Path, "replace", move)
    with pytest.raises(OSError, match="no more"):
        save_folder(tmp_path, *load_tiny("smollm2"))
    assert len(moved) > 3
    assert moved[-1] == "config.json"
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    with pytest.raises(KeyError, match="blocks"):
        save_folder(tmp_path / "out", model, {k: v for k, v in params.items() if k != "blocks"})
    assert list(tmp_path.iterdir()) == []


def test_adapters_must_be_merged_first(load_tiny, tmp_path):
    model, params = load_tiny("smollm2")
    adapted = dataclasses.replace(model, lora=LoraConfig.uniform(2, alpha=2.0))
    with pytest.raises(ValueError, match="merge adapters first"):
        save_folder(tmp_path / "out", adapted, params)
    mixed = params | {"norm": {"scale": params["norm"]["scale"].astype(jnp.bfloat16)}}
    with pytest.raises(ValueError, match="params must have one floating type"):
        save_folder(tmp_path / "out", model, mixed)
