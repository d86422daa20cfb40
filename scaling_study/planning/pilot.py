"""Whether a pilot's noise holds for what a command line has made of its grid.

A grid's `planning` was measured on what its file says, before overrides: on its data (other classes
and images of the same kind included), its resolutions, its recipe and its kind of model. Where
overrides change these, the noise is that of another study, and a prior stands in for it. What
overrides say of `planning` itself is about the study that they make.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from scaling_study.config import hydra_app
from scaling_study.config.keys import COMMON_KEYS, RUN_KEYS, key_of
from scaling_study.config.other_files import with_files
from scaling_study.data import data_set
from scaling_study.grid.bases import Bases
from scaling_study.grid.expand import candidates
from scaling_study.grid.schema import files_of
from scaling_study.study.axes import plain, sort_key

Settings = Mapping[str, Any]
# Values by what compares them: 16 and 16.0 are one.
Values = dict[tuple[bool, float, str], Any]
# What a pilot need not share: sizes and lengths of training, of which a plan has its own, which
# images of a kind there are, and what the runs are trained on.
FREE = {"model.depth", "model.width", "train.epochs", "data.seed", "seed", "device", "precision"}
# Overrides of these lead to the same runs.
OF_THE_COMMAND = {*COMMON_KEYS, "dry_run", "plan", "explain", "diff", "budget", "report"}
# Settings that decide which others there are.
KINDS = ("data.name", "model.family", "task")
# So many differences are named.
NAMED = 3


def fitting(
    grid: Mapping[str, Any], settings: Settings, overrides: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """The grid with those entries of its `planning` that hold for it, and what is said of others.

    `settings` are those of the command with its `overrides`. An entry for a length of training
    that not even the grid's file has stays, for the check that refuses it.
    """
    planning = grid.get("planning")
    if not isinstance(planning, Mapping) or not any(map(_matters, overrides)):
        return dict(grid), []
    chosen = [text for text in overrides if text.startswith("+grid=")]
    file = hydra_app.composed("sweep", [*hydra_app.search_path(), *chosen])
    declared = file["grid"].get("planning") or {}
    own = [key for key, pilot in planning.items() if key in declared and declared[key] == pilot]
    now = _values(grid, settings, overrides)
    before = _values(file["grid"], file, chosen)
    lengths = before["train.epochs"].keys() - now["train.epochs"].keys()
    gone = [key for key in own if sort_key(key) in lengths]
    notes = [f"grid.planning.{key}: ignored, no run has {key} epochs" for key in gone]
    others = [*_differences(now, before)]
    if others and len(own) > len(gone):
        more = ", …" if len(others) > NAMED else ""
        notes.append(
            f"grid.planning: its pilot had {', '.join(others[:NAMED])}{more}; its noise is not "
            "used here, a prior is"
        )
    dropped = own if others else gone
    kept = {key: pilot for key, pilot in planning.items() if key not in dropped}
    return {**grid, "planning": kept}, notes


def _matters(override: str) -> bool:
    """Whether an override may change the runs of a grid."""
    key = key_of(override)
    return key not in ("grid", "grid.name") and key.partition(".")[0] not in OF_THE_COMMAND


def _values(
    grid: Mapping[str, Any], settings: Settings, overrides: Sequence[str]
) -> dict[str, Values]:
    """All values that the points of a grid have of each setting."""
    base = {key: settings[key] for key in RUN_KEYS}
    bases = Bases(base, partial(with_files, base, overrides))
    points = [candidate.point for candidate in candidates(grid, bases.known)]
    varied = {key for point in points for key in point}
    known = [bases.known(point) for point in {repr(files_of(p)): p for p in points}.values()]
    return {
        key: {sort_key(v): v for v in (p.get(key, bases.known(p).get(key)) for p in points)}
        if key in varied
        else {sort_key(value): value for value in (found[key] for found in known if key in found)}
        for key in dict.fromkeys(key for found in known for key in found)
    }


def _differences(now: Mapping[str, Values], before: Mapping[str, Values]) -> Iterator[str]:
    """What the pilot had of the settings in which runs differ from it.

    Another data set, family or task has other settings, and says it all.
    """
    (name,) = now["data.name"].values()
    parts = fields(data_set(name).config)
    free = FREE | {f"data.{f.name}" for f in parts if f.metadata.get("infrastructure")}
    kinds = [key for key in KINDS if now[key].keys() - before[key].keys()]
    for key in kinds or sorted(now.keys() - free):
        known = before.get(key, {})
        if now[key].keys() - known.keys():
            yield f"{key}={', '.join(map(plain, known.values())) or 'unset'}"
