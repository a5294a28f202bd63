"""The cache of compiled programs, which only the user can write to.

XLA loads a cached program without verifying it, so anyone who can write to the cache can run code
as the user. A folder that belongs to somebody else, or is writable by others, is not used.
"""

import os
import stat
from pathlib import Path


def cache_folder() -> Path:
    """The folder of compiled programs: `$XDG_CACHE_HOME/jaxgap`, else `~/.cache/jaxgap`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "jaxgap" / "compiled"


def use_compile_cache() -> bool:
    """Enable JAX's persistent compilation cache; whether that was possible.

    A cache that the user has chosen for JAX (`JAX_COMPILATION_CACHE_DIR`) stays as it is. Without a
    safe folder, programs are recompiled and nothing else changes.
    """
    import jax

    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is not None:
        return True
    folder = cache_folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    if not _only_user_writes(folder):
        return False
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return True


def _only_user_writes(folder: Path) -> bool:
    """Whether the folder is not a link, is owned by the user, and is not writable by others."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.lstat()
    private = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and private
