"""What is planned for judging is what a verifier then asks of the model."""

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jaxgap.improve import AskingVerifier, Candidates, Prompts
from jaxgap.improve.verifiers.grade import GRADE
from jaxgap.improve.verifiers.true_false import TRUE_FALSE
from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
from jaxgap.planning.steps import Steps
from jaxgap.planning.workload import Workload
from jaxgap.sampling import Continuations
from jaxgap.sharding import MeshShape, make_mesh

TOKENIZER = CharTokenizer("".join(map(chr, range(32, 127))) + "\n")
CONFIG = DecoderConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=16,
    intermediate_size=16,
    num_layers=1,
    num_heads=1,
    num_kv_heads=1,
    head_dim=16,
)
STEPS = Steps(CONFIG, make_mesh(MeshShape(), jax.devices()[:1]))
COMPLETIONS = st.text("ab", max_size=70)


def sizes_of(split):
    """Beginnings, their tokens, rows, and the tokens of what follows in each."""
    return (*split.prefixes.tokens.shape, *split.suffixes.tokens.shape)


def judge(monkeypatch, question, workload, completions):
    """The sizes of the calls in which a verifier has these candidates judged."""
    calls = []

    def record(model, params, *split):
        calls.append(sizes_of(Continuations(*split)))
        return np.zeros((len(split[1]), CONFIG.vocab_size), np.float32)

    monkeypatch.setattr("jaxgap.improve.verifiers.asking.continued_logits", record)
    model, per_call = LanguageModel(CONFIG, TOKENIZER), workload.prompts_per_call
    verifier = AskingVerifier(model, question, per_call * workload.num_candidates, per_call)
    texts = [chr(ord("a") + i) * workload.prompt_length for i in range(len(completions))]
    shape = (len(completions), workload.num_candidates)
    candidates = Candidates(
        *np.zeros((3, *shape, 1)), np.ones(shape, bool), tuple(map(tuple, completions))
    )
    verifier({}, Prompts.encode(TOKENIZER, texts), candidates, jax.random.key(0))
    return calls


def workload_of(question, prompts_per_call, num_candidates, prompt_length, completion_length):
    before, _, after = question.template.format(prompt="", completion="|").partition("|")
    return Workload(
        prompt_length,
        completion_length,
        prompts_per_call,
        num_candidates,
        judging_before=len(before),
        judging_after=len(after),
    )


@pytest.mark.parametrize("question", [TRUE_FALSE, GRADE])
@given(
    data=st.data(),
    prompts_per_call=st.integers(1, 6),
    num_candidates=st.integers(1, 4),
    prompt_length=st.integers(1, 70),
)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],  # each example compiles something: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_call_is_larger_than_planned(
    monkeypatch, question, data, prompts_per_call, num_candidates, prompt_length
):
    each = st.lists(COMPLETIONS, min_size=num_candidates, max_size=num_candidates)
    completions = data.draw(st.lists(each, min_size=1, max_size=9))
    longest = max(1, *(len(text) for texts in completions for text in texts))
    workload = workload_of(question, prompts_per_call, num_candidates, prompt_length, longest)
    planned = sizes_of(STEPS.judged(workload))
    for sizes in judge(monkeypatch, question, workload, completions):
        assert np.less_equal(sizes, planned).all(), (sizes, planned)


@pytest.mark.parametrize("question", [TRUE_FALSE, GRADE])
@pytest.mark.parametrize("length", [64, 65, 96])
def test_a_full_call_is_what_is_planned(monkeypatch, question, length):
    workload = workload_of(question, 3, 4, length, length)
    completions = [[letter + "x" * (length - 1) for letter in "abcd"]] * 3
    assert judge(monkeypatch, question, workload, completions) == [sizes_of(STEPS.judged(workload))]
