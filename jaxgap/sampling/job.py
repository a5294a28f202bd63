"""The buffers on the device, and their traffic between calls of the decode loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.batch import TokenBatch, pad_left
from jaxgap.sampling.buckets import bucket, row_bucket
from jaxgap.sampling.decode import Drawn, Rows, decode
from jaxgap.sampling.freed_memory import give_back_freed_memory
from jaxgap.sampling.prefix import (
    Prefixes,
    init_prefixes,
    prefill,
    rearranged_prefixes,
    seat,
    share,
)
from jaxgap.sampling.ring import Ring, init_ring, rearranged_ring, ring_shapes
from jaxgap.sampling.seating import FREE, Seating
from jaxgap.sampling.settings import Settings
from jaxgap.sampling.transcript import Transcript
from jaxgap.sharding import even_rows, num_row_shards, rows_to_devices, to_host

STEPS = 16  # of one call of the decode loop
_STEPS_TO_STRINGS = 4  # the same where stop strings are looked for in between
_FIRST_SLOTS = 32  # of the ring, which then doubles
_PREFILL_TOKENS = 1024  # the most read at a time by a device, padding included
_SMALLEST_PART = 4  # of the rows is what they shrink to as the last ones end


def group_size(num_candidates: int, prompt_length: int) -> int:
    """How many rows share a copy of their prompt while candidates come and go.

    Large groups read and keep a prompt once for many, small ones are rarely half empty. The more
    there is of a prompt, the more sharing is worth.
    """
    return min(num_candidates, max(2, prompt_length // 32))


def prompts_at_once(num_slots: int) -> int:
    """The most prompts of so many tokens that are read together, on the mesh that is set.

    A power of two, since others are filled up with copies; one a device where a prompt is longer.
    """
    most = num_row_shards() * max(1, _PREFILL_TOKENS // num_slots)
    return 1 << (most.bit_length() - 1)


class Job:
    """A call of :func:`jaxgap.sampling.sample` at work.

    **Arguments:**

    - `model`, `params`: the model.
    - `prompts`: prompts padded on the left.
    - `key`: all randomness.
    - `settings`: the distribution drawn from.
    - `transcript`: where completions are written, with their limits and ends.
    - `rows_at_once`: the most rows decoded together.
    """

    def __init__(
        self,
        model: LanguageModel,
        params: Params,
        prompts: TokenBatch,
        key: jax.Array,
        settings: Settings,
        transcript: Transcript,
        rows_at_once: int,
    ):
        self._model, self._params, self._key, self._settings = model, params, key, settings
        self._transcript = transcript
        self._prompts = [
            np.asarray(row)[np.asarray(real)] for row, real in zip(*prompts, strict=True)
        ]
        num_prompts, num_candidates = transcript.shape
        lengths = [len(prompt) for prompt in self._prompts]
        self._size = group_size(num_candidates, max(lengths))
        all_at_once = num_prompts * num_candidates <= rows_at_once
        size = num_candidates if all_at_once else min(self._size, rows_at_once)
        num_groups = even_rows(num_prompts if all_at_once else rows_at_once // size)
        order = np.argsort(lengths, kind="stable").tolist()
        self._seating = Seating(num_groups, size, order, num_candidates)
        self._fewest_seats = num_groups * size // _SMALLEST_PART

        weights = jax.tree.leaves(params)[0]
        self._dtype = weights.dtype
        # What decodes with weights that are bound to a device gives back a ring that is, and were
        # compiled again for it if the first were not.
        place = weights.sharding if isinstance(weights, jax.Array) and weights.committed else None
        self._place = place if isinstance(place, jax.sharding.SingleDeviceSharding) else None
        self._most_slots = bucket(int(transcript.limits.max()))
        self._ring: Ring | None = None
        num_slots = bucket(min(lengths) - 1)
        self._prefixes = init_prefixes(model.config, num_groups, num_slots, self._dtype)
        self._read = np.full(num_groups, FREE)  # the prompt whose prefix each group holds

    def seat_rows(self) -> bool:
        """Let others take the free seats; false if nobody is left."""
        changed = self._seating.fill()
        self._load(changed)
        if (self._seating.rows == FREE).all():
            return False
        if self._seating.rows.size // 2 >= max(1, self._fewest_seats):
            self._shrink()
        return True

    def decode(self) -> None:
        """Draw a few tokens for everyone seated, note them, and free the seats of the ended."""
        seats = self._seating.rows.ravel()
        live = seats != FREE
        transcript = self._transcript
        max_steps = _STEPS_TO_STRINGS if transcript.stop.strings else STEPS
        fewest_live = max(1, live.sum() - max(1, len(seats) // 16) + 1)
        model = (self._model, self._params, self._prefixes)
        others = (
            self._rows(seats),
            self._key,
            self._settings,
            jnp.asarray(transcript.stop.ids, jnp.int32),
            jnp.int32(fewest_live),
        )

        def compile_for(ring: Ring) -> None:
            decode.lower(*model, ring, *others, max_steps=max_steps).compile()

        longest = int(transcript.lengths[seats[live]].max())
        ring = self._with_room(longest + max_steps, compile_for)
        self._ring, _, drawn = decode(*model, ring, *others, max_steps=max_steps)
        drawn = to_host(drawn)
        transcript.add(seats[live], Drawn(*(part[live] for part in drawn)))
        ended = live & transcript.ended[seats]
        self._seating.leave(ended.reshape(self._seating.rows.shape))

    def _rows(self, seats: np.ndarray) -> Rows:
        transcript = self._transcript
        ages = np.where(seats == FREE, 0, transcript.lengths[seats])
        last = np.array([prompt[-1] for prompt in self._prompts], np.int32)
        begin = last[seats // transcript.shape[1]]
        rows = {
            "tokens": np.where(ages > 0, transcript.tokens[seats, ages - 1], begin),
            "ages": ages,
            "limits": transcript.limits[seats].astype(np.int32),
            "live": seats != FREE,
            "row_ids": seats.astype(np.int32),
        }
        return Rows(**rows_to_devices(rows))

    def _load(self, groups: Sequence[int]) -> None:
        """Give groups the prefixes of their prompts, reading those that no group holds."""
        prompts = self._seating.prompts
        unread = dict.fromkeys(prompts[group] for group in groups)
        for batch in self._batches([prompt for prompt in unread if prompt not in self._read]):
            caches = self._prefill(batch)
            for index, prompt in enumerate(batch):
                group = next(group for group in groups if prompts[group] == prompt)
                self._prefixes = seat(self._prefixes, caches, index, group)
                self._read[group] = prompt
        for group in groups:
            if self._read[group] != prompts[group]:
                source = np.flatnonzero(self._read == prompts[group])[0]
                self._prefixes = share(self._prefixes, source, group)
                self._read[group] = prompts[group]

    def _batches(self, prompts: list[int]) -> Iterator[list[int]]:
        """Prompts, in ascending length, to be read together; makes room for each batch."""
        while prompts:
            slots = max(self._prefixes.num_slots, self._slots(prompts[0]))
            fit = [prompt for prompt in prompts if self._slots(prompt) <= slots]
            batch = fit[: prompts_at_once(slots)]
            if slots > self._prefixes.num_slots:
                self._prefixes = rearranged_prefixes(self._prefixes, None, slots)
            yield batch
            prompts = prompts[len(batch) :]

    def _slots(self, prompt: int) -> int:
        return bucket(len(self._prompts[prompt]) - 1)

    def _prefill(self, batch: list[int]) -> Prefixes:
        prefixes = [self._prompts[prompt][:-1] for prompt in batch]
        prefixes += prefixes[-1:] * (row_bucket(len(batch)) - len(batch))
        slots = self._prefixes.num_slots
        tokens = pad_left(prefixes, slots, self._model.tokenizer.pad_id)
        return prefill(self._model, self._params, rows_to_devices(tokens))

    def _with_room(self, num_steps: int, compile_for: Callable[[Ring], None]) -> Ring:
        """A ring for rows of this age, or as far as any row may come.

        What decodes with a larger one is compiled before that one is there, for compiling takes
        as much memory as a ring.
        """
        ring = self._ring
        slots = min(_FIRST_SLOTS, self._most_slots) if ring is None else ring.num_slots
        while slots < min(num_steps, self._most_slots):
            slots = min(2 * slots, self._most_slots)
        if ring is not None and slots == ring.num_slots:
            return ring
        num_rows = self._seating.rows.size
        shapes = ring_shapes(self._model.config, num_rows, slots, self._dtype, self._place)
        if jax.sharding.get_mesh().empty:  # on a mesh its shapes do not tell where it lies
            compile_for(shapes)
            give_back_freed_memory()
        return init_ring(shapes) if ring is None else rearranged_ring(ring, None, slots)

    def _shrink(self) -> None:
        size = min(self._size, self._seating.rows.shape[1])
        move = self._seating.shrink(size)
        if move is not None:
            if self._ring is not None:
                self._ring = rearranged_ring(self._ring, move.seats, self._ring.num_slots)
            slots = self._prefixes.num_slots
            self._prefixes = rearranged_prefixes(self._prefixes, move.groups, slots)
            self._read = self._read[move.groups]
