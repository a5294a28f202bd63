"""Eight simulated devices against one: run by the tests in a process of its own, or in several.

Prints as JSON what the test looks at. The model is wide enough for every axis to be cut. With
ADDRESS NUM_PROCESSES PROCESS_ID it is one of several processes, of which the first prints.
"""

import json
import sys

import numpy as np


def main() -> None:
    # Here, since the number of devices is read when JAX starts.
    import jax
    from teacher_forcing import completion_logprobs

    from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
    from jaxgap.models.axes import parameter_shardings
    from jaxgap.planning.costs import count_costs
    from jaxgap.planning.hlo import parse_module
    from jaxgap.sampling import TokenBatch
    from jaxgap.sharding import (
        MeshShape,
        barrier,
        is_first,
        join_processes,
        make_mesh,
        rows_sharding,
        to_host,
    )
    from jaxgap.training import (
        AdamW,
        BatchShape,
        Computation,
        Constant,
        Examples,
        loss_and_gradients,
        pack,
        update,
    )

    if len(sys.argv) > 1:
        address, num_processes, process_id = sys.argv[1:]
        join_processes(address, int(num_processes), int(process_id))
    config = DecoderConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=128,
        num_layers=3,
        num_heads=4,
        num_kv_heads=2,
        head_dim=16,
    )
    model = LanguageModel(config, CharTokenizer("".join(map(chr, range(0x100, 0x13E)))))
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 62, (16, 12)).astype(np.int32)
    mask = np.arange(12) < rng.integers(6, 13, 16)[:, None]
    prompts = TokenBatch(tokens[:, :4], np.ones((16, 4), bool))
    batch = pack(Examples(prompts, tokens[:, 4:], mask[:, 4:]), BatchShape(2, 8, 16))
    params = model.init(jax.random.key(0))
    optimizer = AdamW(Constant(1e-2))
    computation = Computation(remat_policy=jax.checkpoint_policies.nothing_saveable)
    gradients = jax.jit(loss_and_gradients, static_argnums=(0, 1))
    logprobs = jax.jit(completion_logprobs, static_argnums=0)

    def results(params, batch, place):
        arguments = place(prompts.tokens), place(prompts.mask), place(tokens[:, 4:])
        ours = logprobs(model, params, TokenBatch(*arguments[:2]), arguments[2], place(mask[:, 4:]))
        loss, by_params = gradients(model, computation, params, {}, batch)
        opt_state = optimizer.transformation().init(params)
        arguments = (model, optimizer, computation, params, {}, opt_state, batch)
        compiled = update.lower(*arguments).compile()
        memory = compiled.memory_analysis()
        losses = []
        for _ in range(5):
            step = update(model, optimizer, computation, params, {}, opt_state, batch)
            params, opt_state = step.trainable, step.opt_state
            losses.append(float(step.loss))
        costs = count_costs(parse_module(compiled.as_text()), (2, 1))
        numbers = {
            "argument_bytes": memory.argument_size_in_bytes,
            "flops": costs.flops,
            "collectives": dict(costs.num_collectives),
            "losses": losses,
        }
        return to_host((ours, loss, by_params)), numbers

    copy = jax.tree.map(jax.numpy.array, params)
    expected, alone = results(copy, batch, lambda array: array)
    # Where cores are few one may be far behind, and Gloo does not wait long on new connections.
    barrier()
    for shape in (MeshShape(2, 2, 2), MeshShape(fsdp=8), MeshShape(data=4, tensor=2)):
        mesh = make_mesh(shape)
        with jax.set_mesh(mesh):
            cut = jax.device_put(params, parameter_shardings(mesh, config, params))
            rows = jax.device_put(batch, rows_sharding(mesh, axis=1))
            place = lambda array, mesh=mesh: jax.device_put(array, rows_sharding(mesh))  # noqa: E731
            ours, numbers = results(cut, rows, place)
        numbers["logprob_error"] = float(np.abs(ours[0] - expected[0]).max())
        numbers["loss_error"] = float(abs(ours[1] - expected[1]))
        differences = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), ours[2], expected[2])
        numbers["gradient_error"] = max(jax.tree.leaves(differences))
        if is_first():
            print(json.dumps({"shape": shape} | numbers))
    if is_first():
        print(json.dumps({"shape": [1, 1, 1]} | alone))
    barrier()


if __name__ == "__main__":
    main()
