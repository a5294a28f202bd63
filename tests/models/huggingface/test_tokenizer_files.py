"""What a folder says of its tokenizer beyond the vocabulary is taken as transformers takes it."""

import json
import shutil

import pytest
import tokenizers

from jaxgap.errors import InputError
from jaxgap.models import LanguageModel, save_folder
from jaxgap.models.huggingface.tokenizer_files import load_tokenizer
from jaxgap.models.model_files import ModelFileError


@pytest.fixture(scope="module")
def saved(load_tiny, tmp_path_factory):
    """Words `w0` to `w63` for a decoder of 64 ids, `w1` the first token, `w2` the end."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_folder(folder, *load_tiny("qwen3"))
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def _change_backend(folder, change):
    path = str(folder / "tokenizer.json")
    backend = tokenizers.Tokenizer.from_file(path)
    change(backend)
    backend.save(path)


def _change_settings(folder, **values):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_tokenizer_of_sentencepiece_alone_is_refused_with_a_way_out(folder):
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    with pytest.raises(
        ModelFileError, match=r"tokenizer\.json: no such file; .* save_pretrained writes it \(from"
    ):
        load_tokenizer(folder, 64)


def test_stored_truncation_and_padding_are_not_obeyed(folder, load_tiny, tmp_path):
    def truncate_and_pad(backend):
        backend.enable_truncation(2)
        backend.enable_padding(length=6, pad_token="w0")

    _change_backend(folder, truncate_and_pad)
    tokenizer = load_tokenizer(folder, 64)
    rows = tokenizer.encode_batch(["w5 w7 w9 w4", "w5"], begin=True)
    assert rows == [[5, 7, 9, 4], [5]]
    model, params = load_tiny("qwen3")
    save_folder(tmp_path / "out", LanguageModel(model.config, tokenizer), params)
    exported = json.loads((tmp_path / "out" / "tokenizer.json").read_text())
    assert (exported["truncation"], exported["padding"]) == (None, None)


def test_a_stored_dropout_of_merges_is_not_obeyed(folder):
    def drop_merges(backend):
        words = {f"w{i}": i for i in range(2, 60)} | {"w": 60, "5": 61, "7": 62, "w57": 63}
        backend.model = tokenizers.models.BPE(words, [("w", "5"), ("w5", "7")], dropout=0.5)

    _change_backend(folder, drop_merges)
    tokenizer = load_tokenizer(folder, 64)
    assert [tokenizer.encode("w57") for _ in range(20)] == [[63]] * 20


def _begin_with_w1(backend):
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single=["w1", "$A"], special_tokens=[("w1", 1)]
    )


@pytest.mark.parametrize(
    ("template", "expected"), [("w9", [9]), ("w1 w9", [1, 9]), ("w1 w1 w9", [1, 1, 9])]
)
def test_a_conversation_begins_as_its_template_writes_it(folder, template, expected):
    _change_backend(folder, _begin_with_w1)
    plain = load_tokenizer(folder, 64)
    assert plain.begins_prompts
    assert plain.encode_batch(["w9"], begin=plain.begins_prompts) == [[1, 9]]
    _change_settings(folder, chat_template=template)
    tokenizer = load_tokenizer(folder, 64)
    text = tokenizer.render_chat([{"role": "user", "content": "w9"}])
    assert tokenizer.encode_batch([text], begin=tokenizer.begins_prompts) == [expected]


def test_added_tokens_that_the_decoder_lacks_are_done_without(folder):
    _change_backend(folder, lambda backend: backend.add_special_tokens(["<pad>", "<bos>"]))
    _change_settings(folder, pad_token="<pad>", bos_token="<bos>")
    tokenizer = load_tokenizer(folder, 64)
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.bos_id) == (64, 2, None)
    assert tokenizer.encode("w5 w63") == [5, 63]
    with pytest.raises(
        InputError, match="a text needs the token '<pad>' with the id 64, but the decoder's ids are"
    ):
        tokenizer.encode("w5 <pad>")
    # A decoder that has them uses them.
    wider = load_tokenizer(folder, 66)
    assert (wider.pad_id, wider.bos_id, wider.encode("w5 <pad>")) == (64, 65, [5, 64])


def test_an_end_or_a_vocabulary_that_the_decoder_lacks_is_refused(folder):
    with pytest.raises(ModelFileError, match="the tokenizer has ids from 0 to 63, but the decoder"):
        load_tokenizer(folder, 63)
    _change_backend(folder, lambda backend: backend.add_special_tokens(["<end>"]))
    _change_settings(folder, eos_token="<end>")
    with pytest.raises(ModelFileError, match="the tokenizer has ids from 0 to 64, but the decoder"):
        load_tokenizer(folder, 64)


def test_settings_may_hold_as_many_tokens_as_a_model_of_sounds_has(folder):
    """Tens of thousands, for which other settings have no room."""
    flags = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False)
    table = {
        str(64 + i): {"content": f"<custom_token_{i}>", "special": True} | flags
        for i in range(40_000)
    }
    _change_settings(folder, added_tokens_decoder=table)
    assert load_tokenizer(folder, 40_064).encode("<custom_token_39999>w5") == [40_063, 5]


ENDS = [
    # The numbers of Llama 3.1, Qwen2.5 and Phi-3: a list beside one of its ends, or beside all.
    ([5, 6], 7, [5, 6]),
    ([5, 6], 5, [5, 6]),
    ([5, 6, 7], [5, 6, 7], [5, 6, 7]),
    (0, [5, 6], [0]),
    # Without a file, or without an end in it.
    ("no file", [5, 6], [5, 6]),
    ("no file", 0, [0]),
    (None, 7, [7]),
    ([], 7, [7]),
    (None, None, []),
]


def _state_ends(folder, generation, config):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": config}))
    (folder / "generation_config.json").unlink()
    if generation != "no file":
        ends = json.dumps({"eos_token_id": generation})
        (folder / "generation_config.json").write_text(ends)


@pytest.mark.parametrize(("generation", "config", "ends"), ENDS)
def test_ends_are_those_of_the_tokenizer_and_of_one_file(folder, generation, config, ends):
    _state_ends(folder, generation, config)
    assert load_tokenizer(folder, 64).stop_ids == (2, *ends)
    _change_settings(folder, eos_token=None)
    if ends:
        assert load_tokenizer(folder, 64).stop_ids == tuple(ends)
    else:
        with pytest.raises(ModelFileError, match="nothing says which token ends a text"):
            load_tokenizer(folder, 64)


@pytest.mark.parametrize(
    ("generation", "config", "file"),
    [([2, 64], 2, "generation_config.json"), (None, -1, "config.json")],
)
def test_an_end_without_logits_is_refused_by_its_file(folder, generation, config, file):
    _state_ends(folder, generation, config)
    message = rf"{file}: eos_token_id must be an id of the decoder, 0 to 63, got (64|-1)$"
    with pytest.raises(ModelFileError, match=message):
        load_tokenizer(folder, 64)


@pytest.mark.slow
@pytest.mark.parametrize(("generation", "config", "ends"), [case for case in ENDS if case[0]])
def test_transformers_takes_these_ends(folder, generation, config, ends, run_with_peers):
    _state_ends(folder, generation, config)
    ask = "import sys, transformers as t; m = t.AutoModelForCausalLM.from_pretrained(sys.argv[1]); "
    said = run_with_peers("-c", ask + "print('ENDS', m.generation_config.eos_token_id)", folder)
    theirs = json.loads(said.partition("ENDS ")[2])
    assert (theirs if isinstance(theirs, list) else [theirs]) == ends


def test_a_template_may_name_every_special_token(folder):
    names = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
    tokens = {f"{name}_token": f"w{number}" for number, name in enumerate(names)}
    source = "{{ " + " ~ '|' ~ ".join(tokens) + " }}"
    _change_settings(folder, chat_template=source, **tokens)
    assert load_tokenizer(folder, 64).render_chat([]) == "|".join(tokens.values())


CHAT = "{% for m in messages %}{{ '<|start|> ' + m.content + ' END ' }}{% endfor %}"


def _named(*names):
    return [{"name": name, "template": f"w9 {name}"} for name in names]


@pytest.mark.parametrize(
    ("listed", "files", "names"),
    [
        (["chatml", "tool_use"], [], r"\['chatml', 'tool_use'\]"),
        (None, ["rag", "tool_use"], r"\['rag', 'tool_use'\]"),
    ],
)
def test_chat_templates_without_a_default_are_refused(folder, listed, files, names):
    """Without a template a chat model would be prompted as if it were a base model."""
    _change_settings(folder, chat_template=listed and _named(*listed))
    (folder / "additional_chat_templates").mkdir()
    for name in files:
        (folder / "additional_chat_templates" / f"{name}.jinja").write_text(name)
    with pytest.raises(
        ModelFileError, match=rf"named default: {names}; save the one to use as chat_template\.j"
    ):
        load_tokenizer(folder, 64)
    (folder / "chat_template.jinja").write_text("w5")
    assert load_tokenizer(folder, 64).chat_template.source == "w5"


def test_of_several_chat_templates_the_default_is_taken(folder):
    _change_settings(folder, chat_template=_named("tool_use", "default"))
    assert load_tokenizer(folder, 64).chat_template.source == "w9 default"


@pytest.fixture
def base(folder):
    """Special tokens 64 to 67 that no setting names: a base model has those of its chat model."""
    names = ["<|start|>", "<|end|>", "<|text|>", "<bos>"]
    _change_backend(folder, lambda backend: backend.add_special_tokens(names))
    _change_settings(folder, bos_token="<bos>")
    return folder


@pytest.mark.parametrize("end", ["<|end|>", "\n<|end|>\n<|text|>", "<|end|> <|start|>"])
def test_what_ends_a_reply_ends_a_completion(base, end):
    _change_settings(base, chat_template=CHAT.replace("END", end.replace("\n", "\\n")))
    tokenizer = load_tokenizer(base, 68)
    assert (tokenizer.eos_id, tokenizer.stop_ids, tokenizer.reply_end_id) == (2, (2, 65), 65)
    # A decoder without such a token does without.
    assert load_tokenizer(base, 64).stop_ids == (2,)


@pytest.mark.parametrize(
    "template",
    [
        None,
        CHAT.replace("END", "w5"),
        CHAT.replace("END", "w2 <|end|>"),
        CHAT.replace("END", "<bos>"),
        CHAT.replace("END", ""),
        CHAT.replace("m.content", "'no reply'").replace("END", "<|end|>"),
        "{{ raise_exception('questions alone') }}",
    ],
)
def test_what_ends_no_reply_ends_no_completion(base, template):
    _change_settings(base, chat_template=template)
    assert load_tokenizer(base, 68).stop_ids == (2,)
