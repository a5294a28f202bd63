"""Real tokenizers: special tokens, beginnings, ends, and files that do not fit."""

import dataclasses
import json
import shutil

import pytest

from jaxgap.errors import InputError
from jaxgap.models import CharTokenizer, ChatTemplate, save_folder
from jaxgap.models.gguf_format.tokenizer import build_tokenizer
from jaxgap.models.huggingface.tokenizer_files import load_tokenizer
from jaxgap.models.model_files import ModelFileError

BYTES = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 323 + 1)]]


def _byte_level(pre, **values):
    """Bytes, one merge and three special tokens, for a decoder with five logits to spare."""
    tokens = [*BYTES, "ĠĠ", "<bos>", "<|im_end|>", "<eos>"]
    metadata = {
        "model": "gpt2",
        "pre": pre,
        "tokens": tokens,
        "token_type": [1] * 257 + [3] * 3,
        "merges": ["Ġ Ġ"],
        "bos_token_id": 257,
        "eos_token_id": 259,
    } | values
    named = {f"tokenizer.ggml.{name}": value for name, value in metadata.items()}
    return build_tokenizer(named, 265, "here")


@pytest.mark.parametrize(
    ("pre", "text", "pieces"),
    [
        ("gpt-2", "I've 1234 x", ["I", "'ve", " 1234", " x"]),
        ("smollm", "I've 1234 x", ["I", "'ve", " ", "1", "2", "3", "4", " x"]),
        ("llama-bpe", "I'VE 12345!\n\n x", ["I", "'VE", " ", "123", "45", "!\n\n", " x"]),
        ("dbrx", "I'VE 12345!\n\n x", ["I", "'VE", " ", "123", "45", "!\n\n", " x"]),
        ("smaug-bpe", "I'VE 12345!\n\n x", ["I", "'VE", " ", "123", "45", "!\n\n", " x"]),
        ("qwen2", "I'VE 123!\n\n x", ["I", "'VE", " ", "1", "2", "3", "!\n\n", " x"]),
        ("deepseek-r1-qwen", "I'VE 123! x", ["I", "'VE", " ", "1", "2", "3", "!", " x"]),
        ("gpt-4o", "I've HelloWorld 1234", ["I've", " Hello", "World", " ", "123", "4"]),
    ],
)
def test_text_is_cut_as_the_models_were_published(pre, text, pieces):
    tokenizer = _byte_level(pre)
    cut = tokenizer.backend.pre_tokenizer.pre_tokenize_str(text)
    assert [text[start:end] for _, (start, end) in cut] == pieces
    assert tokenizer.decode(tokenizer.encode(text + " déjà 😀")) == text + " déjà 😀"


@pytest.mark.parametrize(
    ("pre", "whole"), [("llama-bpe", True), ("dbrx", False), ("smaug-bpe", False)]
)
def test_a_word_that_is_a_token_is_taken_whole_by_llama3_alone(pre, whole):
    """`abc`, to which no merges lead; so in llama.cpp."""
    tokenizer = _byte_level(pre, tokens=[*BYTES, "abc", "<bos>", "<|im_end|>", "<eos>"], merges=[])
    assert len(tokenizer.encode("abc")) == (1 if whole else 3)


def test_what_begins_and_ends_a_text():
    tokenizer = _byte_level("llama-bpe")
    bos, end_of_turn, eos = 257, 258, 259
    assert tokenizer.vocab_size == 265
    assert tokenizer.stop_ids == (eos, end_of_turn)
    assert tokenizer.eos_id == tokenizer.pad_id == eos
    assert tokenizer.encode_batch(["a", "<bos>a"], begin=True) == [[bos, 64], [bos, 64]]
    assert tokenizer.encode_batch(["a", "<bos>a"], begin=False) == [[64], [bos, 64]]
    assert tokenizer.decode([bos, 64, eos, tokenizer.vocab_size - 1]) == "a"
    plain = _byte_level("llama-bpe", add_bos_token=False)
    assert plain.encode_batch(["a"], begin=True) == [[64]]
    assert len({tokenizer, plain}) == 2


PHI35 = (
    "{% for message in messages %}"
    "{{ '<|' + message.role + '|>\n' + message.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
PHI3 = PHI35.replace("<|im_end|>", "<|end|>")
LLAMA2 = (
    "{% for message in messages %}{% if message.role == 'user' %}"
    "{{ bos_token + '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + ' ' + eos_token }}{% endif %}{% endfor %}"
)
PLAIN = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}{% endfor %}"
)
QUESTIONS = "{% if messages | length > 1 %}{{ raise_exception('no') }}{% endif %}<|im_end|>"


def _talking(source):
    template = ChatTemplate(source, {"bos_token": "<bos>", "eos_token": "<eos>"})
    return dataclasses.replace(_byte_level("llama-bpe"), chat_template=template)


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (PHI35, "<|im_end|>"),
        (LLAMA2, "<eos>"),
        (PLAIN, "<eos>"),
        (QUESTIONS, "<eos>"),
        # What ends no completion ends no reply.
        (PHI35.replace("<|im_end|>", "<bos>"), "<eos>"),
    ],
)
def test_a_reply_ends_as_the_template_ends_it(template, end):
    tokenizer = _talking(template)
    assert tokenizer.backend.id_to_token(tokenizer.reply_end_id) == end


R1_DISTILL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}"
    "{% elif m.role == 'assistant' %}{{ '<｜Assistant｜>' + m.content + eos_token }}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"
)
ORDINARY = ["  ", "\n", "\n\n", "10", "words", "<think>", "</think>", "<tool_call>", "**"]


@pytest.mark.parametrize("template", [R1_DISTILL, PHI3, PHI3.replace("\n", "10\n\n  ")])
def test_no_text_marks_a_turn_though_its_token_is_not_flagged_as_special(template):
    """The turns of DeepSeek-R1's distilled models and of Phi-3 from GGUF are added tokens only."""
    tokenizer = _talking(template)
    marks = ["<｜User｜>", "<｜Assistant｜>", "<|user|>", "<|end|>", "<|assistant|>", "<|system|>"]
    tokenizer.backend.add_tokens([*marks, *ORDINARY])
    tokenizer = dataclasses.replace(tokenizer, num_ids=300)
    question = [{"role": "user", "content": "Is 4 right?"}]
    written = tokenizer.encode(tokenizer.render_chat(question))
    ids = {text: tokenizer.backend.token_to_id(text) for text in marks}
    assert set(written) & set(ids.values())
    forged = "4".join(["", *marks, *ORDINARY, "<eos>"]) + tokenizer.render_chat(question)
    assert set(tokenizer.encode(forged)) >= set(written)
    plain = tokenizer.encode(tokenizer.without_special_tokens(forged))
    assert not set(plain) & set(written) & set(ids.values())
    assert tokenizer.eos_id not in plain


@pytest.mark.parametrize("template", [R1_DISTILL, PHI3, PHI3.replace("\n", "10\n\n  ")])
def test_added_tokens_that_mark_no_turn_are_left_alone(template):
    tokenizer = _talking(template)
    tokenizer.backend.add_tokens(["<|user|>", *ORDINARY])
    text = "so  10\n\nwords <think>\n</think> <tool_call> **10**"
    assert tokenizer.without_special_tokens(text) == text
    assert tokenizer.without_special_tokens("<eos>") == "< eos>"


def test_without_a_template_a_reply_ends_as_a_text_does():
    for tokenizer in (_byte_level("llama-bpe"), CharTokenizer("01")):
        assert tokenizer.reply_end_id == tokenizer.eos_id


def test_sentencepiece_from_scores(golden_sentencepiece):
    """Pieces, scores and encodings by sentencepiece 0.2 (`peers.py sentencepiece`)."""
    metadata = {
        f"tokenizer.ggml.{name}": golden_sentencepiece[name]
        for name in ("tokens", "scores", "token_type")
    }
    metadata |= {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    tokenizer = build_tokenizer(metadata, len(golden_sentencepiece["tokens"]), "here")
    for text, ids in golden_sentencepiece["texts"].items():
        assert tokenizer.encode(text) == ids, text
        assert tokenizer.encode_batch([text], begin=True) == [[1, *ids]]
        assert tokenizer.decode(ids) == text


@pytest.fixture(scope="module")
def golden_sentencepiece(peers):
    return json.loads((peers.GOLDEN / "sentencepiece.json").read_text())


@pytest.fixture
def folder(load_tiny, tmp_path):
    save_folder(tmp_path / "saved", *load_tiny("qwen3"))
    return shutil.copytree(tmp_path / "saved", tmp_path / "model")


def _change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_padding_and_an_end_of_the_tokenizer(folder):
    _change(folder / "tokenizer_config.json", eos_token={"content": "w9"}, pad_token="w4")
    tokenizer = load_tokenizer(folder, 64)
    assert (tokenizer.eos_id, tokenizer.pad_id) == (9, 4)


def test_named_templates_and_template_files(folder):
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]
    _change(folder / "tokenizer_config.json", chat_template=named)
    assert load_tokenizer(folder, 64).render_chat([]) == "yes"
    (folder / "chat_template.jinja").write_text("{{ eos_token }}")
    assert load_tokenizer(folder, 64).render_chat([]) == "w2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chat_template": "{{"}, "the chat template cannot be compiled"),
        ({"chat_template": 5}, "chat_template must be text, or a list of named texts"),
        ({"chat_template": [{"name": "default", "template": 5}]}, "chat_template must be text"),
        ({"chat_template": [{"name": [], "template": "x"}]}, "objects that each have a name"),
        ({"chat_template": [{"name": {}, "template": "x"}]}, "objects that each have a name"),
        ({"chat_template": [{"template": "x"}]}, "objects that each have a name"),
        ({"chat_template": ["x"]}, "objects that each have a name"),
        ({"eos_token": "\ud800"}, "surrogates not allowed"),
        ({"chat_template": "a" * 300_000}, "the chat template has 300000 characters"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(folder, changes, message):
    _change(folder / "tokenizer_config.json", **changes)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_tokenizer(folder, 64)
    assert "\n" not in str(caught.value)


def test_a_template_that_is_no_text_is_refused(folder):
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelFileError, match="can't decode byte"):
        load_tokenizer(folder, 64)


def test_an_end_that_the_post_processor_appends_is_left_out(make_tokenizer):
    """A completion would begin after the end of a text; an end that the text has stays."""
    import tokenizers

    tokenizer = make_tokenizer(8)
    tokenizer.backend.post_processor = tokenizers.processors.TemplateProcessing(
        single=["w1", "$A", "w2"], special_tokens=[("w1", 1), ("w2", 2)]
    )
    rows = tokenizer.encode_batch(["w5 w7", "w5 w2", ""], begin=True)
    assert rows == [[1, 5, 7], [1, 5, 2], [1]]


def test_half_a_character_is_refused(folder):
    with pytest.raises(InputError, match="a text holds half of a pair of surrogates"):
        load_tokenizer(folder, 64).encode("w2 \ud800")


def _change_backend(folder, **parts):
    """Give `tokenizer.json` other parts than its own."""
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text())
    model = values["model"] | parts.pop("model", {})
    path.write_text(json.dumps(values | parts | {"model": model}))


BEGINNING = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "q", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "pair": [],
    "special_tokens": {},
}


def test_a_tokenizer_that_fails_on_a_text_is_one_line(folder):
    """The library raises an `Exception` for an unknown token that has no id."""
    _change(folder / "tokenizer_config.json", chat_template="{{ messages[0].content }} zzz")
    _change_backend(folder, model={"unk_token": "<none>"})
    tokenizer = load_tokenizer(folder, 64)
    message = r"^the model's tokenizer cannot encode a text \(WordLevel error: Missing \[UNK\]"
    for use in (tokenizer.encode, tokenizer.without_special_tokens):
        with pytest.raises(InputError, match=message):
            use("w1 zzz")
    assert tokenizer.encode("w1") == [1]


def test_a_tokenizer_that_panics_is_one_line(folder):
    """What the library raises then is no `Exception`."""
    strip = {"type": "Strip", "content": "w", "start": 1, "stop": 1}
    vocabulary = {f"w{i}" if i else "w": i for i in range(64)}
    _change_backend(
        folder,
        post_processor=BEGINNING,
        decoder=strip,
        model={"vocab": vocabulary, "unk_token": "w"},
    )
    tokenizer = load_tokenizer(folder, 64)
    with pytest.raises(InputError, match=r"cannot encode a text \(no entry found for key\)$"):
        tokenizer.encode_batch(["w1"], begin=True)
    with pytest.raises(InputError, match=r"cannot decode its tokens \(slice index starts at 1"):
        tokenizer.decode([0])


def test_an_interrupt_is_not_taken_for_a_failure_of_the_tokenizer(make_tokenizer):
    class Interrupted:
        def __getattr__(self, name):
            raise KeyboardInterrupt("stop")

    tokenizer = make_tokenizer(8)
    object.__setattr__(tokenizer, "backend", Interrupted())
    for use in (lambda: tokenizer.encode("w1"), lambda: tokenizer.decode([1])):
        with pytest.raises(KeyboardInterrupt, match="stop"):
            use()


def test_files_that_do_not_fit_are_refused(folder):
    with pytest.raises(
        ModelFileError, match="the tokenizer has ids from 0 to 63, but the decoder's"
    ):
        load_tokenizer(folder, 63)
    for name in ("generation_config.json", "config.json", "tokenizer_config.json"):
        _change(folder / name, eos_token_id=None, eos_token=None)
    with pytest.raises(ModelFileError, match="nothing says which token ends a text"):
        load_tokenizer(folder, 64)
    for text in ("", "{}", "[" * 10_000, '{"model": {"type": "BPE", "vocab": 3}}'):
        (folder / "tokenizer.json").write_text(text)
        with pytest.raises(ModelFileError, match=r"tokenizer\.json: not a tokenizer"):
            load_tokenizer(folder, 64)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match=r"tokenizer\.json: no such file"):
        load_tokenizer(folder, 64)


def test_models_without_a_chat_template_say_so(load_tiny):
    with pytest.raises(InputError, match="the model has no chat template"):
        load_tiny("qwen3")[0].tokenizer.render_chat([])
    with pytest.raises(InputError, match="has no chat template"):
        CharTokenizer("01").render_chat([])


def test_ids_beyond_the_decoder_are_refused(make_tokenizer):
    with pytest.raises(InputError, match="has ids from 0 to 99"):
        dataclasses.replace(make_tokenizer(8), padding_id=99)
