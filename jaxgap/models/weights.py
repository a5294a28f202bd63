"""jaxgap's own weights files: safetensors named by the parameters' paths, joined with dots.

The decoder's configuration determines what a file may contain, so a manipulated file is refused
based on its header alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.models.params import Params
from jaxgap.models.safetensors_file import check_tensors, read_header, write_tensors


def save_weights(path: str | Path, params: Params) -> None:
    """Write parameters as safetensors in bfloat16, each named by its path joined with dots.

    **Arguments:**

    - `path`: the file.
    - `params`: a nested dict of arrays.
    """
    flat = {name: np.asarray(leaf).astype(jnp.bfloat16) for name, leaf in _flatten(params).items()}
    write_tensors(Path(path), flat)


def load_weights(path: str | Path, shapes: Params) -> Params:
    """Read parameters of known names and shapes from a safetensors file, as float32.

    **Arguments:**

    - `path`: the file.
    - `shapes`: a nested dict of objects with a `shape`, as returned by `LanguageModel.shapes`.

    **Returns:** a nested dict like `shapes`, of arrays.

    **Raises:** `ModelFileError` in one line, before the tensors are read, if the file is not
    safetensors, is truncated or longer than its header says, or if names, shapes or dtypes are not
    those expected.
    """
    path = Path(path)
    expected = {name: tuple(leaf.shape) for name, leaf in _flatten(shapes).items()}
    entries = read_header(path)
    check_tensors({name: entry.shape for name, entry in entries.items()}, expected, path)
    arrays = [jnp.asarray(entries[name].read().astype(np.float32)) for name in expected]
    return jax.tree.unflatten(jax.tree.structure(shapes), arrays)


def _flatten(params: Params) -> dict[str, Any]:
    paths, _ = jax.tree.flatten_with_path(params)
    return {".".join(str(key.key) for key in path): leaf for path, leaf in paths}
