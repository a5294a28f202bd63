"""Changes of what a run depends on are reported by the right name, and nothing else is."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.runs.origin import MODEL, origin_of
from jaxgap.improve.verifiers.random_scores import RandomVerifier
from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
from jaxgap.tasks import Addition


class OtherEnd(CharTokenizer):
    """Its completions end with the padding, too."""

    @property
    def stop_ids(self):
        return (self.eos_id, self.pad_id)


def with_external(loop, responses=((1, 2), (3,)), ends=(1, 2)):
    external = ExternalResponses(np.array([4, 0]), responses, np.array(ends))
    return dataclasses.replace(loop, external=external)


def with_model(loop, tokenizer=None, **config):
    model = loop.model
    model = LanguageModel(dataclasses.replace(model.config, **config), tokenizer or model.tokenizer)
    return dataclasses.replace(loop, model=model)


def with_answer(loop):
    first, *others = loop.split.train
    train = (dataclasses.replace(first, answer="0"), *others)
    return dataclasses.replace(loop, split=dataclasses.replace(loop.split, train=train))


def with_random_verifier(loop):
    return dataclasses.replace(loop, verifier=RandomVerifier())


def with_lenient_grader(loop):
    class Lenient(Addition):
        def grade(self, problem, completion):
            return True

    return dataclasses.replace(loop, task=Lenient())


def changed(before, now):
    before, now = origin_of(before), origin_of(now)
    assert before.keys() == now.keys()
    return [name for name in before if before[name] != now[name]]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (with_answer, "its problems"),
        (with_random_verifier, "its verifier"),
        (with_lenient_grader, "its grader"),
        (with_external, "its external responses"),
        (lambda loop: with_model(loop, norm_eps=1e-5), MODEL),
        (
            lambda loop: with_model(loop, OtherEnd("0123456789+=?:TF")),
            "the tokens that end its completions",
        ),
        (
            lambda loop: with_model(loop, CharTokenizer("0132456789+=?:TF")),
            "the tokens of its prompts",
        ),
        (lambda loop: dataclasses.replace(loop, frozen={"a": jnp.ones(2)}), "the frozen weights"),
    ],
)
def test_each_change_is_reported_by_its_name(make_loop, change, name):
    assert changed(make_loop(), make_loop()) == []
    assert changed(make_loop(), change(make_loop())) == [name]


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ((1, 2), (1, 2, 2, 2), True),
        ((0, 2), (0, 2, 2), True),
        ((1, 2), (2, 2), False),
        ((1, 2), (0, 1, 2), False),
    ],
)
def test_rounds_without_responses_may_be_added_to_those_with_them(make_loop, before, now, same):
    loop = make_loop()
    found = changed(with_external(loop, ends=before), with_external(loop, ends=now))
    assert found == ([] if same else ["its external responses"])


def test_another_response_is_reported(make_loop):
    loop = make_loop()
    found = changed(with_external(loop), with_external(loop, responses=((1, 2), (5,))))
    assert found == ["its external responses"]


def test_a_setting_that_a_later_version_adds_is_no_change(make_loop):
    @dataclasses.dataclass(frozen=True)
    class LaterConfig(DecoderConfig):
        logit_softcap: float | None = None

    loop = make_loop()
    fields = {f.name: getattr(loop.model.config, f.name) for f in dataclasses.fields(DecoderConfig)}
    tokenizer = loop.model.tokenizer
    for softcap, found in ((None, []), (30.0, [MODEL])):
        later = LanguageModel(LaterConfig(**fields, logit_softcap=softcap), tokenizer)
        assert changed(loop, dataclasses.replace(loop, model=later)) == found
