"""The model's own judgement is what its answers are worth, by their probabilities."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.improve import AskingVerifier, Prompts, Question, RandomVerifier
from jaxgap.improve.generate import generate
from jaxgap.improve.verifiers.grade import GRADE
from jaxgap.improve.verifiers.true_false import TRUE_FALSE
from jaxgap.models import CharTokenizer, LanguageModel, LongRope, NoScaling
from jaxgap.sampling import Continuations, continued_logits

TEMPLATE = "?{prompt}{completion}:"
QUESTION = Question(TEMPLATE, (("T", 1.0), ("F", 0.0), ("?", 0.25)))


@pytest.fixture
def drawn(tiny_model, tiny_params):
    prompts = Prompts.encode(tiny_model.tokenizer, ["1+2=", "30+4=", "5="])
    candidates = generate(
        tiny_model, tiny_params, prompts, jax.random.key(0),
        num_candidates=4, max_new_tokens=3, prompts_per_call=2,
    )  # fmt: skip
    return prompts, candidates


LONG_ROPE = LongRope(
    (1.0,) * 8, (9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0), original_length=7, magnitude=1.0
)


@pytest.mark.parametrize("scaling", [NoScaling(), LONG_ROPE])
def test_a_score_is_what_the_words_are_worth(tiny_model, tiny_params, drawn, scaling):
    prompts, candidates = drawn
    config = dataclasses.replace(tiny_model.config, rope_scaling=scaling)
    tiny_model = LanguageModel(config, tiny_model.tokenizer)
    verifier = AskingVerifier(tiny_model, QUESTION, rows_per_call=5, prompts_per_call=2)
    scores = verifier(tiny_params, prompts, candidates, jax.random.key(1))
    assert scores.shape == (3, 4)
    right, wrong, unsure = tiny_model.tokenizer.encode("TF?")
    apply = jax.jit(tiny_model.apply)
    for p in range(3):
        for c in range(4):
            text = TEMPLATE.format(prompt=prompts.texts[p], completion=candidates.texts[p][c])
            tokens = jnp.array([tiny_model.tokenizer.encode(text)])
            logits, _ = apply(tiny_params, tokens, jnp.ones_like(tokens, bool))
            probability = jax.nn.softmax(logits[0, -1])
            worth = probability[right] + 0.25 * probability[unsure]
            expected = worth / (probability[right] + probability[wrong] + probability[unsure])
            np.testing.assert_allclose(scores[p, c], expected, atol=1e-5)


def test_how_many_are_judged_at_a_time_does_not_matter(tiny_model, tiny_params, drawn):
    verifier = AskingVerifier(tiny_model, QUESTION, rows_per_call=12, prompts_per_call=3)
    other = dataclasses.replace(verifier, rows_per_call=5, prompts_per_call=2)
    key = jax.random.key(1)
    np.testing.assert_allclose(
        verifier(tiny_params, *drawn, key), other(tiny_params, *drawn, key), atol=1e-6
    )


@pytest.fixture
def calls(monkeypatch):
    """The judging prompts of each call of the model."""
    made = []

    def record(model, params, *split):
        made.append(Continuations(*split))
        return continued_logits(model, params, *split)

    monkeypatch.setattr("jaxgap.improve.verifiers.asking.continued_logits", record)
    return made


@given(data=st.data(), num_prompts=st.integers(1, 9), num_candidates=st.integers(1, 4))
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],  # each example compiles something: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_alike_candidates_bring_no_more_problems_together(
    tiny_model, tiny_params, calls, candidates_of, data, num_prompts, num_candidates
):
    calls.clear()
    prompts = Prompts.encode(tiny_model.tokenizer, [f"{i}+{10 + i}=" for i in range(num_prompts)])
    few = st.sampled_from(["1", "12", "1234", "3"])
    each = st.lists(few, min_size=num_candidates, max_size=num_candidates)
    texts = data.draw(st.lists(each, min_size=num_prompts, max_size=num_prompts))
    verifier = AskingVerifier(tiny_model, QUESTION, 2 * num_candidates, prompts_per_call=2)
    alone = dataclasses.replace(verifier, rows_per_call=1, prompts_per_call=1)
    arguments = (tiny_params, prompts, candidates_of(texts), jax.random.key(0))
    scores = verifier(*arguments)
    for prefixes, prefix_of, suffixes in calls:
        assert len(prefixes.tokens) <= 2
        assert len(prefix_of) == len(suffixes.tokens) <= 2 * num_candidates
        # Whatever completions have in common, prefixes are "?", a prompt of 4 or 5 and no more.
        assert prefixes.mask.sum(1).max() <= 6
    np.testing.assert_allclose(scores, alone(*arguments), atol=1e-6)


def test_calls_come_in_few_shapes(tiny_model, tiny_params, calls, candidates_of):
    num_prompts, num_candidates = 8, 8
    prompts = Prompts.encode(tiny_model.tokenizer, [f"{i}+1=" for i in range(num_prompts)])
    verifier = AskingVerifier(tiny_model, QUESTION, 4 * num_candidates, prompts_per_call=4)
    for num_distinct in range(1, num_candidates + 1):
        texts = [
            [str((candidate + prompt) % num_distinct) for candidate in range(num_candidates)]
            for prompt in range(num_prompts)
        ]
        verifier(tiny_params, prompts, candidates_of(texts), jax.random.key(0))
    assert {len(call.suffixes.tokens) for call in calls} <= {4, 8, 16, 32}
    assert {call.prefixes.tokens.shape for call in calls} == {(4, 8)}


def test_words_must_differ_in_their_first_token(tiny_model):
    question = Question(TEMPLATE, (("TF", 1.0), ("TT", 0.0)))
    with pytest.raises(ValueError, match="does not tell the words TF, TT apart"):
        AskingVerifier(tiny_model, question, rows_per_call=4, prompts_per_call=1)


def test_spellings_that_the_tokenizer_does_not_know_are_left_out(tiny_model, tiny_params, drawn):
    spellings = Question(TEMPLATE, ((" T", 1.0), ("T", 1.0), ("F", 0.0)))
    plain = Question(TEMPLATE, (("T", 1.0), ("F", 0.0)))
    one, other = (
        AskingVerifier(tiny_model, question, 12, 3)(tiny_params, *drawn, jax.random.key(0))
        for question in (spellings, plain)
    )
    np.testing.assert_array_equal(one, other)


def test_what_does_not_fit_into_the_context_scores_nothing(tiny_model, tiny_params, drawn):
    prompts, candidates = drawn
    longest = max(
        len(TEMPLATE.format(prompt=prompt, completion=text))
        for prompt, texts in zip(prompts.texts, candidates.texts, strict=True)
        for text in texts
    )
    small = LanguageModel(
        dataclasses.replace(tiny_model.config, context_length=longest - 1), tiny_model.tokenizer
    )
    whole, cut = (
        AskingVerifier(model, QUESTION, 12, 3)(tiny_params, *drawn, jax.random.key(0))
        for model in (tiny_model, small)
    )
    assert (cut == 0).any()
    np.testing.assert_allclose(cut[cut > 0], whole[cut > 0], atol=1e-6)


@pytest.mark.parametrize(
    ("question", "words", "worth"),
    [(TRUE_FALSE, "TF", [1.0, 0.0]), (GRADE, "0123456789", np.arange(10) / 9)],
)
def test_the_questions_are_answered_by_their_words(tiny_model, question, words, worth):
    characters = "".join(sorted(set(question.template + "TrueFals0123456789?")))
    config = dataclasses.replace(tiny_model.config, vocab_size=len(characters) + 2)
    tokenizer = CharTokenizer(characters)
    tokens, values = AskingVerifier(LanguageModel(config, tokenizer), question, 4, 1)._tokens
    assert dict(zip(tokens.tolist(), values.tolist(), strict=True)) == {
        token: pytest.approx(value)
        for token, value in zip(tokenizer.encode(words), worth, strict=True)
    }


class Talker(CharTokenizer):
    """A model that is talked to: `(` begins its turn, after `!` if it must not think."""

    has_chat = True

    def without_special_tokens(self, text):
        return text.replace("(", "")

    def render_chat(self, messages, *, thinks=True):
        return messages[0]["content"] + ("(" if thinks else "!(")


def test_a_model_answers_at_once_and_no_candidate_answers_for_it(
    tiny_model, monkeypatch, candidates_of
):
    asked = []

    def encode_batch(self, texts, *, begin):
        asked.extend(texts)
        return CharTokenizer.encode_batch(self, texts, begin=begin)

    monkeypatch.setattr(Talker, "encode_batch", encode_batch)
    tokenizer = Talker(tiny_model.tokenizer.characters.replace("9", "") + "(!")
    config = dataclasses.replace(tiny_model.config, vocab_size=tokenizer.vocab_size)
    model = LanguageModel(config, tokenizer)
    prompts = Prompts.encode(tokenizer, ["1+2="])
    question = Question("?{prompt}{completion}:", (("T", 1.0), ("F", 0.0)))
    verifier = AskingVerifier(model, question, rows_per_call=2, prompts_per_call=1)
    asked.clear()
    verifier(
        model.init(jax.random.key(0)), prompts, candidates_of([["3", "4!(T"]]), jax.random.key(0)
    )
    assert "?1+2=3:!(" in asked
    assert "?1+2=4!T:!(" in asked


def test_random_scores_depend_on_the_key_alone(tiny_params, drawn):
    verifier = RandomVerifier()
    scores = verifier(tiny_params, *drawn, jax.random.key(1))
    assert ((scores >= 0) & (scores < 1)).all()
    np.testing.assert_array_equal(scores, verifier({}, *drawn, jax.random.key(1)))
    assert (scores != verifier(tiny_params, *drawn, jax.random.key(2))).all()


@pytest.mark.parametrize(
    "template",
    [
        "OK?",
        "Q: {prompt} OK?",
        "{completion} and {completion}?",
        "{completion} {answer}",
        "{completion}{}",
        '{completion} Reply {"ok": true}',
        "{completion} {",
        "{completion} }",
    ],
)
def test_a_template_shows_the_completion_once_and_nothing_unknown(template):
    with pytest.raises(InputError, match=r"template must contain \{completion\} once, may contain"):
        Question(template, (("T", 1.0), ("F", 0.0)))


@pytest.mark.parametrize(
    "worth",
    [
        None,
        {"T": 1.0, "F": 0.0},
        (("T", "1"), ("F", "0")),
        (),
        (("T", 1.0),),
        (("T", 1.0), ("F", 1.0)),
        (("T", 2.0), ("F", 0.0)),
    ],
)
def test_words_differ_in_worth(worth):
    with pytest.raises(InputError, match="must allow words of different worth, each from 0 to 1"):
        Question("{completion}?", worth)


def test_a_judge_may_be_shown_no_prompt_and_doubled_braces():
    question = Question('Reply {{"ok": 1}}. {completion}', (("T", 1.0), ("F", 0.0)))
    assert question.template.format(prompt="1+1", completion="2") == 'Reply {"ok": 1}. 2'
