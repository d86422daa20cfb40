"""A program of the user's own as a task: what a study declares of it, and its outcome.

`task: {name: command, command: …}` runs any program, `task: {name: python, function: …}` calls a
function. docs/programs.md is the contract with both.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values, is_number, refuse_unknown, require
from scaling_study.tasks.base import Description

COMMAND, PYTHON = "command", "python"
KINDS = (COMMAND, PYTHON)
# Keys of `task`; the last two are written by us into a run's config.yaml.
KEYS = (
    *("name", "command", "function", "describe", "settings", "length", "costs", "outcome"),
    *("source", "asks"),
)
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# The result column of a program's outcome, whatever the program calls it.
OUTCOME = "outcome"
UNKNOWN = "must be command or python, which have settings; other tasks are one name"


@dataclass(frozen=True, kw_only=True)
class DeclaredOutcome:
    """What a program's runs are compared by.

    `name` and `unit` are for people. `direction` is which value is better, `best` the value that
    cannot be beaten: runs are compared by ln |outcome - best|, which is ln(loss) with the default
    0, ln(loss - E) with E, and ln(1 - accuracy) with direction higher and best 1.
    """

    name: str
    unit: str
    direction: str
    best: float

    def __post_init__(self) -> None:
        accepted = "must be lower or higher"
        require(
            self.direction in ("lower", "higher"),
            "task.outcome.direction",
            self.direction,
            accepted,
        )


@dataclass(frozen=True, kw_only=True)
class Program:
    """The checked group `task`: exactly one of `command` and `function`.

    `settings` are values of the program's own, which grids may vary; `length` is what it calls its
    length of training (steps, tokens), which tells regimes apart, None for epochs; `costs` are
    formulas by column; `source` is the hash of its code, `asks` the names of the settings that it
    uses: both are None until a run is made of it.
    """

    name: str
    command: str | None
    function: str | None
    describe: str | None
    settings: Mapping[str, Any]
    length: str | None
    costs: Mapping[str, Any]
    outcome: DeclaredOutcome
    source: str | None
    asks: tuple[str, ...] | None

    @property
    def text(self) -> str:
        """The command, or the import path of the function."""
        return self.command or self.function or ""


@dataclass(frozen=True, kw_only=True)
class ProgramTask(Description):
    """The description of a program's outcome; its column holds what the program reported."""

    best: float
    higher: bool

    def minimised(self, row: Mapping[str, object]) -> object:
        """The distance to the best value; InputError for an outcome that is better than that."""
        value = row[self.outcome]
        if not is_number(value):
            return value
        gap = self.best - value if self.higher else value - self.best
        if gap <= 0:
            raise InputError(
                f"{row.get('run_id')}: outcome {value:g} is not worse than task.outcome.best="
                f"{self.best:g}, which no run may reach; give another value"
            )
        return gap


def placeholders(template: str, key: str) -> list[str]:
    """The names in braces of a command; InputError for a bad one."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"{key}={template}: {error}; a brace itself is written twice") from None
    names = []
    for _, name, spec, conversion in parts:
        if name is not None:
            good = NAME.fullmatch(name) is not None and not spec and not conversion
            require(good, key, template, f"{{{name}}} is no name of a setting")
            names.append(name)
    return names


def program_of(values: Mapping[str, Any]) -> Program:
    """The checked program in the group `task`; InputError for what is none."""
    refuse_unknown(values, KEYS, "task.")
    name = values.get("name")
    require(name in KINDS, "task.name", name, UNKNOWN)
    wanted, other = ("command", "function") if name == COMMAND else ("function", "command")
    given = values.get(wanted)
    example = "python train.py --depth {depth} --seed {seed} --out {run_dir}"
    example = example if name == COMMAND else "my_module.train"
    good = isinstance(given, str) and bool(given.strip())
    require(good, f"task.{wanted}", given, f"must be given, as in {example!r}")
    require(values.get(other) is None, f"task.{other}", values.get(other), f"task.name={name}")
    describe = values.get("describe")
    require(describe is None or isinstance(describe, str), "task.describe", describe, "a command")
    return Program(
        name=str(name),
        command=values.get("command"),
        function=values.get("function"),
        describe=describe,
        settings=_settings(values.get("settings") or {}),
        length=_length(values.get("length"), values.get("settings") or {}),
        costs=_named(values.get("costs") or {}, "task.costs"),
        outcome=outcome_of(values.get("outcome") or {}),
        source=values.get("source"),
        asks=None if values.get("asks") is None else tuple(map(str, values["asks"])),
    )


def description(outcome: DeclaredOutcome) -> ProgramTask:
    """What the analysis reads of the task of a program, or of runs made elsewhere."""
    return ProgramTask(
        outcome=OUTCOME,
        unit=outcome.unit,
        direction="lower",
        chance=lambda n_classes: None,
        worst_learned=lambda n_classes: None,
        noise_prior=lambda outcome, n_val: None,
        best=outcome.best,
        higher=outcome.direction == "higher",
    )


def _named(values: object, key: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InputError(f"{key}={values!r}: must be a group of settings")
    for name in values:
        good = isinstance(name, str) and NAME.fullmatch(name) is not None
        require(good, key, name, "must be a name of letters, digits and _")
    return dict(values)


def _settings(values: object) -> dict[str, Any]:
    found = _named(values, "task.settings")
    for name, value in found.items():
        good = is_number(value) or isinstance(value, str | bool)
        require(good, f"task.settings.{name}", value, "must be a number, a text, true or false")
    return found


def _length(value: object, settings: object) -> str | None:
    if value is None:
        return None
    good = isinstance(value, str) and NAME.fullmatch(value) is not None
    require(good, "task.length", value, "must be the name of the length, as in steps")
    twice = isinstance(settings, Mapping) and value in settings
    require(not twice, f"task.settings.{value}", "given", "task.length is train.epochs, no setting")
    return str(value)


def outcome_of(values: object) -> DeclaredOutcome:
    """The checked outcome that a study declares; InputError for none."""
    if isinstance(values, str):
        values = {"name": values}
    if not isinstance(values, Mapping):
        raise InputError(f"task.outcome={values!r}: must be a name, or a group of settings")
    higher = values.get("direction") == "higher"
    require(
        not higher or "best" in values,
        "task.outcome.direction",
        "higher",
        "needs task.outcome.best, the value that cannot be beaten, as in 1 for an accuracy",
    )
    defaults = {"name": OUTCOME, "unit": "", "direction": "lower", "best": 0.0}
    return from_values(DeclaredOutcome, {**defaults, **values}, "task.outcome.")
