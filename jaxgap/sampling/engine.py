"""The decoding engine: buffers on the device, and the host's work between decode calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sampling.buckets import bucket
from jaxgap.sampling.decode import Drawn, Rows, decode
from jaxgap.sampling.draw import draw_first
from jaxgap.sampling.freed_memory import release_freed_memory
from jaxgap.sampling.prefix_cache import PrefixCache
from jaxgap.sampling.ring import Ring, init_ring, rearranged_ring, ring_shapes
from jaxgap.sampling.sampling_params import TracedSamplingParams
from jaxgap.sampling.scheduler import FREE, Scheduler
from jaxgap.sampling.transcript import Transcript
from jaxgap.sharding import even_rows, rows_to_devices, to_host

STEPS_PER_CALL = 16  # of the decode loop
_STEPS_TO_STOP_STRINGS = 4  # with stop strings, which are searched for between calls
_FIRST_SLOTS = 32  # of the ring, which doubles as needed
_SMALLEST_PART = 4  # rows are compacted to no fewer than one in this many


def group_size(num_candidates: int, prompt_length: int) -> int:
    """How many rows share a copy of their prompt while candidates come and go.

    Large groups read and store a prompt once for many rows; small ones are rarely half empty. The
    longer the prompt, the more sharing pays off.
    """
    return min(num_candidates, max(2, prompt_length // 32))


def min_live_rows(num_rows: int, num_live: int) -> int:
    """The loop returns at fewer live rows than this: once a sixteenth of all rows has ended."""
    return max(1, num_live - max(1, num_rows // 16) + 1)


class DecodingEngine:
    """Decodes the completions of one call of :func:`jaxgap.sampling.sample`.

    **Arguments:**

    - `model`, `params`: the model.
    - `prompts`: prompts padded on the left.
    - `key`: random key.
    - `sampling_params`: the distribution drawn from.
    - `transcript`: records the completions; has their limits and stop conditions.
    - `rows_at_once`: maximum number of rows decoded together.
    """

    def __init__(
        self,
        model: LanguageModel,
        params: Params,
        prompts: TokenBatch,
        key: jax.Array,
        sampling_params: TracedSamplingParams,
        transcript: Transcript,
        rows_at_once: int,
    ):
        self._model, self._params, self._key = model, params, key
        self._sampling_params, self._transcript = sampling_params, transcript
        token_ids = [np.asarray(row)[np.asarray(real)] for row, real in zip(*prompts, strict=True)]
        num_prompts, num_candidates = transcript.shape
        lengths = [len(ids) for ids in token_ids]
        self._group_size = group_size(num_candidates, max(lengths))
        all_at_once = num_prompts * num_candidates <= rows_at_once
        size = num_candidates if all_at_once else min(self._group_size, rows_at_once)
        num_groups = even_rows(num_prompts if all_at_once else rows_at_once // size)
        order = np.argsort(lengths, kind="stable").tolist()
        self._scheduler = Scheduler(num_groups, size, order, num_candidates)
        self._min_rows = num_groups * size // _SMALLEST_PART
        self._prefix_cache = PrefixCache(model, params, token_ids, num_groups)

        weights = jax.tree.leaves(params)[0]
        self._dtype = weights.dtype
        # With weights committed to a device, decoding returns a committed ring; an uncommitted
        # first ring would then cause a recompilation.
        bound = weights.sharding if isinstance(weights, jax.Array) and weights.committed else None
        self._device = bound if isinstance(bound, jax.sharding.SingleDeviceSharding) else None
        # The model never reads a completion's last token.
        self._max_slots = bucket(max(1, int(transcript.limits.max()) - 1))
        self._ring: Ring | None = None

    def schedule(self) -> bool:
        """Assign waiting completions to free rows; false if nothing is left to decode."""
        self._admit()
        # Completions may end at their first token. A few are not worth another prefill.
        while self._release_ended() and self._few_live():
            self._admit()
        if (self._scheduler.completions == FREE).all():
            return False
        if self._scheduler.num_rows // 2 >= max(1, self._min_rows):
            self._compact()
        return True

    def decode(self) -> None:
        """Draw a few tokens for every scheduled completion, record them, and free ended rows."""
        completions = self._scheduler.completions.ravel()
        live = completions != FREE
        transcript = self._transcript
        max_steps = _STEPS_TO_STOP_STRINGS if transcript.stop.strings else STEPS_PER_CALL
        model = (self._model, self._params, self._prefix_cache.prefixes)
        others = (
            self._rows(completions),
            self._key,
            self._sampling_params,
            jnp.asarray(transcript.stop.ids, jnp.int32),
            jnp.int32(min_live_rows(len(completions), int(live.sum()))),
        )

        def compile_for(ring: Ring) -> None:
            decode.lower(*model, ring, *others, max_steps=max_steps).compile()

        longest = int(transcript.lengths[completions[live]].max())
        ring = self._with_room(longest - 1 + max_steps, compile_for)
        self._ring, _, drawn = decode(*model, ring, *others, max_steps=max_steps)
        drawn = to_host(drawn)
        transcript.add(completions[live], Drawn(*(part[live] for part in drawn)))
        self._release_ended()

    def _admit(self) -> None:
        changed = self._scheduler.admit()
        self._prefix_cache.load(changed, self._scheduler.prompts, self._draw_first)

    def _draw_first(self, prompts: list[int], logits: Float[Array, "rows vocab"]) -> None:
        """Draw the first token of every candidate of these prompts, and record it."""
        num_candidates = self._transcript.shape[1]
        numbers = np.array(prompts)[:, None] * num_candidates + np.arange(num_candidates)
        row_ids = np.pad(numbers, ((0, len(logits) - len(prompts)), (0, 0)), mode="edge")
        row_ids = rows_to_devices(row_ids.astype(np.int32))
        drawn: Any = to_host(draw_first(logits, self._key, row_ids, self._sampling_params))
        drawn = (*drawn, np.ones(row_ids.shape, bool))
        columns = (part[: len(prompts)].reshape(-1, 1) for part in drawn)
        self._transcript.add(numbers.ravel(), Drawn(*columns))

    def _few_live(self) -> bool:
        num_rows = self._scheduler.num_rows
        num_live = int((self._scheduler.completions != FREE).sum())
        return num_live < min_live_rows(num_rows, num_rows)

    def _release_ended(self) -> bool:
        """Free the rows whose completions have ended; whether there were any."""
        completions = self._scheduler.completions
        ended = (completions != FREE) & self._transcript.ended[completions]
        self._scheduler.release(ended)
        return bool(ended.any())

    def _rows(self, completions: Int[np.ndarray, " rows"]) -> Rows:
        transcript = self._transcript
        num_generated = np.where(completions == FREE, 0, transcript.lengths[completions])
        rows = {
            "tokens": transcript.tokens[completions, num_generated - 1],
            "num_generated": num_generated,
            "limits": transcript.limits[completions].astype(np.int32),
            "live": completions != FREE,
            "row_ids": completions.astype(np.int32),
        }
        return Rows(**rows_to_devices(rows))

    def _with_room(self, num_steps: int, compile_for: Callable[[Ring], None]) -> Ring:
        """A ring with room for `num_steps` or the longest possible completion, if that is less.

        The program for a larger ring is compiled before that ring is allocated, since compiling
        takes as much memory as a ring.
        """
        ring = self._ring
        slots = min(_FIRST_SLOTS, self._max_slots) if ring is None else ring.num_slots
        while slots < min(num_steps, self._max_slots):
            slots = min(2 * slots, self._max_slots)
        if ring is not None and slots == ring.num_slots:
            return ring
        num_rows = self._scheduler.num_rows
        shapes = ring_shapes(self._model.config, num_rows, slots, self._dtype, self._device)
        if jax.sharding.get_mesh().empty:  # on a mesh the shapes do not have the shardings
            compile_for(shapes)
            release_freed_memory()
        return init_ring(shapes) if ring is None else rearranged_ring(ring, None, slots)

    def _compact(self) -> None:
        size = min(self._group_size, self._scheduler.completions.shape[1])
        compaction = self._scheduler.compact(size)
        if compaction is not None:
            if self._ring is not None:
                self._ring = rearranged_ring(self._ring, compaction.rows, self._ring.num_slots)
            self._prefix_cache.keep(compaction.groups)
