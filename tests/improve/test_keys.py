"""No two things that a run draws have the same random key."""

import jax

from jaxgap.improve.keys import (
    adapters_key,
    external_order_key,
    forecast_key,
    redrawn_key,
    round_keys,
    run_key,
)


def test_no_key_is_used_twice():
    run = run_key(3)
    redrawn = [redrawn_key(run, attempt) for attempt in range(1, 5)]
    rounds = [round_keys(key, number) for key in (run, *redrawn) for number in range(50)]
    forecasts = [forecast_key(3, number) for number in range(50)]
    others = [adapters_key(3), external_order_key(3), run, *redrawn, *forecasts]
    keys = [*others, *(k for r in rounds for k in r)]
    assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == len(keys)
    folded = [jax.random.fold_in(run, number) for number in range(100)]
    assert len({tuple(jax.random.key_data(key).tolist()) for key in (*keys, *folded)}) == 100 + len(
        keys
    )


def test_keys_do_not_depend_on_the_default_kind():
    makers = (run_key, adapters_key, external_order_key, lambda seed: forecast_key(seed, 2))
    ours = [jax.random.key_data(make(3)).tolist() for make in makers]
    with jax.default_prng_impl("rbg"):
        assert [jax.random.key_data(make(3)).tolist() for make in makers] == ours
