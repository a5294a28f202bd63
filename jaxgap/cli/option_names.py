"""The library's messages with Python argument names replaced by command-line options."""

import re
import shlex
from collections.abc import Sequence

# Options whose names differ from their arguments'.
_OPTION_OF = {
    "cost": "stop_when",
    "prefixes": "prefix",
    "model": "models",
    "task": "tasks",
    "verifier": "verifiers",
    "num_candidates": "candidate_counts",
    "threshold": "thresholds",
    "seed": "seeds",
}
_CONSTRAINTS = ("fix", "bound")
_SETTING = re.compile(r"(?<= )(\w+)(?==[\w.-])")
_PAIR = re.compile(r"'(\w+)': '([^'{}]*)'")
_ADVICE = re.compile(
    rf"\bcolumns=\{{(?P<columns>{_PAIR.pattern}(?:, {_PAIR.pattern})*)\}}"
    r"|\bkind='(?P<kind>\w+)'"
    r"|`(?P<argument>[a-z_]+)(?:=True)?`"
    r"|`resume_folder\((?P<quote>['\"])(?P<run>.*?)(?P=quote)\)`"
)


def in_options(message: str, argv: Sequence[str] = ()) -> str:
    """A message with options in place of its first argument name and of those that it advises.

    **Arguments:**

    - `message`: such as `level must lie between 0 and 1, got 2`.
    - `argv`: what the user typed. An option that was not typed is not at fault, so its argument
        keeps its name, unless the message says that it must be given, or sets it against the value
        of one that was typed (`name=value`).

    Arguments are advised in backquotes, except `columns` and `kind`. Of constraints, the options
    that were typed are named.

    **Example:**

    >>> in_options("level must lie between 0 and 1, got 2", ["fit", "a.csv", "--level=2"])
    '--level must lie between 0 and 1, got 2'
    >>> in_options("name them by columns={'t': 'step', 'solver': 'nll'}, or give kind='accuracy'")
    'name them by --columns t=step,solver=nll, or give --kind accuracy'
    >>> in_options("begin anew with a lower `prompts_per_call`, or with `remat=True`")
    'begin anew with a lower --prompts-per-call, or with --remat'
    """
    name, separator, rest = message.partition(" ")
    known = {option.removeprefix("--").replace("-", "_"): option for option in options(argv)}
    if name.isidentifier() and (
        rest.startswith("must be given")
        or (rest.startswith("must ") and not known.keys().isdisjoint(_SETTING.findall(rest)))
    ):
        known.setdefault(name, "--" + name.replace("_", "-"))
        rest = _SETTING.sub(lambda setting: known.get(setting[1], setting[1]), rest)
    if name == "constraints:":
        name = " or ".join(known[each] for each in _CONSTRAINTS if each in known) + ":"
    option = known.get(name) or known.get(_OPTION_OF.get(name, ""), name)
    return _ADVICE.sub(_as_option, option + separator + rest)


def options(argv: Sequence[str]) -> set[str]:
    """The options that a user typed, as spelt."""
    return {each.partition("=")[0] for each in argv if each.startswith("--")}


def typed_options(argv: Sequence[str]) -> frozenset[str]:
    """The options that a user typed, as their help spells them."""
    return frozenset(option.replace("_", "-") for option in options(argv))


def _as_option(advice: re.Match[str]) -> str:
    if advice["kind"]:
        return f"--kind {advice['kind']}"
    if advice["argument"]:
        return "--" + advice["argument"].replace("_", "-")
    if advice["run"]:
        return f"jaxgap improve --resume {shlex.quote(advice['run'])}"
    columns = ",".join(map("=".join, _PAIR.findall(advice["columns"])))
    return f"--columns {shlex.quote(columns)}"
