"""Every family of models improves itself on every task, on tiny weights.

The default tests take one of the pairs; `--slow` takes them all.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import tokenizers

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, assemble, improve_to_folder, resume_folder
from jaxgap.improve.runs.export import export_run
from jaxgap.models import (
    ChatTemplate,
    FastTokenizer,
    LanguageModel,
    join_adapters,
    load_adapters,
    load_model,
    save_folder,
)
from jaxgap.models.huggingface.config_json import parse_config
from jaxgap.tasks import Addition, Problem

GOLDEN = Path(__file__).parents[1] / "models" / "golden"
FILES = Path(__file__).parents[1] / "tasks" / "files"
FAMILIES = ("llama2", "llama3", "phi3_mini", "phi35_mini", "phi4_mini", "qwen25", "qwen3")
TASKS = {
    "reasoning-gym": ("reasoning-gym:chain_sum", '{"max_digits": 1}'),
    "gsm8k": (f"gsm8k:{FILES}/gsm8k.jsonl", "{}"),
    "math": (f"math:{FILES}/math.jsonl", "{}"),
    "prontoqa": (f"prontoqa:{FILES}/prontoqa.jsonl", "{}"),
    "mbpp": (f"mbpp:{FILES}/mbpp.jsonl", "{}"),
    "json": (
        f"json:{FILES}/gsm8k.jsonl",
        '{"prompt_field": "question", "answer_field": "answer", "num_examples": 1}',
    ),
}
DEFAULT = ("llama3", "gsm8k")
# Those that ask the model in words, and by likelihood; all runs here are judged by true or false.
VERIFIERS = ("grade", "likelihood")
OTHER_VERIFIERS = ("true-false", "majority", "exact", "random")
CHAT = ChatTemplate(
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<assistant>", {}
)


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory):
    """Write a tiny model of a family with random weights and a tokenizer of bytes."""
    root = tmp_path_factory.mktemp("checkpoints")

    def make(family):
        folder = root / family
        if not folder.exists():
            form = json.loads((GOLDEN / family / "config.json").read_text())
            form |= {"vocab_size": 260, "max_position_embeddings": 2048, "sliding_window": None}
            (root / f"{family}.json").write_text(json.dumps(form))
            model = LanguageModel(parse_config(root / f"{family}.json"), byte_tokenizer())
            params = jax.tree.map(lambda x: 2 * x, model.init(jax.random.key(0)))
            save_folder(folder, model, params)
        return folder

    return make


def byte_tokenizer():
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, "<end>", "<pad>"])}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(["<end>", "<pad>"])
    return FastTokenizer(backend, 260, (256,), 257, None, CHAT)


def config_for(model, task="gsm8k", **changes):
    name, options = TASKS[task]
    settings = {
        "num_rounds": 1,
        "num_train_prompts": 2,
        "num_held_out_prompts": 2,
        "num_candidates": 2,
        "batch_size": 2,
        "max_new_tokens": 4,
        "prompts_per_call": 2,
        "learning_rate": 1e-2,
    }
    return ImproveConfig(str(model), name, options, **(settings | changes))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_on_each_task(make_checkpoint, tmp_path, request, family, task):
    if (family, task) != DEFAULT and not request.config.getoption("--slow"):
        pytest.skip("slow: run with --slow")
    config = config_for(make_checkpoint(family), task)
    if task == "prontoqa":  # whose file has two questions
        config = dataclasses.replace(config, task=f"prontoqa:{more_questions(tmp_path)}")
    first, last = improve_to_folder(config, tmp_path / "run")
    for split in (first.held_out, last.held_out, first.train):
        assert np.isfinite([split.solver.mean, split.verifier.mean, split.judging_brier.mean]).all()
    assert first.train.solver.mean != last.train.solver.mean


def more_questions(folder):
    """ProntoQA's first question about four people."""
    question = (FILES / "prontoqa.jsonl").read_text().splitlines()[0]
    names = ("Ann", "Bob", "Eve", "Max")
    path = folder / "prontoqa.jsonl"
    path.write_text("\n".join(question.replace("Ann", name) for name in names))
    return path


@pytest.mark.parametrize(
    "verifier", [*VERIFIERS, *(pytest.param(v, marks=pytest.mark.slow) for v in OTHER_VERIFIERS)]
)
def test_each_verifier_scores(make_checkpoint, tmp_path, verifier):
    config = config_for(make_checkpoint("llama3"), num_rounds=1, verifier=verifier)
    _, last = improve_to_folder(config, tmp_path / "run")
    assert 0 <= last.held_out.judging_brier.mean <= 1


def test_adapters_alone_are_trained_and_go_out_and_on(make_checkpoint, tmp_path):
    folder = make_checkpoint("llama3")
    config = config_for(folder, lora_rank=2, num_rounds=1, dtype="bfloat16", learning_rate=1e-4)
    improve_to_folder(config, tmp_path / "run")
    metrics = resume_folder(tmp_path / "run", more_rounds=1)
    assert [m.round_index for m in metrics] == [0, 1, 2]
    assert export_run(tmp_path / "run", tmp_path / "adapters") == 2
    assert (tmp_path / "adapters" / "adapter_config.json").exists()
    export_run(tmp_path / "run", tmp_path / "merged", merge=True)
    model, base = load_model(folder, dtype="bfloat16")
    base = jax.tree.map(lambda x: x.astype("float32"), base)
    _, merged = load_model(tmp_path / "merged")
    differs = jax.tree.map(lambda a, b: bool((a != b).any()), base, merged)
    assert differs["blocks"][0]["attention"]["query"]["kernel"]
    assert not differs["norm"]["scale"]
    lora, adapters = load_adapters(tmp_path / "adapters", model.config)
    tokens = np.arange(5, 20)[None]
    real = np.ones_like(tokens, bool)
    adapted = LanguageModel(model.config, model.tokenizer, lora)
    trained, _ = adapted.apply(join_adapters(base, adapters), tokens, real)
    plain, written = (model.apply(params, tokens, real)[0] for params in (base, merged))
    # Rounded to the base's type, most of what was learnt would be lost.
    assert np.linalg.norm(written - trained) < 0.05 * np.linalg.norm(trained - plain)


def test_the_model_of_a_round_goes_out(make_checkpoint, tmp_path):
    folder = make_checkpoint("llama3")
    improve_to_folder(config_for(folder, num_rounds=2), tmp_path / "run")
    assert export_run(tmp_path / "run", tmp_path / "model") == 2
    _, params = load_model(tmp_path / "model")
    again = config_for(tmp_path / "model", num_rounds=1)
    (first, _) = improve_to_folder(again, tmp_path / "again")
    assert np.isfinite(first.held_out.solver.mean)
    assert jax.tree.leaves(params)[0].dtype == np.float32
    with pytest.raises(InputError, match="has no checkpoint of round 0 that is intact"):
        export_run(tmp_path / "run", tmp_path / "none", round_index=0)


@pytest.mark.slow
def test_the_model_of_a_run_goes_out_without_the_file_of_its_task(make_checkpoint, tmp_path):
    data = shutil.copy(FILES / "gsm8k.jsonl", tmp_path / "data.jsonl")
    config = config_for(make_checkpoint("llama3"), num_rounds=1)
    config = dataclasses.replace(config, task=f"gsm8k:{data}")
    improve_to_folder(config, tmp_path / "run")
    Path(data).unlink()
    assert export_run(tmp_path / "run", tmp_path / "model") == 1


def test_the_model_of_a_run_on_a_task_of_ones_own_goes_out(make_checkpoint, tmp_path):
    class Backwards(Addition):
        def problems(self, count, *, seed):
            drawn = super().problems(count, seed=seed)
            return [Problem(problem.prompt, problem.answer[::-1]) for problem in drawn]

    config = config_for(make_checkpoint("llama3"), num_rounds=1)
    improve_to_folder(
        config, tmp_path / "run", assemble=lambda config: assemble(config, Backwards())
    )
    assert export_run(tmp_path / "run", tmp_path / "model") == 1


@pytest.mark.slow
def test_bfloat16_computes_in_bfloat16_and_trains_in_float32(make_checkpoint, tmp_path):
    config = config_for(make_checkpoint("qwen25"), dtype="bfloat16")
    first, last = improve_to_folder(config, tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "model")
    _, params = load_model(tmp_path / "model")
    kernel = np.asarray(params["blocks"][0]["attention"]["query"]["kernel"])
    # More bits than bfloat16 has.
    assert (kernel != kernel.astype(jax.numpy.bfloat16).astype(np.float32)).any()
    assert first.held_out.solver.mean != last.held_out.solver.mean


@pytest.mark.slow
def test_fixed_candidates_are_trained_on_in_every_round(make_checkpoint, tmp_path):
    settings = {"num_rounds": 8, "learning_rate": 3e-2}
    folder = make_checkpoint("llama3")
    fixed = improve_to_folder(
        config_for(folder, candidates="fixed", **settings), tmp_path / "fixed"
    )
    assert fixed[-1].train.solver.mean < 0.5 * fixed[0].train.solver.mean


def test_prompts_beyond_the_context_are_refused_before_anything_is_written(
    make_checkpoint, tmp_path
):
    folder = make_checkpoint("llama3")
    form = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": 32}
    small = tmp_path / "small"
    small.mkdir()
    for file in folder.iterdir():
        (small / file.name).write_bytes(file.read_bytes())
    (small / "config.json").write_text(json.dumps(form))
    refused = r"a prompt has \d+ tokens, and the model's context is 32: leave out '"
    with pytest.raises(InputError, match=refused):
        improve_to_folder(config_for(small), tmp_path / "run")
    # Solved examples, the same before each question, do not tell which one is meant.
    shown, *others = map(json.loads, (FILES / "gsm8k.jsonl").read_text().splitlines())
    with pytest.raises(InputError, match=refused) as caught:
        improve_to_folder(config_for(small, "json"), tmp_path / "run")
    assert shown["question"][:30] not in str(caught.value)
    assert any(other["question"][:30] in str(caught.value) for other in others)
    assert not (tmp_path / "run").exists()
