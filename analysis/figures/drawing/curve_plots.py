"""Learning curves and over-fitting curves, from `analysis.descriptions.learning_curves`."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.drawing import panels
from analysis.figures.drawing.style import PLAIN, Look, outcome_axis, over_fitting
from analysis.study.columns import Record

LOOKS = {"val_error": "-", "val_error_raw": ":", "train_error": "--"}
NAMES = {
    "val_error": "validation, averaged weights",
    "val_error_raw": "validation, raw weights",
    "train_error": "training images, averaged weights",
}


def learning_curves(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Error over epochs, a panel per regime and a line per cell and kind of error."""
    figure, found = panels.per_regime(records, look)
    shown = [name for name in LOOKS if any(name in r for r in records)]
    for epochs, axes in found:
        here = [r for r in records if r["epochs"] == epochs]
        for name in shown:
            _lines(axes, here, name, LOOKS[name], look)
        values = look.shown(r[name] for r in here for name in shown if r.get(name))
        if values:
            outcome_axis(axes, "error (%)", values)
        axes.set_xlabel("epoch")
    panels.outer_labels(found)
    keys = [Line2D([], [], color="#444444", ls=LOOKS[name], label=NAMES[name]) for name in shown]
    panels.legend(figure, records, keys, look)
    return panels.finish(figure, [])


def overfitting_curves(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Validation minus training error over epochs, a panel per regime and a line per cell."""
    figure, found = panels.per_regime(records, look)
    for epochs, axes in found:
        _lines(axes, [r for r in records if r["epochs"] == epochs], "gap", "-", look)
        axes.axhline(0, color="#444444", lw=0.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(over_fitting(look))
    panels.outer_labels(found)
    panels.legend(figure, records, look=look)
    return panels.finish(figure, [])


def _lines(axes: Axes, records: Sequence[Record], name: str, dashes: str, look: Look) -> None:
    cell = itemgetter("config_id")
    for _, points in groupby(sorted(records, key=cell), cell):
        known = sorted((r for r in points if name in r), key=itemgetter("at_epoch"))
        if known:
            x, y = [r["at_epoch"] for r in known], look.shown(r[name] for r in known)
            axes.plot(x, y, dashes, color=look.color(known[0]["arm"]), lw=0.9, marker=".", ms=2.5)
