"""study.yaml: what a table of runs made elsewhere is about, as its user declares it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.study.columns import ALL_COST_NAMES, LR
from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, yaml_in
from scaling_study.common.validation import is_number, refuse_unknown, require
from scaling_study.study.axes import AXES
from scaling_study.tasks import described

KEYS = (
    *("name", "question", "outcome", "length", "axes", "cost", "seed_sd", "selection", "split"),
    "rules",
)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
# What no config key has.
NO_NAME = re.compile(r"\W+")
# How the value of a run was chosen among its epochs, and on which images.
SELECTIONS, SPLITS = ("last", "best"), ("test", "val")
# Names of columns that hold the best value of many.
BEST = re.compile(r"(^|[^a-z])(best|max|min)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DeclaredStudy:
    """The checked file; `length` is the column that regimes are told apart by, None: epochs.

    `outcome` is that of `task.outcome` in docs/programs.md. `axes` are those that only this study
    has: columns by the names that figures give them. `rules` are those of a grid file.
    """

    name: str
    question: str | None
    outcome: Mapping[str, Any]
    length: str | None
    axes: Mapping[str, str]
    cost: str
    seed_sd: float | None
    selection: str | None
    split: str | None
    rules: Mapping[str, Any]

    @property
    def axis_keys(self) -> dict[str, str]:
        """The columns of `axes` by the config keys that stand for them in the study."""
        return {axis_key(name): column for name, column in self.axes.items()}

    def grid(self) -> dict[str, Any]:
        """What grid.yaml of the study says; the levels of its own axes are those of its runs."""
        rules = {"cost": self.cost, **self.rules}
        if self.seed_sd is not None:
            rules["seed_sd"] = self.seed_sd
        asked = {"question": self.question} if self.question else {}
        task: dict[str, Any] = {"name": "table", "outcome": dict(self.outcome)}
        task |= {"length": self.length} if self.length else {}
        own: dict[str, Any] = {}
        if self.axes:
            named = {axis_key(name): name for name in self.axes}
            own = {"axes": dict.fromkeys(named), "labels": named}
        return {"name": self.name, **asked, "task": task, **own, "rules": rules}


def declared_study(path: Path) -> DeclaredStudy:
    """The study in a YAML file; an InputError that names what is wrong with it."""
    try:
        values = yaml_in(path)
    except (FileNotFoundError, UnreadableError) as error:
        raise InputError(f"--study {path}: {error}") from None
    return declared(values, f"--study {path}")


def declared(values: object, where: str) -> DeclaredStudy:
    """The study that these values declare; an InputError that says what is wrong at `where`."""
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: must hold {', '.join(KEYS)}")
    refuse_unknown(values, KEYS, f"{where}: ")
    name, cost = values.get("name", "imported"), values.get("cost", "train_flops")
    good = isinstance(name, str) and NAME.fullmatch(name) and name != "runs"
    require(bool(good), "name", name, "must be the name of a folder")
    require(cost in [*ALL_COST_NAMES], "cost", cost, f"must be one of {', '.join(ALL_COST_NAMES)}")
    outcome = values.get("outcome") or {}
    outcome = {"name": outcome} if isinstance(outcome, str) else outcome
    described({"name": "table", "outcome": outcome})
    for key, known in (("selection", SELECTIONS), ("split", SPLITS)):
        value = values.get(key)
        require(value is None or value in [*known], key, value, f"must be {' or '.join(known)}")
    sd, rules = values.get("seed_sd"), values.get("rules") or {}
    require(sd is None or (is_number(sd) and sd > 0), "seed_sd", sd, "must be a number above 0")
    for key in ("question", "length"):
        text = values.get(key)
        require(text is None or isinstance(text, str), key, text, "must be a text")
    require(isinstance(rules, Mapping), "rules", rules, "must be those of a grid file")
    own, length = _axes(values.get("axes") or {}), values.get("length")
    require(length not in own.values(), "axes", length, "is the length already")
    return DeclaredStudy(
        name=name,
        question=values.get("question"),
        outcome=outcome,
        length=length,
        axes=own,
        cost=cost,
        seed_sd=sd,
        selection=values.get("selection"),
        split=values.get("split"),
        rules=rules,
    )


def axis_key(name: str) -> str:
    """The config key of an axis of a table, which has none: a name with a dot, as own axes have."""
    return LR.key if name == LR.name else f"table.{NO_NAME.sub('_', name)}"


def _axes(values: object) -> dict[str, str]:
    """The columns of a study's own axes by name; a list names them as the table does."""
    if isinstance(values, list) and all(isinstance(name, str) for name in values):
        values = {name: name for name in values}
    accepted = "must be a list of columns, or map names to columns, as in {heads: n_heads}"
    good = isinstance(values, Mapping) and all(
        isinstance(text, str) and text for pair in values.items() for text in pair
    )
    if not good or not isinstance(values, Mapping):
        raise InputError(f"axes={values!r}: {accepted}")
    for name in values:
        known = name in {axis.name for axis in AXES}
        require(not known, "axes", name, f"is an axis already; give --map {name}=COLUMN")
    keys = {axis_key(name): name for name in values}
    twins = [name for name in values if keys[axis_key(name)] != name]
    require(not twins, "axes", twins, "must differ in more than signs")
    return dict(values)


def refuse_selection(study: DeclaredStudy, column: str) -> None:
    """Raise an InputError for outcomes that are the best of many looks at the test images.

    Such a minimum is lower the more often one looked, so longer runs win by looking alone. A column
    whose name says best, max or min counts as such unless the study says `selection`.
    """
    chosen = study.selection or ("best" if BEST.search(column) else "last")
    split = study.split or "test"
    if chosen == "best" and split == "test":
        raise InputError(
            f"{column!r} is selected by the best epoch on the images that judge it: the best of "
            "more looks is better by luck. Give the value of the last epoch, or say in the study "
            "file `split: val` if it was chosen on other images than it is measured on, or "
            "`selection: last` if it was not chosen"
        )
