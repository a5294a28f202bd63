"""Prompts are read as the model was taught to read them."""

import dataclasses

import numpy as np
import pytest
import tokenizers

from jaxgap.improve.round_records import Prompts
from jaxgap.models import ChatTemplate, FastTokenizer, LanguageModel
from jaxgap.tasks import Message

TURNS = (Message("user", "a"), Message("assistant", "b"), Message("user", "a"))


@pytest.fixture
def make_tokenizer():
    """Words with the ids 3 and 4; plain texts begin with token 1."""

    def make(template, begins_chats):
        words = tokenizers.models.WordLevel(
            {"?": 0, "<s>": 1, "<end>": 2, "a": 3, "b": 4}, unk_token="?"
        )
        backend = tokenizers.Tokenizer(words)
        backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single=["<s>", "$A"], special_tokens=[("<s>", 1)]
        )
        chat = None if template is None else ChatTemplate(template, {})
        return FastTokenizer(backend, 5, (2,), 2, 1, chat, begins_chats)

    return make


@pytest.mark.parametrize(
    ("template", "begins_chats", "expected"),
    [
        (None, False, [1, 3]),
        ("{{ messages[0].content }} b", False, [3, 4]),
        ("<s> {{ messages[0].content }} b", False, [1, 3, 4]),
        ("{{ messages[0].content }} b", True, [1, 3, 4]),
        ("<s> {{ messages[0].content }} b", True, [1, 3, 4]),
    ],
)
def test_what_a_prompt_begins_with(make_tokenizer, template, begins_chats, expected):
    prompts = Prompts.encode(make_tokenizer(template, begins_chats), ["a"])
    np.testing.assert_array_equal(prompts.batch.tokens, [expected])
    assert prompts.texts == ("a",)


@pytest.mark.parametrize(
    ("template", "prompt", "expected"),
    [
        (None, TURNS, ("\n\nQuestion:",)),
        (None, "a", ()),
        (None, TURNS[-1:], ()),
        ("{{ messages[-1].content }}", TURNS, ()),
    ],
)
def test_without_turns_the_next_question_ends_an_answer(make_tokenizer, template, prompt, expected):
    prompts = Prompts.encode(make_tokenizer(template, False), ["a", prompt])
    assert prompts.stop_strings == expected


@pytest.mark.parametrize(("thinking", "end"), [(True, []), (False, [4])])
def test_a_run_may_tell_its_model_not_to_think(make_loop, make_tokenizer, thinking, end):
    at_once = "{% if enable_thinking is defined and not enable_thinking %} b{% endif %}"
    tokenizer = make_tokenizer("a" + at_once, False)
    loop = make_loop(thinking=thinking)
    model = dataclasses.replace(loop.model.config, vocab_size=tokenizer.vocab_size)
    loop = dataclasses.replace(loop, model=LanguageModel(model, tokenizer))
    for prompts in (loop.train_prompts, loop.held_out_prompts):
        assert {tuple(row) for row in prompts.batch.tokens.tolist()} == {(3, *end)}


def test_prompts_carry_no_answers():
    """A field that holds answers would reach every stage."""
    fields = {field.name for field in dataclasses.fields(Prompts)}
    assert fields == {"texts", "batch", "stop_strings"}
