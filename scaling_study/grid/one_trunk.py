"""One trunk, many lengths: runs that differ in `epochs` alone share all steps before a decay.

With `one_trunk` each longer run goes on from the state that the next shorter one kept when its
decay began, so that the constant part of a WSD schedule is trained once (Hägele et al. 2024, arXiv
2405.18392). `anchors` are cells of which a run by cosine is trained alone, too: verdicts need that
the two agree within `margin` (analysis/rules/trunk_equivalence.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import flat_items, is_number, require
from scaling_study.config.axes import Settings
from scaling_study.config.run import RunConfig
from scaling_study.config.trunks import Trunk
from scaling_study.data import data_info
from scaling_study.grid.cell import Cell
from scaling_study.grid.parents import Ancestor
from scaling_study.grid.schema import VARIANT, Point, by_key, check_keys, mappings
from scaling_study.study.axes import KEYS, plain

NAME = "grid.one_trunk"
PARTS = ("anchors", "margin")
EPOCHS, SEED = KEYS["epochs"], KEYS["seed"]
# What an anchor is trained by, alone.
BY_COSINE = {"schedule": "cosine", "one_trunk": False}
OF_MARGIN = "must be the largest difference that counts as none, above 0: 0.05 for 5 % of the error"
OF_ANCHORS = "must list cells of which a run by cosine is trained too, [{depth: 14, epochs: 40}, …]"


@dataclass(frozen=True)
class OneTrunk:
    """A grid's `one_trunk`: the cells that are compared with cosine, by their values."""

    anchors: tuple[Point, ...]

    def joined(self, cells: Sequence[Cell]) -> list[Cell]:
        """The cells, each of which goes on from the next shorter one, then the anchors' runs.

        InputError where no two differ in the length alone, or an anchor is no cell.
        """
        _check_lengths(cells)
        trunks = defaultdict[tuple[str, int], list[Cell]](list)
        for cell in cells:
            trunks[cell.run.trunk_id, cell.run.seed].append(cell)
        found = {}
        for trunk in trunks.values():
            shortest, *_ = ordered = sorted(trunk, key=_length)
            found[shortest.run.run_id] = shortest
            found |= {b.run.run_id: _on_trunk_of(a, b) for a, b in pairwise(ordered)}
        if not any(cell.run.trunk for cell in found.values()):
            raise InputError(f"{NAME}: no two runs differ in the length alone{_nearest(cells)}")
        return [*(found[cell.run.run_id] for cell in cells), *self._anchors(cells)]

    def _anchors(self, cells: Sequence[Cell]) -> list[Cell]:
        chosen = dict[str, Cell]()
        for point in self.anchors:
            same = [cell for cell in cells if cell.lr_factor == 1 and _has(cell, point)]
            if not same:
                text = ", ".join(f"{key}: {plain(value)}" for key, value in point.items())
                raise InputError(
                    f"{NAME}.anchors: {{{text}}}: no cell of the grid has these values"
                )
            chosen |= {cell.run.run_id: cell for cell in same}
        lengths, tested = ({_length(c) for c in among} for among in (cells, chosen.values()))
        for end in (min(lengths), max(lengths)):
            if end not in tested:
                ends = "the shortest and the longest length need one each"
                raise InputError(f"{NAME}.anchors: none is of {end} epochs; {ends}")
        return [_by_cosine(cell) for cell in chosen.values()]


def read_one_trunk(grid: Mapping[str, Any], settings: Mapping[str, Any]) -> OneTrunk | None:
    """What a grid declares under `one_trunk`; None without it.

    `settings` are those of its runs. InputError for a wrong declaration, or one that does not go
    with the rest of the grid.
    """
    known = dict(flat_items(settings))
    if (declared := grid.get("one_trunk")) is None:
        if known.get("train.one_trunk"):
            raise InputError(f"train.one_trunk=true: a grid says it with {NAME}, which has anchors")
        return None
    recipe = settings.get("train")
    require(isinstance(recipe, Mapping), "train", repr(recipe), "must be the settings of a recipe")
    values = check_keys(declared, PARTS, NAME)
    margin = values.get("margin")
    require(is_number(margin) and margin > 0, f"{NAME}.margin", repr(margin), OF_MARGIN)
    anchors = mappings(values.get("anchors") or [], f"{NAME}.anchors")
    require(bool(anchors), f"{NAME}.anchors", list(anchors), OF_ANCHORS)
    if isinstance(settings.get("task"), Mapping):
        raise InputError(f"{NAME}: a program trains by a schedule of its own; leave it out")
    if grid.get("allocation") is not None:
        why = "gives the lengths of one trunk other numbers of seeds; leave one of them out"
        raise InputError(f"grid.allocation: {why}, {NAME} or this")
    return OneTrunk(tuple(_point(anchor, known) for anchor in anchors))


def with_one_trunk(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of runs that share trunks."""
    return {**settings, "train": {**settings["train"], "one_trunk": True}}


def _point(anchor: Mapping[Any, Any], known: Mapping[str, Any]) -> Point:
    variant = {key: value for key, value in anchor.items() if key == VARIANT}
    own = {key: value for key, value in anchor.items() if key != VARIANT}
    return variant | by_key(own, known, f"{NAME}.anchors")


def _length(cell: Cell) -> int:
    return cell.run.train.epochs


def _has(cell: Cell, point: Point) -> bool:
    known = {**Settings().of(cell.run), VARIANT: cell.variant}
    return all(known.get(key) == value for key, value in point.items())


def _on_trunk_of(shorter: Cell, cell: Cell) -> Cell:
    """The cell as it goes on from the trunk of a shorter one; as it is where nothing is shared."""
    trunk = Trunk(run=shorter.run.run_id, epochs=_length(shorter))
    run = replace(cell.run, trunk=trunk)
    if not run.shared_steps(data_info(run.data).n_train):
        return cell
    origin = Ancestor(f"the trunk of {trunk.epochs} epochs", shorter.run, shorter.point)
    return replace(cell, run=run, parents=(*cell.parents, origin))


def _by_cosine(cell: Cell) -> Cell:
    """The cell's run as cosine trains it alone."""
    run = replace(cell.run, train=replace(cell.run.train, **BY_COSINE))  # type: ignore[arg-type]
    point = cell.point | {f"train.{key}": value for key, value in BY_COSINE.items()}
    return replace(cell, run=run, point=point, anchor=cell.run.config_id)


def _check_lengths(cells: Sequence[Cell]) -> None:
    """InputError for one length, or for a setting that a recipe changes with the length."""
    lengths = {_length(cell) for cell in cells}
    if len(lengths) == 1:
        few = "is the only length of the grid, and a trunk is shared by two or more"
        raise InputError(f"{NAME}: {max(lengths)} epochs {few}; give axes.epochs more")
    alike = dict[str, Cell]()
    for cell in cells:
        but_length = {k: v for k, v in cell.point.items() if k != EPOCHS}
        first = alike.setdefault(repr(sorted(but_length.items())), cell)
        if first.run.trunk_id != cell.run.trunk_id:
            changed = _differing(first.run, cell.run)
            raise InputError(
                f"{NAME}: {', '.join(changed)} changes with the length, between {_length(first)} "
                f"and {_length(cell)} epochs; give a recipe that stays the same, as train=fixed"
            )


def _differing(one: RunConfig, other: RunConfig) -> list[str]:
    """Settings besides length and seed that two runs do not share."""
    settings = Settings()
    first, second = (dict(_plain_settings(settings.of(run))) for run in (one, other))
    return [key for key, value in first.items() if second.get(key) != value]


def _plain_settings(found: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((k, v) for k, v in found.items() if "." in k and k not in (EPOCHS, SEED))


def _nearest(cells: Sequence[Cell]) -> str:
    """What else differs between the two runs of different lengths that have most in common."""
    first = cells[0]
    others = [cell for cell in cells if _length(cell) != _length(first)]
    changed = min((_differing(first.run, other.run) for other in others), key=len, default=[])
    return f": {', '.join(changed)} differs too" if changed else ""
