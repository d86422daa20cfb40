"""Rows of the default study, as simulated, and their verdicts."""

import numpy as np
from calibration.simulator import study

from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table

FLOPS = {"rules": {"cost": "flops"}}


def default_study(short=0.0, long=0.0, **columns):
    """Rows of 30 runs; step times are measured, activations and parameters are other costs."""
    rows = study(short, long, timing=0.02).rows(np.random.default_rng(3))
    for row in rows:
        row["params"] = row["depth"] * row["width"] ** 2
        row["activations"] = row["flops"] ** 0.8 * row["depth"] ** 0.2
        row["train_flops"] = row["flops"] * row["epochs"]
        row |= columns
    return rows


def table_of_rows(rows, excluded=()):
    epochs = tuple(sorted({row["epochs"] for row in rows}))
    return Table("made up", tuple(rows), tuple(excluded), {}, 32, epochs=epochs)


def judged(rows, declared=FLOPS, excluded=(), cost=None):
    """The table, its cells, the rules and their verdicts."""
    table, prereg = table_of_rows(rows, excluded), load_rules(None, declared)
    cells = StudyCells.of(table.rows, prereg.base)
    return table, cells, prereg, judge(table, cells, prereg, cost)
