"""One turn of jaxgap in benchmarks/round.py: the stages of its loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from round_case import Case, Clock, run_worker

from jaxgap.improve.round_records import LoopState, Prompts, TrainingSet
from jaxgap.improve.select import select
from jaxgap.improve.train import train
from jaxgap.improve.verifiers.likelihood import LikelihoodVerifier
from jaxgap.models.huggingface import load_folder
from jaxgap.sampling import pad_left, sample
from jaxgap.training import AdamW, Computation, Constant


def work(case: Case, folder: str, clock: Clock) -> dict[str, Any]:
    model, params = load_folder(folder)
    ids = case.prompts()
    batch = pad_left(ids, case.prompt_length, model.tokenizer.pad_id)
    prompts = Prompts(tuple(map(str, range(len(ids)))), batch)
    optimizer = AdamW(Constant(case.learning_rate), 0.0, case.clip_norm)
    opt_state = optimizer.transformation().init(params)
    state = LoopState(params, opt_state, jax.random.key(0), 0)
    verifier = LikelihoodVerifier()
    for _ in range(1 + case.num_rounds):
        clock.next_round()
        key = jax.random.fold_in(state.key, state.round_index)
        with clock.stage("generate"):
            candidates = sample(
                model,
                state.params,
                batch,
                key,
                num_candidates=case.num_candidates,
                max_new_tokens=case.max_new_tokens,
                stop_ids=(),
            )
        with clock.stage("verify"):
            scores = verifier(state.params, prompts, candidates, key)
            selected = select(candidates, scores, 0.0)
        with clock.stage("train"):
            state = train(
                model,
                optimizer,
                Computation(dtype=np.dtype(jnp.float32)),
                state,
                {},
                prompts,
                TrainingSet.of(candidates, selected),
                key,
                epochs=1,
                batch_size=case.batch_size,
                microbatch_size=case.microbatch_size,
                max_new_tokens=case.max_new_tokens,
            )
            jax.block_until_ready(state.params)
    return {"versions": {"jax": jax.__version__}}


if __name__ == "__main__":
    run_worker(work)
