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
from scaling_study.tasks.base import DIFFERENCE, LOG, Description

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
# The value of `best` that is estimated from the runs.
FIT = "fit"
UNKNOWN = "must be command or python, which have settings; other tasks are one name"


@dataclass(frozen=True, kw_only=True)
class DeclaredOutcome:
    """What a study's runs are compared by.

    `name` and `unit` are for people, `column` is that of the results. `direction` is which value is
    better, `best` the value that cannot be beaten: on the scale `log` runs are compared by
    ln |outcome - best|, which is ln(loss) with the default 0, ln(loss - E) with E, and
    ln(1 - accuracy) with direction higher and best 1. With `best: fit` E is estimated from the
    runs. On the scale `difference` they are compared by the raw difference, and nothing is best.
    """

    name: str
    unit: str
    column: str
    direction: str
    scale: str
    best: float | str

    def check(self, path: str) -> None:
        """Raise an InputError that names the setting, under `path`, which makes no sense."""
        known = self.direction in ("lower", "higher")
        require(known, f"{path}.direction", self.direction, "must be lower or higher")
        known = self.scale in (LOG, DIFFERENCE)
        require(known, f"{path}.scale", self.scale, f"must be {LOG} or {DIFFERENCE}")
        known = is_number(self.best) or self.best == FIT
        require(known, f"{path}.best", self.best, f"must be a number, or {FIT}")
        fits = self.best != FIT or (self.direction == "lower" and self.scale == LOG)
        require(fits, f"{path}.best", FIT, f"goes with direction lower and scale {LOG}")


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
class DeclaredTask(Description):
    """The description of an outcome that a study declares; `best` is None where it is fitted."""

    best: float | None
    higher: bool

    @property
    def compared(self) -> str:
        """As in loss, loss above 1.2, accuracy below 1, or loss above its floor."""
        if self.scale == DIFFERENCE or (self.best == 0 and not self.higher):
            return self.noun
        if self.best is None:
            return f"{self.noun} above its floor"
        return f"{self.noun} {'below' if self.higher else 'above'} {self.best:g}"

    @property
    def fitted(self) -> bool:
        return self.best is None

    def minimised(self, row: Mapping[str, object]) -> object:
        """The distance to the best value; InputError for an outcome that is better than that.

        Where it is fitted, the outcome itself; on the scale of differences, the outcome with the
        sign that makes less better.
        """
        value = row.get(self.outcome)
        if not is_number(value):
            return value
        if self.scale == DIFFERENCE or self.best is None:
            return -value if self.higher else value
        gap = self.best - value if self.higher else value - self.best
        if gap <= 0:
            raise InputError(
                f"{row.get('run_id')}: outcome {value:g} is not worse than outcome.best="
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


def description(outcome: DeclaredOutcome, task: Description | None = None) -> DeclaredTask:
    """What the analysis reads of an outcome that is declared.

    What `task` knows of its outcome holds as well where the study only asks for another scale.
    """
    best = None if outcome.best == FIT else float(outcome.best)
    plain = outcome.direction == "lower" and best == 0
    known = task if task is not None and plain and task.outcome == outcome.column else None
    return DeclaredTask(
        outcome=outcome.column,
        name=outcome.name,
        unit=outcome.unit,
        direction="lower",
        scale=DIFFERENCE if outcome.scale == DIFFERENCE else LOG,
        chance=known.chance if known else lambda n_classes: None,
        worst_learned=known.worst_learned if known else lambda n_classes: None,
        noise_prior=known.noise_prior if known else lambda outcome, n_val: None,
        best=best,
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


def outcome_of(values: object, path: str = "task.outcome") -> DeclaredOutcome:
    """The checked outcome that a study declares under `path`; InputError for none."""
    if isinstance(values, str):
        values = {"name": values}
    if not isinstance(values, Mapping):
        raise InputError(f"{path}={values!r}: must be a name, or a group of settings")
    higher = values.get("direction") == "higher" and values.get("scale") != DIFFERENCE
    require(
        not higher or "best" in values,
        f"{path}.direction",
        "higher",
        f"needs {path}.best, the value that cannot be beaten, as in 1 for an accuracy, or "
        f"{path}.scale={DIFFERENCE}",
    )
    column = values.get("column", OUTCOME)
    name = values.get("name", column.removeprefix("val_") if isinstance(column, str) else column)
    defaults = {"name": name, "unit": "", "column": OUTCOME, "direction": "lower", "best": 0.0}
    found = from_values(DeclaredOutcome, {"scale": LOG, **defaults, **values}, f"{path}.")
    found.check(path)
    return found
