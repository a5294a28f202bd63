"""Python's modules without files: all are read first and imported from memory later.

Once the walls stand no file can be opened, but programs and graders import modules on demand. So
the source or bytecode of every module is read beforehand, and C extensions are loaded; the
interpreter then needs no file system at all.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

# Useless without a screen, a network or a compiler, or the tests of other packages.
_LEFT_OUT = {
    "__pycache__",
    "ensurepip",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
    "venv",
}


class _Source(NamedTuple):
    """A module as it was on disk: bytecode with its header, or source."""

    data: bytes
    is_bytecode: bool
    is_package: bool
    origin: str


class MemoryFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the given modules, by their full names."""

    def __init__(self, modules: dict[str, _Source]):
        self._modules = modules

    def find_spec(self, fullname, path=None, target=None):
        module = self._modules.get(fullname)
        if module is None:
            return None
        return importlib.util.spec_from_loader(
            fullname, self, origin=module.origin, is_package=module.is_package
        )

    def get_code(self, fullname: str) -> CodeType:
        module = self._modules[fullname]
        if module.is_bytecode:
            return marshal.loads(memoryview(module.data)[16:])
        return compile(module.data, module.origin, "exec", dont_inherit=True)

    def get_source(self, fullname: str) -> None:
        return None

    def is_package(self, fullname: str) -> bool:
        return self._modules[fullname].is_package

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)


def import_from_memory(packages: Iterable[str]) -> None:
    """From now on, import only from memory: the standard library, and `packages` in full.

    **Arguments:**

    - `packages`: names of importable top-level packages.
    """
    modules: dict[str, _Source] = {}
    library = Path(sysconfig.get_path("stdlib"))
    for name, source in _modules_below(library, ""):
        modules[name] = source
    for package in packages:
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            modules.update(_modules_below(Path(folder), f"{package}."))
    _load_extensions()
    sys.meta_path[:] = [
        importlib.machinery.BuiltinImporter,
        importlib.machinery.FrozenImporter,
        MemoryFinder(modules),
    ]
    sys.path.clear()
    sys.path_importer_cache.clear()


def _modules_below(folder: Path, prefix: str) -> Iterator[tuple[str, _Source]]:
    """The modules in a folder and in the packages below it, with their full names."""
    for path in folder.iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            yield prefix + path.stem, _read(path, is_package=False)
        elif path.name not in _LEFT_OUT and (path / "__init__.py").is_file():
            yield prefix + path.name, _read(path / "__init__.py", is_package=True)
            yield from _modules_below(path, f"{prefix}{path.name}.")


def _read(path: Path, *, is_package: bool) -> _Source:
    cached = Path(importlib.util.cache_from_source(str(path)))
    try:
        bytecode = cached.read_bytes()
    except OSError:
        bytecode = b""
    if bytecode.startswith(_bytecode_header(path)):
        return _Source(bytecode, True, is_package, str(path))
    return _Source(path.read_bytes(), False, is_package, str(path))


def _bytecode_header(path: Path) -> bytes:
    """The header of bytecode compiled from this version of the file (PEP 552)."""
    status = path.stat()
    stamp = int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF
    return importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, *stamp)


def _load_extensions() -> None:
    """Import every C extension of the standard library that can be imported."""
    folder = Path(sysconfig.get_path("platstdlib")) / "lib-dynload"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for name in dict.fromkeys(path.name.split(".")[0] for path in paths):
        if not name.startswith(("_test", "_tkinter", "_curses", "xx", "readline")):
            try:
                importlib.import_module(name)
            except ImportError:
                continue
