"""Graders that run in a sandbox: other libraries' code on potentially hostile text."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgap.errors import InputError
from jaxgap.tasks.recent import RecentReplies
from jaxgap.tasks.sandbox import Isolation, Limits, Sandbox, SandboxPool, SessionEnded


class SandboxedGrader:
    """Asks a grader in a container, each question in a fresh process.

    **Arguments:**

    - `handler`, `arguments`, `packages`: as for :class:`jaxgap.tasks.sandbox.Sandbox`; the
        handler's replies are JSON.
    - `limits`: the limits on one question.
    """

    def __init__(
        self,
        handler: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        packages: Sequence[str],
        limits: Limits,
    ):
        self._pool = SandboxPool(lambda: Sandbox(handler, arguments, packages, limits))
        self._recent: RecentReplies[bytes, Any] = RecentReplies()

    def ask_all(self, requests: Sequence[bytes]) -> list[Any]:
        """The replies, in order; None for a request that killed the grader or reached a limit.

        **Raises:** `SandboxUnavailable` if the sandbox cannot be set up.
        """
        return self._recent.ask_all(requests, lambda unknown: self._pool.map(_ask, unknown))

    @property
    def isolation(self) -> Isolation:
        """Which walls isolate the grader.

        **Raises:** `SandboxUnavailable`.
        """
        return self._pool.run(lambda sandbox, _: sandbox.isolation, None)


def require(package: str, what: str) -> None:
    """Check that a package of an extra is installed.

    **Raises:** `InputError`.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f"{what} need the package {package}: pip install 'jaxgap[tasks]'")


def _ask(sandbox: Sandbox, request: bytes) -> Any:
    try:
        with sandbox.session() as session:
            return json.loads(session.ask(request))
    except (SessionEnded, ValueError, RecursionError):
        return None
