"""Finished studies as the truth: published tables, and tables of this project's own studies.

A published table has one run a cell. Replicates are drawn around it, with an SD that is drawn
around what repeated trainings elsewhere say of it. Of an own study the runs themselves are used;
which of a cell's seeds comes first is drawn.
"""

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis.published.tables import DATA, N_IMAGES, N_MINIVAL, depth_width_table, figure_2_cells
from analysis.report.command import table_and_rules
from analysis.rules.planned import Planning
from analysis.study.noise_prior import published_prior
from analysis.study.step_times import StepTime
from calibration.case import Rows
from scaling_study.tasks.classification import prior_sd

STUDIES = Path(__file__).with_name("studies")
# Columns of an own study's table, and the exclusive step time of a run's network, where it has one.
TEXTS = ("config_id", "run_id", "data")
WHOLE = ("resolution", "epochs", "seed", "n_train", "n_val")
NUMBERS = ("depth", "width", "val_error", "step_time_s", "flops", "train_flops")
MEASURED = ("measured_s", "measured_log_se", "measured_df")
# Lengths of training of Figure 3 that the rules compare; the one between them is left out.
SHORT, LONG = 10, 350


@dataclass(frozen=True)
class Finished:
    """A finished study: `rows` draws one replay of `most` runs a cell.

    The whole grid has `seeds` a cell; of its training FLOPs an adaptive study may spend `share`.
    """

    name: str
    rows: Callable[[np.random.Generator], Rows]
    seeds: int
    most: int
    share: float
    rules: Mapping[str, Any] = field(default_factory=dict)
    planning: Planning = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """Cells of one published run each, with `most` replicates drawn around them."""

    cells: Rows
    most: int = 12

    def rows(self, rng: np.random.Generator) -> Rows:
        rows, off = [], rng.standard_normal()
        for cell in self.cells:
            factor = published_prior().factor(DATA, float(N_IMAGES * cell["epochs"]))
            scale = math.exp(factor.log_mean + factor.log_sd * off)
            sd = scale * prior_sd(cell["val_error"], N_MINIVAL)
            drawn = cell["val_error"] + sd * rng.standard_normal(self.most)
            key = cell["config_id"]
            rows += [
                cell | {"run_id": f"{key}-s{seed}", "seed": seed, "val_error": float(error)}
                for seed, error in enumerate(drawn)
            ]
        return rows


def _figure_3(*lengths: int) -> Rows:
    """The runs of Figure 3 of these lengths of training, in epochs."""
    return [_trained(dict(row)) for row in depth_width_table().rows if row["epochs"] in lengths]


def _figure_2() -> Rows:
    """The runs of Figure 2, of 350 epochs."""
    return [
        _trained(
            {
                **{"config_id": f"{cell.config_id}-e{cell.epochs}", "data": DATA},
                **{"depth": cell.depth, "width": cell.width, "resolution": cell.resolution},
                **{"epochs": cell.epochs, "n_train": N_IMAGES - N_MINIVAL, "n_val": N_MINIVAL},
                **{"val_error": cell.error, "flops": cell.costs["flops"][0]},
            }
        )
        for cell in figure_2_cells()
    ]


def _trained(row: dict[str, Any]) -> dict[str, Any]:
    flops = 3 * row["flops"] * row["n_train"] * row["epochs"]
    return row | {"status": "ok", "train_flops": flops}


@dataclass(frozen=True)
class Own:
    """A study of this project's own, by its table in `studies`."""

    table: Rows

    def rows(self, rng: np.random.Generator) -> Rows:
        """Its runs, the seeds of each cell in another order."""
        cells: dict[str, Rows] = {}
        for row in self.table:
            cells.setdefault(row["config_id"], []).append(row)
        return [
            row | {"seed": int(place)}
            for runs in cells.values()
            for place, row in zip(rng.permutation(len(runs)), runs, strict=True)
        ]


def read(path: Path) -> Rows:
    """The runs of an own study's table."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(row: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "ok", **{name: row[name] for name in TEXTS}}
    found |= {name: int(row[name]) for name in WHOLE}
    found |= {name: float(row[name]) for name in NUMBERS}
    if row[MEASURED[0]]:
        seconds, log_se, df = (float(row[name]) for name in MEASURED)
        shape = (row["depth"], row["width"])
        found["measured"] = StepTime(shape, seconds, log_se, df, "measured")
    return found


def keep(study_dir: Path) -> Path:
    """Write a finished study's runs into `studies`, to be replayed; raises as `table_of`."""
    table, _ = table_and_rules(study_dir)
    path = STUDIES / f"{study_dir.name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*TEXTS, *WHOLE, *NUMBERS, *MEASURED])
        for row in table.rows:
            time = row.get("measured")
            measured = [time.seconds, time.log_se, time.df] if time else ["", "", ""]
            writer.writerow([row[name] for name in (*TEXTS, *WHOLE, *NUMBERS)] + measured)
    return path


def finished() -> list[Finished]:
    """The studies that are replayed."""
    base = {"base": {"depth": 101, "width": 1.0}}
    own = [
        Finished(name, Own(table).rows, seeds, seeds, share)
        for name, share in OWN.items()
        for table in [read(STUDIES / f"{name}.csv")]
        for seeds in [1 + max(row["seed"] for row in table)]
    ]
    both = Published([*_figure_3(SHORT), *_figure_2()])
    return [
        Finished(FIGURE_3, Published(_figure_3(SHORT, LONG)).rows, 3, 12, 1.0, base),
        Finished(FIGURES, both.rows, 3, 12, 0.4, base | {"cost": "flops"}),
        *own,
    ]


FIGURE_3, FIGURES = "the paper's Figure 3", "the paper's Figures 2 and 3"
# Own studies with what an adaptive one may spend of their training FLOPs: two seeds of each cell
# that is compared are the least, so that of three seeds little is left to save.
OWN = {"depth_vs_width": 1.0}
