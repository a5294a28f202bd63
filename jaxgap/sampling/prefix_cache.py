"""Track which prompt each group of rows holds, and prefill the missing ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.batch import pad_left
from jaxgap.sampling.buckets import bucket, row_bucket
from jaxgap.sampling.prefix import (
    Prefixes,
    copy_prefix,
    init_prefixes,
    insert_prefix,
    prefill,
    rearranged_prefixes,
)
from jaxgap.sampling.scheduler import FREE
from jaxgap.sharding import num_row_shards, rows_to_devices

_PREFILL_TOKENS = 1024  # at most, per device and prefill, including padding


def prompts_at_once(num_slots: int) -> int:
    """How many prompts of `num_slots` tokens one prefill reads at most, on the current mesh.

    A power of two, since other numbers are padded with copies; one per row shard for long prompts.
    """
    most = num_row_shards() * max(1, _PREFILL_TOKENS // num_slots)
    return 1 << (most.bit_length() - 1)


class PrefixCache:
    """The prefixes of the prompts in flight, one per group; a prompt in flight is read only once.

    **Arguments:**

    - `model`, `params`: the model.
    - `token_ids`: the tokens of each prompt.
    - `num_groups`: groups of rows, >= 1.

    **Attributes:**

    - `prefixes`: the keys and values.
    """

    def __init__(
        self,
        model: LanguageModel,
        params: Params,
        token_ids: Sequence[Int[np.ndarray, " length"]],
        num_groups: int,
    ):
        self._model, self._params, self._token_ids = model, params, token_ids
        self._prompts = np.full(num_groups, FREE)  # which prompt each group holds
        dtype = jax.tree.leaves(params)[0].dtype
        num_slots = bucket(min(map(len, token_ids)))
        self.prefixes = init_prefixes(model.config, num_groups, num_slots, dtype)

    def load(
        self,
        groups: Sequence[int],
        prompts: Int[np.ndarray, " groups"],
        on_read: Callable[[list[int], Float[Array, "rows vocab"]], None],
    ) -> None:
        """Load some groups' prompts, prefilling those that no group holds.

        **Arguments:**

        - `groups`: the groups whose prompt has changed.
        - `prompts`: the prompt of every group.
        - `on_read`: called with the prompts that one prefill has read, and the logits after each of
            them, in the same order; these may have further rows.
        """
        unread = dict.fromkeys(prompts[group] for group in groups)
        for batch in self._batches([prompt for prompt in unread if prompt not in self._prompts]):
            read, logits = self._prefill(batch)
            for index, prompt in enumerate(batch):
                group = next(group for group in groups if prompts[group] == prompt)
                self.prefixes = insert_prefix(self.prefixes, read, index, group)
                self._prompts[group] = prompt
            on_read(batch, logits)
            del read, logits  # before the next ones are made
        for group in groups:
            if self._prompts[group] != prompts[group]:
                source = np.flatnonzero(self._prompts == prompts[group])[0]
                self.prefixes = copy_prefix(self.prefixes, source, group)
                self._prompts[group] = prompts[group]

    def keep(self, groups: Int[np.ndarray, " kept"]) -> None:
        """Keep only these groups, in this order."""
        self.prefixes = rearranged_prefixes(self.prefixes, groups, self.prefixes.num_slots)
        self._prompts = self._prompts[groups]

    def _batches(self, prompts: list[int]) -> Iterator[list[int]]:
        """Batches of prompts, given in ascending length; makes room for each batch."""
        while prompts:
            slots = max(self.prefixes.num_slots, self._num_slots(prompts[0]))
            fit = [prompt for prompt in prompts if self._num_slots(prompt) <= slots]
            batch = fit[: prompts_at_once(slots)]
            if slots > self.prefixes.num_slots:
                self.prefixes = rearranged_prefixes(self.prefixes, None, slots)
            yield batch
            prompts = prompts[len(batch) :]

    def _num_slots(self, prompt: int) -> int:
        return bucket(len(self._token_ids[prompt]))

    def _prefill(self, batch: list[int]) -> tuple[Prefixes, Float[Array, "rows vocab"]]:
        token_ids = [self._token_ids[prompt] for prompt in batch]
        token_ids += token_ids[-1:] * (row_bucket(len(batch)) - len(batch))
        tokens = pad_left(token_ids, self.prefixes.num_slots, self._model.tokenizer.pad_id)
        return prefill(self._model, self._params, rows_to_devices(tokens))
