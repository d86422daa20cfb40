"""The numbers behind figures about laws: error over cost with fits, shapes, returns of resolution.

Errors are fractions, costs forward FLOPs per image; missing values are None.
"""

import math
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from scipy.special import stdtrit

from analysis.fits.fit import Fit, fit
from analysis.fits.intervals import band, profile_interval
from analysis.laws.points import LEAST, Points, one_family, points_of
from analysis.laws.returns import by_step
from analysis.stats.contrast import t_quantile
from analysis.study.columns import LEVEL, Record, finite, interval
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

CURVE_POINTS = 80
FORMS = ("pl", "spl", "seg")


def fits_of(points: Points) -> dict[str, Fit]:
    """A power law, one with a floor and one with a break; none with fewer costs than rules ask.

    A law with two or three parameters through fewer configurations is a drawing, not a fit.
    """
    if len(np.unique(points["cost"])) < LEAST:
        return {}
    found = {}
    for form in FORMS:
        with suppress(InputError):
            found[form] = fit(points, form, y="error", x="cost")
    return found


def law_rows(
    points: Points, fits: Mapping[str, Fit], epochs: int, df: float, noise: str | None
) -> list[Record]:
    """Cells and curves with 95 % intervals, and the floor and the break with theirs, as records.

    `noise` is the kind that the cells' intervals rest on, with `df` degrees of freedom; those of
    curves, floor and break rest on how cells scatter about the law.
    """
    half = t_quantile(df, LEVEL) * points["se"]
    rows: list[Record] = []
    columns = ("resolution", "depth", "width", "cost", "error")
    for *values, h in zip(*(points[c].tolist() for c in columns), half.tolist(), strict=True):
        record = {"kind": "cell", **dict(zip(columns, values, strict=True))}
        rows.append(record | interval("error", record["error"], finite(h)) | {"noise": noise})
    grid = np.geomspace(points["cost"].min(), points["cost"].max(), CURVE_POINTS)
    for form, found in fits.items():
        error = np.exp(found.log_predict({"cost": grid}))
        curve = np.column_stack([grid, error, *band(found, {"cost": grid})])
        names = ("cost", "error", "error_low", "error_high")
        rows += [{"kind": form} | dict(zip(names, v, strict=True)) for v in curve.tolist()]
    rows += _landmarks(fits, float(points["error"].min()))
    return [{"epochs": epochs, **row} for row in rows]


def _landmarks(fits: Mapping[str, Fit], least: float) -> list[Record]:
    """The floor (an error) and the break (a cost), each with its 95 % interval.

    `least` is the smallest error of a configuration: what lies below a floor shows it is none.
    """
    rows: list[Record] = []
    spl = fits.get("spl")
    if spl and "E" not in spl.at_bound and 0 < spl.parameters["E"] <= least:
        low, high = profile_interval(spl, "E")
        floor = {"error": spl.parameters["E"], "error_low": low, "error_high": high}
        rows.append({"kind": "floor", **floor})
    if "seg" in fits:
        low, high = profile_interval(fits["seg"], "t")
        ends = {"cost": fits["seg"].parameters["t"], "cost_low": low, "cost_high": high}
        rows.append({"kind": "break", **{name: math.exp(v) for name, v in ends.items()}})
    return rows


def _regimes(cells: StudyCells, cost: str) -> Mapping[int, StudyCells]:
    """The regimes of a study in which a law can be; none of several families."""
    with suppress(InputError):
        one_family(cells)
        return cells.with_logs(cost).regimes
    return {}


def study_law_rows(cells: StudyCells, cost: str = "flops") -> list[Record]:
    """`law_rows` of every regime of a study that carries a law."""
    rows = []
    known = cells.with_logs(cost)
    for epochs, regime in _regimes(cells, cost).items():
        noise = known.noise(epochs)
        points = points_of(regime, cost, noise)
        if fits := fits_of(points):
            df = math.inf if noise is None else min(noise.dfs.values())
            rows += law_rows(points, fits, epochs, df, noise.kind if noise else None)
    return rows


def shape_rows(points: Points) -> list[Record]:
    """Each configuration with the error of a law with a floor at its cost, and how far it is off.

    `off` is ln(error) minus that of the law. Empty without a law, or with one width or depth.
    """
    levels = min(len(np.unique(points[axis])) for axis in ("depth", "width"))
    if levels < 2 or len(np.unique(points["cost"])) < LEAST:
        return []
    with suppress(InputError):
        law = np.exp(fit(points, "spl", y="error", x="cost").log_predict({"cost": points["cost"]}))
        off = np.log(points["error"] / law)
        columns = ("depth", "width", "resolution", "cost", "error")
        values = zip(
            *(points[c].tolist() for c in columns), law.tolist(), off.tolist(), strict=True
        )
        return [dict(zip((*columns, "law", "off"), row, strict=True)) for row in values]
    return []


def study_shape_rows(cells: StudyCells, cost: str = "flops") -> list[Record]:
    """`shape_rows` of the longest regime of a study."""
    known = _regimes(cells, cost)
    return shape_rows(points_of(known[max(known)], cost)) if known else []


def return_rows(points: Points, epochs: int) -> list[Record]:
    """Mean elasticity of error to cost of each step in resolution, with its t interval over steps.

    An elasticity of 0.1 takes a tenth of a percent off the error per percent of cost.
    """
    rows = []
    for s in by_step(points, "resolution"):
        half = finite(float(stdtrit(s.n - 1, LEVEL)) * s.sem) if s.n > 1 else None
        low, high = (None, None) if half is None else (s.estimate - half, s.estimate + half)
        row: Record = {"epochs": epochs, "from_px": s.start, "to_px": s.stop}
        rows.append(row | {"elasticity": s.estimate, "low": low, "high": high, "steps": s.n})
    return rows


def study_return_rows(cells: StudyCells, cost: str = "flops") -> list[Record]:
    """`return_rows` of every regime of a study with several resolutions."""
    return [
        row
        for epochs, regime in _regimes(cells, cost).items()
        for row in return_rows(points_of(regime, cost), epochs)
    ]
