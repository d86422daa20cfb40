"""Runs that the cells of a grid need: `parents` of a grid, which a cell names as `run(NAME)`, and
those that it writes out, as `run(epochs=20)`.

A cell starts from the weights of one (`init`), or is taught by the predictions of one (`teacher`).
A parent is the run that its child would be with other settings: those said of it, and of the
child's own values in the grid only those that `same` lists. So every child has a parent, and
children that differ in nothing that their parent shares have one together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require, suggest
from scaling_study.config.keys import RUN_KEYS
from scaling_study.config.run import OF_OTHERS, REFERENCES, RunConfig
from scaling_study.config.scale_dependent import GROUPS
from scaling_study.grid.bases import Bases, Settings
from scaling_study.grid.parent_expression import NAME, Asked, asked_in
from scaling_study.grid.run_at_point import run_at
from scaling_study.grid.schema import Point, by_key, mapping
from scaling_study.models.initial_weights import ParentRun
from scaling_study.study.axes import config_key

SAME = "same"
# What a child's weights need to fit, and what makes replicates independent from the start.
SAME_BY_DEFAULT = ("model", "seed")
SEED = "seed"
OF_PARENTS = "names to the settings of runs that others start from, {plain: {epochs: 20}}"


@dataclass(frozen=True)
class Ancestor:
    """A run that others start from, its name in the grid, its point, and its own parents."""

    name: str
    run: RunConfig
    point: Point
    parents: tuple["Ancestor", ...] = ()


@dataclass(frozen=True)
class _Declared:
    """A parent of a grid: what it shares with its children, and what it has of its own.

    `path` is where the grid says so.
    """

    path: str
    same: tuple[str, ...]
    own: Point

    @property
    def by_seed(self) -> bool:
        """Whether each seed of its children has a parent of its own."""
        return SEED in self.same and SEED not in self.own

    def point(self, child: Point) -> Point:
        """Its point for the child at this one."""
        shared = {k: v for k, v in child.items() if any(_within(k, name) for name in self.same)}
        return {k: v for k, v in shared.items() if k not in REFERENCES} | self.own


class Parents:
    """The parents that a grid declares; `bases` are the settings that its cells begin from.

    InputError for a declaration that makes no sense.
    """

    def __init__(self, declared: object, bases: Bases) -> None:
        given = mapping(declared or {}, "grid.parents", OF_PARENTS)
        self._bases, self._own = bases, bases.changed(_of_a_parent)
        self._declared = {str(name): self._named(str(name), part) for name, part in given.items()}

    def _named(self, name: str, part: object) -> _Declared:
        path = f"grid.parents.{name}"
        require(NAME.fullmatch(name) is not None, path, name, "must be one plain word")
        return self._read(path, part)

    def _read(self, path: str, part: object) -> _Declared:
        values = dict(mapping(part, path, "settings to values, {data: fractals, epochs: 20}"))
        same = values.pop(SAME, SAME_BY_DEFAULT)
        listed = isinstance(same, list | tuple) and all(isinstance(key, str) for key in same)
        require(listed, f"{path}.{SAME}", repr(same), "must be a list of settings or groups")
        files = {k: v for k, v in values.items() if k in GROUPS and isinstance(v, str)}
        known = self._own.known(files)
        own = by_key({k: v for k, v in values.items() if k not in files}, known, path)
        every = {*RUN_KEYS, *known, *self._bases.known({})}
        for key in map(config_key, same):
            require(key in every, f"{path}.{SAME}", key, f"no such setting{suggest(key, [*every])}")
        return _Declared(path, tuple(map(config_key, same)), files | own)

    def run_at(self, point: Point) -> tuple[RunConfig, tuple[Ancestor, ...]]:
        """The run of the grid at a point, and the runs that it starts from.

        InputError as `run_at` has, or for a parent that the grid does not declare, or one that
        starts from itself.
        """
        return self._run(self._bases.of(point), point, ())

    def _run(
        self, base: Mapping[str, Any], point: Point, trail: Sequence[str]
    ) -> tuple[RunConfig, tuple[Ancestor, ...]]:
        found, resolved = list[Ancestor](), dict[str, ParentRun]()
        for key in REFERENCES:
            if (asked := asked_in(key, point.get(key, base[key]))) is None:
                continue
            declared = self._asked(asked, key)
            parent = self._parent(asked.name, declared, point, trail)
            found.append(parent)
            cell = parent.run.config_id if declared.by_seed else None
            resolved[key] = ParentRun(run=parent.run.run_id, name=parent.name, cell=cell)
        return run_at(base, point | resolved), tuple(found)

    def _asked(self, asked: Asked, key: str) -> _Declared:
        if asked.settings is not None and asked.name not in self._declared:
            self._declared[asked.name] = self._read(f"run({asked.name})", asked.settings)
        if asked.name not in self._declared:
            known = ", ".join(filter(NAME.fullmatch, self._declared)) or "nothing"
            near = suggest(asked.name, [*self._declared])
            wrong = f"no such parent{near}; grid.parents has {known}"
            raise InputError(f"{key}=run({asked.name}): {wrong}")
        return self._declared[asked.name]

    def _parent(
        self, name: str, declared: _Declared, child: Point, trail: Sequence[str]
    ) -> Ancestor:
        if name in trail:
            circle = ", which starts from ".join([*trail[trail.index(name) :], name])
            raise InputError(f"{declared.path}: a run cannot start from itself: {circle}")
        point = declared.point(child)
        try:
            run, parents = self._run(self._own.of(point), point, (*trail, name))
        except InputError as error:
            named = str(error).startswith(("grid.parents.", "run("))
            raise InputError(f"{error}" if named else f"{declared.path}: {error}") from None
        return Ancestor(name, run, point, parents)


def _of_a_parent(settings: Settings) -> Settings:
    """The settings that a parent begins from.

    A grid that says at its top what its cells start from, of whose labels they learn, or that
    their lengths share a trunk, does not say it of their parents.
    """
    base = {key: settings[key] for key in RUN_KEYS} | dict.fromkeys(REFERENCES)
    if isinstance(train := base["train"], Mapping):
        base["train"] = {k: OF_OTHERS.get(k, v) for k, v in train.items()}
    return base


def any_parent(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a point for what does not depend on which runs it needs, such as its cost."""
    found = dict(values)
    if "init" in found:
        found["init"] = None
    if found.get("teacher") not in (None, "none"):
        found["teacher"] = {"run": "any"}
    return found


def _within(key: str, name: str) -> bool:
    """Whether a config key is the setting called `name`, or one of that group."""
    return key == name or key.startswith(f"{name}.")
