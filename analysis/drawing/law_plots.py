"""Error over cost with fitted laws."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.drawing.style import MARKERS, log_x, log_y_percent
from analysis.fits.fit import Fit
from analysis.records import Record
from analysis.scaling.points import Points

LAWS = {
    "pl": ("power law", "#E69F00"),
    "spl": ("power law with a floor", "#0072B2"),
    "seg": ("power law with a kink", "#009E73"),
}
CURVE_POINTS = 80


def error_over_cost(points: Points, fits: Mapping[str, Fit]) -> tuple[Figure, list[Record]]:
    """Every configuration against FLOPs, a marker per resolution, and the laws; what is drawn."""
    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    axes = figure.subplots()
    rows: list[Record] = []
    for index, side in enumerate(np.unique(points["resolution"]).tolist()):
        here = points["resolution"] == side
        axes.plot(
            points["cost"][here],
            100 * points["error"][here],
            MARKERS[index % len(MARKERS)],
            ms=3.8,
            color="#777777",
            alpha=0.75,
            label=f"{side:g} px",
        )
    rows += [
        {"kind": "cell", "resolution": r, "depth": d, "width": w, "cost": c, "error": e}
        for r, d, w, c, e in zip(
            *(points[name].tolist() for name in ("resolution", "depth", "width", "cost", "error")),
            strict=True,
        )
    ]
    grid = np.geomspace(points["cost"].min(), points["cost"].max(), CURVE_POINTS)
    for name, found in fits.items():
        text, color = LAWS[name]
        error = np.exp(found.log_predict({"cost": grid}))
        axes.plot(grid, 100 * error, color=color, label=text)
        rows += [
            {"kind": name, "cost": c, "error": e}
            for c, e in zip(grid.tolist(), error.tolist(), strict=True)
        ]
    log_x(axes, "flops")
    log_y_percent(axes, "validation error (%)", (100 * points["error"]).tolist())
    axes.legend(loc="upper right", ncols=2)
    return figure, rows
