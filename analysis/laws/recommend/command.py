"""What `python -m analysis.recommend` prints for one study."""

import argparse

from analysis.fits.validate import describe, validate
from analysis.laws.recommend.budgets import BUDGETS
from analysis.laws.recommend.choose import Choice, Recommendation, recommend
from analysis.study.cells import cells_of
from analysis.study.table import table_of
from scaling_study.study.table import read_study

NO_SIZES = (
    "grid.yaml does not list the sizes of the model family, so only studied ones were considered; "
    "the sweep's command, repeated, lists them"
)


def _line(name: str, c: Choice) -> str:
    costs = ", ".join(f"{value:.3g} {BUDGETS[cost].unit}" for cost, value in c.costs.items())
    place = "" if c.inside else "; EXTRAPOLATED"
    return (
        f"{name}: depth {c.depth:g}, width {c.width:g}, {c.resolution} px, {c.epochs} epochs: "
        f"error {100 * c.error:.2f} %, in one new training [{100 * c.low:.2f}, "
        f"{100 * c.high:.2f}], as a mean over seeds [{100 * c.mean_low:.2f}, "
        f"{100 * c.mean_high:.2f}], {costs}; "
        f"nearest studied configuration a factor {c.distance:.2f} away{place}"
    )


def lines(found: Recommendation, margin: float) -> list[str]:
    """The recommendation in words, with the fit that it rests on."""
    surface = found.surface
    text = [_line("best", found.best)]
    if found.cheapest != found.best:
        text.append(_line(f"cheapest within {100 * margin:g} %", found.cheapest))
    sds = ", ".join(f"{BUDGETS[name].unit} {100 * sd:.1f} %" for name, sd in found.cost_sd.items())
    text.append(f"predicted costs are off by (SD): {sds}")
    text += [f"one more seed of {name} narrows the surface there by {gain:.1%}"
             for name, gain in found.repeats]  # fmt: skip
    if surface.dropped:
        text.append(f"terms that this design cannot carry: {', '.join(surface.dropped)}")
    return [*text, *describe(validate(surface.fit, surface.points, cost="cost", by="resolution"))]


def command(arguments: argparse.Namespace) -> list[str]:
    """Recommend for one study; the lines to print."""
    study = read_study(arguments.results)
    table = table_of(study, {})
    row, sizes = table.rows[0], study.grid.get("sizes") or {}
    found = recommend(
        cells_of(table.rows),
        {n: value for n in BUDGETS if (value := getattr(arguments, n)) is not None},
        steps_per_epoch=row["n_train"] / row["batch_size"],
        epochs=arguments.epochs,
        margin=arguments.margin,
        extrapolate=arguments.extrapolate,
        sizes=sizes,
    )
    left = [f"left out: {name}: {reason}" for name, reason in table.left_out.items()]
    return [*left, *lines(found, arguments.margin), *([] if sizes else [NO_SIZES])]
