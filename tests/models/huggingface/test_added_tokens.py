"""Tokens that `tokenizer.json` does not have are added as transformers adds them, ids included."""

import json

import pytest
import tokenizers

from jaxgap.models import LanguageModel, save_folder
from jaxgap.models.huggingface.tokenizer_files import load_tokenizer
from jaxgap.models.model_files import ModelFileError

WORDS = ("<unk>", "<s>", "</s>", "the", "world", "\n", "!")
START, END = len(WORDS), len(WORDS) + 1
ENCODE = """
import json, sys, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
ids = tokenizer(sys.argv[2], add_special_tokens=False).input_ids
print("IDS", json.dumps([ids, tokenizer.eos_token_id, tokenizer.pad_token_id]))
"""


@pytest.fixture
def write(tmp_path):
    """Write a tokenizer of a few words, with these added tokens and settings."""

    def write(added=(), special_tokens_map=None, added_tokens=None, normalizer=None, **settings):
        ids = {word: number for number, word in enumerate(WORDS)}
        backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, unk_token="<unk>"))
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\w+|\n|[^\w\n ]"), "isolated")
        backend.pre_tokenizer = split
        if normalizer is not None:
            backend.normalizer = normalizer
        backend.add_tokens(list(added))
        backend.save(str(tmp_path / "tokenizer.json"))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | settings
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
        older = {"special_tokens_map.json": special_tokens_map, "added_tokens.json": added_tokens}
        for name, values in older.items():
            if values is not None:
                (tmp_path / name).write_text(json.dumps(values))
        return tmp_path

    return write


def _token(text, **flags):
    defaults = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False)
    return {"content": text, "special": True} | defaults | flags


CHAT = {str(START): _token("<|start|>"), str(END): _token("<|end|>", rstrip=True)}
CASES = {
    "not in tokenizer.json": (
        {"eos_token": "<|end|>", "added_tokens_decoder": CHAT},
        "<|start|>the<|end|>\nworld",
        [START, 3, END, 4],
        END,
    ),
    "other flags": (
        {
            "added": [tokenizers.AddedToken("<|end|>", special=True)],
            "eos_token": "<|end|>",
            "added_tokens_decoder": {str(START): CHAT[str(END)]},
        },
        "the<|end|>\nworld",
        [3, START, 4],
        START,
    ),
    "in the vocabulary": (
        {"bos_token": "<s>", "eos_token": "</s>"},
        "<s>the</s>",
        [1, 3, 2],
        2,
    ),
    "in the vocabulary, with flags": (
        {"eos_token": {"__type": "AddedToken"} | _token("</s>", rstrip=True)},
        "the</s>\nworld",
        [3, 2, 4],
        2,
    ),
    "in a list": (
        {"eos_token": "</s>", "additional_special_tokens": ["<s>"]},
        "<s>the",
        [1, 3],
        2,
    ),
    "in a file of their own": (
        {"eos_token": "!", "special_tokens_map": {"eos_token": _token("</s>"), "unk_token": None}},
        "the</s>",
        [3, 2],
        2,
    ),
    "in a file that newer ones do without": (
        {
            "eos_token": "</s>",
            "added_tokens_decoder": {"2": _token("</s>")},
            "special_tokens_map": {"eos_token": "!"},
        },
        "the</s>",
        [3, 2],
        2,
    ),
    "in an older file": (
        {"eos_token": "<|end|>", "added_tokens": {"<|end|>": END, "<|start|>": START}},
        "<|start|>the<|end|>\nworld",
        [START, 3, END, 5, 4],
        END,
    ),
    "in an older file, with names in another": (
        {
            "special_tokens_map": {"eos_token": _token("<END>")},
            "added_tokens": {"<Start>": START, "<END>": END},
            "normalizer": tokenizers.normalizers.Lowercase(),
        },
        # What is not special is looked for in normalised text, what is special in the text itself.
        "<start><START>THE<END>",
        [START, START, 3, END],
        END,
    ),
    "in an older file and in tokenizer.json": (
        {
            "added": [tokenizers.AddedToken("<|start|>", rstrip=True)],
            "eos_token": "<|end|>",
            "added_tokens": {"<|start|>": START, "<|end|>": END},
        },
        "<|start|>\nthe<|end|>",
        [START, 3, END],
        END,
    ),
    "in an older file that newer ones do without": (
        {
            "eos_token": "</s>",
            "added_tokens_decoder": {"2": _token("</s>")},
            "added_tokens": {"world": 100},
        },
        "the</s>",
        [3, 2],
        2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_added(write, case):
    files, text, ids, eos = CASES[case]
    tokenizer = load_tokenizer(write(**files), 16)
    assert (tokenizer.encode(text), tokenizer.eos_id) == (ids, eos)
    assert tokenizer.decode([3, eos]) == "the"
    assert eos not in tokenizer.encode(tokenizer.without_special_tokens(text))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_transformers_adds_them_alike(write, case, run_with_peers):
    files, text, ids, eos = CASES[case]
    said = run_with_peers("-c", ENCODE, write(**files), text).partition("IDS ")[2]
    assert json.loads(said)[:2] == [ids, eos]


def _llama2(**changes):
    """A tokenizer whose special tokens are normalised, by a normaliser that prepends a space."""
    named = {name: {"content": text, "normalized": True} for name, text in SPECIAL.items()}
    flags = {"special": True, "normalized": True}
    normalizers = tokenizers.normalizers
    return {
        "added": [tokenizers.AddedToken(text, **flags) for text in SPECIAL.values()],
        "normalizer": normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        ),
    } | {name: value | changes for name, value in named.items()}


SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
NORMALISED = {
    "as in Llama 2": _llama2(),
    "corrected by the settings": _llama2(normalized=False),
    "corrected by the table": _llama2()
    | {"added_tokens_decoder": {str(i): _token(text) for i, text in enumerate(WORDS[:3])}},
}


@pytest.mark.parametrize("case", NORMALISED)
def test_special_tokens_are_found_as_they_are_written(write, case, load_tiny, tmp_path):
    tokenizer = load_tokenizer(write(**NORMALISED[case]), 64)
    ids = tokenizer.encode("the</s><s>the")
    assert ids == [0, 3, 2, 1, 0, 3]  # the prepended space is no word
    assert tokenizer.decode([3, 1, 2]) == "the"
    model, params = load_tiny("qwen3")
    save_folder(tmp_path / "out", LanguageModel(model.config, tokenizer), params)
    settings = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert (settings["bos_token"], settings["eos_token"]) == ("<s>", "</s>")
    again = load_tokenizer(tmp_path / "out", 64)
    assert (again.encode("the</s><s>the"), again.eos_id, again.bos_id) == (ids, 2, 1)


def test_an_added_word_stays_normalised(write):
    """The library's own reading of `normalized`, for tokens that are not special."""
    files = _llama2()
    files["added"].append(tokenizers.AddedToken("<think>", normalized=True))
    backend = load_tokenizer(write(**files), 64).backend
    assert [token.normalized for token in backend.get_added_tokens_decoder().values()] == [
        False,
        False,
        False,
        True,
    ]


def test_no_id_is_made_up(write):
    folder = write(eos_token="</s>", pad_token="<pad>", additional_special_tokens=["<extra>"])
    tokenizer = load_tokenizer(folder, 16)
    assert tokenizer.pad_id == 2
    assert tokenizer.backend.get_vocab_size(with_added_tokens=True) == len(WORDS)


def test_an_end_without_an_id_is_refused(write):
    with pytest.raises(ModelFileError, match=r"eos_token '<\|im_end\|>' has no id in tokenizer\.j"):
        load_tokenizer(write(eos_token="<|im_end|>"), 16)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({str(END): _token("<|end|>")}, r"gives '<\|end\|>' the id 8, but .* it gets 7"),
        ({"3": _token("<|end|>")}, r"gives '<\|end\|>' the id 3, but .* it gets 7"),
        ({"three": _token("<|end|>")}, "must be an object from ids to tokens, got 'three'"),
        ({"7": 5}, "must be an object from ids to tokens, got '7'"),
        ([_token("<|end|>")], "must be an object from ids to tokens"),
    ],
)
def test_tokens_that_cannot_be_added_are_refused_in_one_line(write, table, message):
    folder = write(eos_token="</s>", added_tokens_decoder=table)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_tokenizer(folder, 16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"<|end|>": END}, r"added_tokens\.json gives '<\|end\|>' the id 8, but .* it gets 7"),
        ({"<|end|>": "7"}, r"added_tokens\.json: must be .* tokens to ids, .* got '<\|end\|>'"),
        ({"<|end|>": 7, "<|start|>": 7}, r"each given once, got '<\|start\|>'"),
        ({"": 7}, "must be an object from tokens to ids, each given once, got ''"),
        ([["<|end|>", 7]], r"added_tokens\.json: must hold a JSON object"),
    ],
)
def test_an_older_file_that_cannot_be_used_is_refused_in_one_line(write, tokens, message):
    folder = write(eos_token="</s>", added_tokens=tokens)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_tokenizer(folder, 16)
    assert "\n" not in str(caught.value)


def test_ids_beyond_the_decoder_are_done_without_as_those_of_tokenizer_json(write):
    table = {str(START): _token("<pad>")}
    folder = write(eos_token="</s>", pad_token="<pad>", added_tokens_decoder=table)
    assert load_tokenizer(folder, START).pad_id == 2
    assert load_tokenizer(folder, START + 1).pad_id == START
