"""One call loads a folder, a GGUF file or a name on the hub, and says what is missing."""

import shutil
import struct
import sys

import jax
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.models import ChatTemplate, load_model, save_folder


@pytest.fixture(scope="module")
def saved(load_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_folder(folder, *load_tiny("qwen3"))
    return folder


def test_a_folder_of_that_name_comes_before_the_hub(saved, load_tiny, monkeypatch):
    monkeypatch.chdir(saved.parent)
    model, params = load_model("model")
    assert model.config == load_tiny("qwen3")[0].config
    jax.tree.map(np.testing.assert_array_equal, params, load_tiny("qwen3")[1])


def test_a_hub_name_is_fetched_without_pickles(saved, load_tiny, monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def snapshot_download(name, *, revision, allow_patterns):
        asked.append((name, revision))
        paths = [*saved.iterdir(), saved / "pytorch_model.bin", saved / "run.py"]
        wanted = huggingface_hub.utils.filter_repo_objects(
            [path.name for path in paths], allow_patterns=allow_patterns
        )
        for file in wanted:
            shutil.copy(saved / file, tmp_path)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    _, params = load_model("someone/tiny-qwen3", revision="abc")
    assert asked == [("someone/tiny-qwen3", "abc")]
    jax.tree.map(np.testing.assert_array_equal, params, load_tiny("qwen3")[1])


def test_a_hub_that_refuses_is_one_line(monkeypatch):
    import huggingface_hub

    def snapshot_download(name, **rest):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nmore\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(
        InputError, match="a/b: cannot be fetched from the Hugging Face hub: no con"
    ):
        load_model("a/b")


@pytest.mark.parametrize("source", ["nothing", "/no/where", "../a/b/c", "a b/c"])
def test_what_is_nowhere_is_said(source):
    with pytest.raises(InputError, match="no such folder or file, and no name on the hub"):
        load_model(source)
    with pytest.raises(InputError, match=r"missing\.gguf: no such folder or file"):
        load_model("missing.gguf")


@pytest.mark.parametrize("source", ["a" * 5000, "a/" + "b" * 5000, "a" * 5000 + ".gguf"])
def test_a_name_that_no_file_can_have_is_one_line(source):
    with pytest.raises(
        InputError, match=r"^a[ab/]{199}: cannot be looked for: File name too long$"
    ):
        load_model(source)


def test_an_adapter_beside_a_model_is_not_ignored(saved, tmp_path, monkeypatch):
    """transformers would apply it."""
    import huggingface_hub

    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **rest: str(folder))
    for source in (folder, "someone/model"):
        with pytest.raises(
            InputError, match=r"model: an adapter \(adapter_config\.json\) is beside the model; me"
        ):
            load_model(source)


@pytest.mark.parametrize(
    ("file", "given", "message"),
    [
        (
            "adapter_config.json",
            ".",
            r"an adapter \(adapter_config\.json\), not a model; give its b",
        ),
        ("b.gguf", ".", r"no config\.json, but GGUF files; give one, such as .*b\.gguf$"),
        (
            "config.json",
            "config.json",
            r"config\.json: a file of a model; give its folder, .*here$",
        ),
        ("model.safetensors", "model.safetensors", "a file of a model; give its folder"),
    ],
)
def test_what_is_no_model_is_named(tmp_path, file, given, message):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / file).touch()
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "here" / given)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "model.gguf"])
def test_a_pointer_of_git_lfs_is_named(saved, tmp_path, name):
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / name).write_bytes(POINTER)
    with pytest.raises(InputError, match=rf"{name}: a git-lfs pointer .* with `git lfs pull`$"):
        load_model(folder / name if name.endswith("gguf") else folder)


@pytest.fixture
def one_tensor_gguf(tmp_path):
    """A file whose header is good up to its first tensor."""
    path = tmp_path / "model.gguf"
    tensor = struct.pack("<Q", 1) + b"t" + struct.pack("<IQIQ", 1, 8, 0, 0)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor + bytes(99))
    return path


def test_a_missing_extra_is_one_line(saved, one_tensor_gguf, monkeypatch):
    for library, use in (
        ("tokenizers", lambda: load_model(saved)),
        ("gguf", lambda: load_model(one_tensor_gguf)),
        ("huggingface_hub", lambda: load_model("a/b")),
        ("jinja2", lambda: ChatTemplate("", {})),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(InputError, match=rf"package {library}: pip install 'jaxgap\[lm\]'"):
            use()
