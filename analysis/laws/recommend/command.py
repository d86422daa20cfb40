"""What `python -m analysis.recommend` prints for one study."""

import argparse
import math
from collections.abc import Mapping
from typing import Any

from analysis.fits.validate import describe, validate
from analysis.laws.floor import with_floor
from analysis.laws.recommend.budgets import BUDGETS
from analysis.laws.recommend.choose import Choice, Recommendation, recommend
from analysis.study.cells import cells_of
from analysis.study.measure import ERROR, Measure
from analysis.study.table import table_of
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_study

NO_SIZES = (
    "grid.yaml does not list the sizes of the model family, so only studied ones were considered; "
    "the sweep's command, repeated, lists them"
)


def _line(name: str, c: Choice, measure: Measure) -> str:
    costs = ", ".join(f"{value:.3g} {BUDGETS[cost].unit}" for cost, value in c.costs.items())
    place = "" if c.inside else "; EXTRAPOLATED"
    return (
        f"{name}: depth {c.depth:g}, width {c.width:g}, {c.resolution} px, "
        f"{measure.at(c.epochs)}: {measure.name} {_value(c.error, measure)} {measure.unit}".rstrip()
        + f", in one new training {_ends(c.low, c.high, measure)}, as a mean over seeds "
        f"{_ends(c.mean_low, c.mean_high, measure)}, {costs}; "
        f"nearest studied configuration a factor {c.distance:.2f} away{place}"
    )


def _value(value: float, measure: Measure) -> str:
    return f"{100 * value:.2f}" if measure.factor == 100 else f"{value:.4g}"


def _ends(low: float, high: float, measure: Measure) -> str:
    return f"[{_value(low, measure)}, {_value(high, measure)}]"


def lines(found: Recommendation, margin: float, measure: Measure = ERROR) -> list[str]:
    """The recommendation in words, with the fit that it rests on."""
    surface = found.surface
    text = [_line("best", found.best, measure)]
    if found.cheapest != found.best:
        text.append(_line(f"cheapest within {100 * margin:g} %", found.cheapest, measure))
    sds = ", ".join(f"{BUDGETS[name].unit} {100 * sd:.1f} %" for name, sd in found.cost_sd.items())
    text.append(f"predicted costs are off by (SD): {sds}")
    text += [f"one more seed of {name} narrows the surface there by {gain:.1%}"
             for name, gain in found.repeats]  # fmt: skip
    if surface.dropped:
        text.append(f"terms that this design cannot carry: {', '.join(surface.dropped)}")
    return [*text, *describe(validate(surface.fit, surface.points, cost="cost", by="resolution"))]


def _steps(row: Mapping[str, Any], measure: Measure) -> float:
    """Training steps in a unit of the length of training; NaN where nothing says."""
    if measure.length == "steps":
        return 1.0
    known = row.get("n_train") and row.get("batch_size")
    return float(row["n_train"] / row["batch_size"]) if known else math.nan


def command(arguments: argparse.Namespace) -> list[str]:
    """Recommend for one study; the lines to print."""
    study = read_study(arguments.results)
    table = with_floor(table_of(study, {}))
    row, sizes = table.rows[0], study.grid.get("sizes") or {}
    cells = cells_of(table.rows)
    measure = cells[0].measure
    if not measure.log:
        raise InputError(
            f"the surface of a recommendation is of ln({measure.name}), and this study compares "
            "raw differences: outcome.scale=log, with outcome.best, is needed"
        )
    found = recommend(
        cells,
        {n: value for n in BUDGETS if (value := getattr(arguments, n)) is not None},
        steps_per_epoch=_steps(row, measure),
        epochs=arguments.epochs,
        margin=arguments.margin,
        extrapolate=arguments.extrapolate,
        sizes=sizes,
    )
    left = [f"left out: {name}: {reason}" for name, reason in table.left_out.items()]
    return [*left, *lines(found, arguments.margin, measure), *([] if sizes else [NO_SIZES])]
