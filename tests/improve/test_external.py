"""External responses: when they are used, in whose place, and which files are refused."""

import contextlib
import json

import jax
import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.improve import run
from jaxgap.improve.allocation import shares
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.external import ExternalResponses, read_external
from jaxgap.improve.round_records import TrainingSet
from jaxgap.models import CharTokenizer, ChatTemplate, FastTokenizer
from jaxgap.tasks import Problem

TOKENIZER = CharTokenizer("0123456789+=")
PROBLEMS = [Problem(f"{n}+1=", str(n + 1)) for n in range(10)]


def write(path, pairs):
    rows = [json.dumps({"prompt": prompt, "response": response}) for prompt, response in pairs]
    path.write_text("\n".join(rows))
    return path


def read(path, eta=(0.5, 0.5), max_new_tokens=4):
    key = jax.random.key(0)
    return read_external(path, PROBLEMS, TOKENIZER, key, eta=eta, max_new_tokens=max_new_tokens)


@pytest.mark.parametrize("text", ["[]", "{}"])
def test_a_file_without_responses_is_refused(tmp_path, text):
    path = tmp_path / "responses.json"
    path.write_text(text)
    with pytest.raises(InputError, match="holds no responses: leave the file out"):
        read(path)


@settings(deadline=None)  # the first of each size compiles
@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any), st.integers(1, 10))
def test_each_response_is_used_once_in_the_share_of_its_round(tmp_path_factory, weights, count):
    path = tmp_path_factory.mktemp("external") / "responses.jsonl"
    pairs = [(problem.text, "99") for problem in PROBLEMS[:count]]
    eta = np.array(weights) / sum(weights)
    external = read(write(path, pairs), eta)
    mask = np.zeros((10, 4), bool)
    original = TrainingSet(np.zeros((10, 4), int), mask)
    replaced = [external.replace(t, original).completion_mask.any(1) for t in range(len(eta))]
    used = np.sum(replaced, axis=0)
    np.testing.assert_array_equal(used, np.arange(10) < count)
    for share, rows in zip(np.cumsum(eta), np.cumsum([r.sum() for r in replaced]), strict=True):
        assert abs(rows - share * count) <= 0.5 + 1e-9


@pytest.mark.parametrize(("count", "num_rounds"), [(6, 12), (3, 6), (5, 10), (9, 3), (10, 5)])
def test_equal_shares_come_in_equal_steps(tmp_path, count, num_rounds):
    path = write(tmp_path / "r.jsonl", [(each.text, "99") for each in PROBLEMS[:count]])
    ends = read(path, shares("uniform", num_rounds)).ends
    every = max(1, num_rounds // count)
    in_turn = np.diff(ends, prepend=0).reshape(-1, every).sum(axis=1)
    assert set(in_turn.tolist()) == {max(1, count // num_rounds)}
    assert np.ptp(np.diff(np.flatnonzero(np.diff(ends, prepend=0)))) == 0


def test_a_response_replaces_its_prompts_completion_alone(tmp_path):
    external = read(write(tmp_path / "r.jsonl", [("3+1=", "777")]), eta=(0, 1))
    rng = np.random.default_rng(0)
    selected = TrainingSet(rng.integers(0, 9, (10, 2)), np.ones((10, 2), bool))
    assert external.replace(0, selected).tokens.tolist() == selected.tokens.tolist()
    tokens, mask = external.replace(1, selected)
    assert tokens[3].tolist() == [*TOKENIZER.encode("777"), TOKENIZER.eos_id]
    assert mask[3].all()
    others = np.arange(10) != 3
    np.testing.assert_array_equal(tokens[others, :2], selected.tokens[others])
    np.testing.assert_array_equal(mask[others].sum(1), 2)
    assert external.replace(5, selected) is selected


def test_of_a_longer_completion_that_is_replaced_nothing_is_left_to_be_trained_on():
    external = ExternalResponses(np.array([1]), ((7, 8),), np.array([1]))
    selected = TrainingSet(np.full((3, 5), 9), np.ones((3, 5), bool))
    tokens, mask = external.replace(0, selected)
    assert tokens[1][mask[1]].tolist() == [7, 8]
    assert not tokens[1][~mask[1]].any()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("3+1=", "4"), ("9+9=", "18")], r"r.jsonl:2: field 'prompt': is not one of the run's"),
        ([("3+1=", "4"), (" 3+1=", "5")], r"r.jsonl:2: field 'prompt': was answered on an earlier"),
        ([("3+1=", "44444")], r"r.jsonl:1: field 'response': has 6 tokens, above max_new_tokens=4"),
        ([("3+1=", "four")], r"r.jsonl:1: field 'response': the tokenizer has no token for 'f'"),
        ([("3+1=", " ")], r"^[^:]*/r.jsonl:1: field 'response': must be a text, got ' '$"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, pairs, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "r.jsonl", pairs))


class Talker(CharTokenizer):
    """A reply ends with another token than a text."""

    @property
    def reply_end_id(self):
        return self.pad_id


def test_a_response_ends_as_a_reply_of_the_model_does(tmp_path):
    talker, key = Talker(TOKENIZER.characters), jax.random.key(0)
    path = write(tmp_path / "r.jsonl", [("3+1=", "4")])
    external = read_external(path, PROBLEMS, talker, key, eta=(1,), max_new_tokens=4)
    assert external.responses == ([*talker.encode("4"), talker.pad_id],)


@pytest.fixture(scope="module")
def special_tokenizer():
    """Bytes, two end tokens, and a special token that begins a turn."""
    alphabet = [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())]
    special = ["<eos>", "<end>", "<turn>"]
    ids = {token: index for index, token in enumerate([*alphabet, *special])}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(ids, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_special_tokens(special)
    template = "{% for m in messages %}<turn>{{ m.content }}<end>{% endfor %}<turn>"
    ends = (ids["<eos>"], ids["<end>"])
    return FastTokenizer(backend, len(ids), ends, ends[0], None, ChatTemplate(template, {}))


def read_special(path, response, tokenizer):
    path, key = write(path, [("3+1=", response)]), jax.random.key(0)
    (tokens,) = read_external(path, PROBLEMS, tokenizer, key, eta=(1,), max_new_tokens=99).responses
    return tokens


@settings(deadline=None)
@given(
    text=st.text("4 <>\n", min_size=1).filter(str.strip),
    end=st.sampled_from(["", "<end>", "<eos>", "<end>\n"]),
)
def test_however_a_response_ends_it_has_one_end_token(
    tmp_path_factory, special_tokenizer, text, end
):
    path = tmp_path_factory.mktemp("external") / "r.jsonl"
    tokens = read_special(path, text + end, special_tokenizer)
    ids = special_tokenizer.backend.token_to_id
    assert tokens == [*special_tokenizer.encode(text), ids("<end>")]
    assert not {ids("<end>"), ids("<eos>"), ids("<turn>")} & set(tokens[:-1])


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("4<end>\n<turn>Thanks", r"has a special token of the model at '<end>\\n<turn>Thanks'"),
        ("4<eos>5", "has a special token of the model at '<eos>5': take it out"),
        ("<turn>4", "has a special token of the model at '<turn>4'"),
        ("4<end><end>", "has a special token of the model at '<end><end>'"),
        (" <end>", "has no text before its end token"),
    ],
)
def test_a_response_with_other_special_tokens_is_refused(
    tmp_path, special_tokenizer, response, message
):
    with pytest.raises(InputError, match=f"r.jsonl:1: field 'response': {message}"):
        read_special(tmp_path / "r.jsonl", response, special_tokenizer)


ALIKE = [Problem("a+b=", "1"), Problem("A+b=", "2"), Problem("A+c=", "3")]


@pytest.mark.parametrize(("prompt", "row"), [("a+b=", 0), ("A+b=", 1), (" a+C= ", 2)])
def test_of_prompts_that_are_alike_the_one_that_is_written_is_meant(tmp_path, prompt, row):
    path, key = write(tmp_path / "r.jsonl", [(prompt, "4")]), jax.random.key(0)
    external = read_external(path, ALIKE, TOKENIZER, key, eta=(1,), max_new_tokens=4)
    assert external.prompts.tolist() == [row]


def test_a_prompt_that_may_be_either_of_two_is_refused(tmp_path):
    path, key = write(tmp_path / "r.jsonl", [("A+B=", "4")]), jax.random.key(0)
    with pytest.raises(
        InputError, match=r"r.jsonl:1: field 'prompt': is one of 2 training prompts"
    ):
        read_external(path, ALIKE, TOKENIZER, key, eta=(1,), max_new_tokens=4)


def test_a_response_beyond_the_context_is_refused(tmp_path):
    settings = {"num_rounds": 1, "num_train_prompts": 8, "num_held_out_prompts": 4, "batch_size": 8}
    loop = next_loop(ImproveConfig(**settings))
    context, prompt = loop.model.config.context_length, loop.split.train[0].text
    for length, complaint in ((context, True), (context - len(prompt) - 3, False)):
        path = write(tmp_path / "r.jsonl", [(prompt, "2" * length)])
        config = ImproveConfig(**settings, external=str(path), max_new_tokens=2 * context)
        refused = pytest.raises(InputError, match=r"ends at token .* the model's context is")
        with refused if complaint else contextlib.nullcontext():
            next_loop(config)


def test_a_run_takes_them(tmp_path):
    settings = {
        "num_rounds": 1,
        "num_train_prompts": 8,
        "num_held_out_prompts": 4,
        "num_candidates": 2,
        "batch_size": 8,
    }
    loop_prompts = [problem.text for problem in next_loop(ImproveConfig(**settings)).split.train]
    path = write(tmp_path / "r.jsonl", [(prompt, "22") for prompt in loop_prompts])
    config = ImproveConfig(**settings, external=str(path), learning_rate=1e-2)
    first, last = run(config)
    # It is not told what to answer, only trained on: the answer that it saw becomes likely.
    plain = list(run(ImproveConfig(**settings, learning_rate=1e-2)))[-1]
    assert last.metrics.train.solver_length.mean < plain.metrics.train.solver_length.mean
    assert first.metrics.train.solver_length.mean > 3


def next_loop(config):
    from jaxgap.improve import assemble

    return assemble(config)[0]


def test_a_batch_that_would_leave_some_out_is_refused(tmp_path):
    config = ImproveConfig(num_train_prompts=10, batch_size=8, external=str(tmp_path / "r.jsonl"))
    with pytest.raises(InputError, match="batch_size must divide num_train_prompts=10"):
        next_loop(config)
