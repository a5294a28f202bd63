"""Folders of TensorBoard events, through TensorBoard's own reader (the extra `tensorboard`)."""

import logging
from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import Entry, Log

EVENT_FILES = "*tfevents*"
_KEEP_ALL = 0
_MAX_BYTES = 1024**3
_NUMBERS = ("DT_HALF", "DT_FLOAT", "DT_DOUBLE", "DT_INT8", "DT_INT16", "DT_INT32", "DT_INT64")


def read_tensorboard(folder: Path) -> Log:
    """The scalars in a folder's event files, in the order written; the clock is `step`.

    A resumed run adds another file, whose steps may repeat those of the previous one: all are kept
    here, and repetitions are resolved later, as in any other log.

    **Raises:** `InputError` without the extra, `TrajectoryError` if there is no scalar to read.
    """
    files = [path for path in sorted(folder.glob(EVENT_FILES)) if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    if size > _MAX_BYTES:
        raise TrajectoryError(f"{folder}: {size} bytes of events; at most {_MAX_BYTES} are read")
    try:
        from tensorboard.backend.event_processing import (  # pyright: ignore[reportMissingImports]
            event_accumulator,
        )
        from tensorboard.util.tensor_util import (  # pyright: ignore[reportMissingImports]
            make_ndarray,
        )
    except ImportError as error:
        raise InputError(
            f"{folder}: to read TensorBoard events, pip install 'jaxgap[tensorboard]'"
        ) from error
    # Its warnings would precede our one-line error.
    logging.getLogger("tensorboard").setLevel(logging.CRITICAL)
    events = event_accumulator.EventAccumulator(
        str(folder),
        size_guidance={"scalars": _KEEP_ALL, "tensors": _KEEP_ALL},
        purge_orphaned_data=False,
    )
    try:
        events.Reload()
        tags = events.Tags()
        logged = [
            (event, tag, event.value) for tag in tags["scalars"] for event in events.Scalars(tag)
        ]
        # TensorFlow 2 and JAX writers store a scalar as a tensor of one number.
        logged += [
            (event, tag, make_ndarray(event.tensor_proto).item())
            for tag in tags["tensors"]
            for event in events.Tensors(tag)
            if _is_number(event.tensor_proto)
        ]
    except Exception as error:
        # A parser of untrusted binary files may raise anything.
        raise TrajectoryError(
            f"{folder}: its TensorBoard events cannot be read: {error}"
        ) from error
    if not logged:
        raise TrajectoryError(f"{folder}: no scalars in its TensorBoard events")
    logged.sort(key=lambda each: each[0].wall_time)
    entries = [
        Entry(f"{folder}: '{tag}' at step {event.step}", {"step": event.step, tag: value})
        for event, tag, value in logged
    ]
    return Log(str(folder), "step", tuple(entries))


def _is_number(tensor) -> bool:
    """Whether a tensor of TensorFlow's format is a single number."""
    from tensorboard.compat.proto import types_pb2  # pyright: ignore[reportMissingImports]

    one = all(dim.size == 1 for dim in tensor.tensor_shape.dim)
    name_of = types_pb2.DataType.Name  # pyright: ignore[reportAttributeAccessIssue]
    return one and name_of(tensor.dtype) in _NUMBERS
