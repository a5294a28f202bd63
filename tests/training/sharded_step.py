"""Loss and gradients on four simulated devices against one: run by the test in its own process."""

import functools

import numpy as np


def main() -> None:
    # Here, since the number of devices is read when JAX starts.
    import jax
    from jax.sharding import AxisType, NamedSharding
    from jax.sharding import PartitionSpec as P

    from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
    from jaxgap.sampling import TokenBatch
    from jaxgap.training import BatchShape, Computation, Examples, loss_and_gradients, pack

    config = DecoderConfig(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=32,
        num_layers=1,
        num_heads=2,
        num_kv_heads=1,
        head_dim=8,
    )
    model = LanguageModel(config, CharTokenizer("0123456789+=?:"))
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 14, (8, 9))
    mask = np.arange(9) < rng.integers(3, 9, 8)[:, None]
    whole = np.ones((8, 3), bool)
    examples = Examples(TokenBatch(tokens[:, :3], whole), tokens[:, 3:], mask[:, 3:])
    batch = pack(examples, BatchShape(2, 4, 16))
    params = model.init(jax.random.key(0))
    compute = jax.jit(loss_and_gradients, static_argnums=(0, 1))
    expected = jax.device_get(compute(model, Computation(), params, {}, batch))

    mesh = jax.make_mesh((2, 2), ("data", "tensor"), axis_types=(AxisType.Auto,) * 2)
    rows = NamedSharding(mesh, P(None, "data"))
    columns = jax.tree.map(
        lambda leaf: NamedSharding(mesh, P("tensor") if leaf.ndim == 1 else P(None, "tensor")),
        params,
    )
    sharded = jax.device_put(params, columns), jax.device_put(batch, rows)
    loss, gradients = compute(model, Computation(), sharded[0], {}, sharded[1])
    assert len(loss.sharding.device_set) == 4
    ours = jax.device_get((loss, gradients))
    check = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(check, ours, expected)


if __name__ == "__main__":
    main()
