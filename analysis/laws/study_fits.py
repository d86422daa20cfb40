"""The fits that every study gets: laws of error over cost per regime, and the surface."""

import math

import numpy as np

from analysis.fits.fit import Fit, fit
from analysis.fits.intervals import lack_of_fit
from analysis.fits.validate import describe, validate
from analysis.laws.error_surface import surface_of
from analysis.laws.points import Points, one_family, points_of
from analysis.stats.trunk_variance import NO_SURFACE, share_trunks
from analysis.study.columns import Record
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

LAWS = ("pl", "spl")


def study_fits(cells: StudyCells, cost: str) -> list[Record]:
    """One record per fit that the study can carry: form, parameters, loss and validation.

    `pl` and `spl` are fitted to each regime's cell means over `cost`, with the F test of their lack
    of fit where seeds were repeated; the surface to all of them. What cannot be fitted has a
    `reason` instead, as all laws of several families.
    """
    usable = cells.with_logs(cost)
    records: list[Record] = []
    for epochs, regime in usable.regimes.items():
        noise = usable.noise(epochs)
        points = points_of(regime, cost, noise)
        df = math.inf if noise is None else min(noise.dfs.values())
        for form in LAWS:
            records.append({"form": form, "epochs": epochs, "cost": cost})
            try:
                one_family(regime)
                records[-1] |= _law(points, form, df)
            except InputError as error:
                records[-1]["reason"] = str(error)
    records.append({"form": "surface", "epochs": None, "cost": cost})
    try:
        one_family(usable)
        if share_trunks(usable):
            raise InputError(NO_SURFACE)
        surface = surface_of(points_of(usable, cost))
        records[-1] |= _record(surface.fit, surface.points) | {"dropped": list(surface.dropped)}
    except InputError as error:
        records[-1]["reason"] = str(error)
    return records


def _law(points: Points, form: str, df: float) -> Record:
    found = fit(points, form, y="error", x="cost")
    record = _record(found, points)
    # Where no cell's seeds scatter, they say nothing about the scatter that luck explains.
    if np.isfinite(points["se"]).all() and (points["se"] > 0).all():
        test = lack_of_fit(found, points["error"], points["se"], df)
        record["lack_of_fit"] = {"f": test.f, "p": test.p}
        text = f"lack of fit beyond what seeds explain: F {test.f:.2f}, p {test.p:.2g}"
        record["description"].append(text)
    return record


def _record(found: Fit, points: Points) -> Record:
    by = "resolution" if len(np.unique(points["resolution"])) > 1 else None
    return {
        "formula": found.form.formula,
        "parameters": dict(found.parameters),
        "loss": found.loss,
        "n": found.n,
        "excluded": found.excluded,
        "at_bound": list(found.at_bound),
        "condition": found.condition if np.isfinite(found.condition) else None,
        "accepted": found.accepted,
        "description": describe(validate(found, points, cost="cost", by=by)),
    }
