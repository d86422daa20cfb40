"""Both arms of each regime against a cost, from `analysis.figures.records`."""

from collections.abc import Sequence
from itertools import chain, product

from matplotlib.figure import Figure

from analysis.figures.drawing import panels
from analysis.figures.drawing.labels import Label
from analysis.figures.drawing.style import (
    MARKERS,
    PLAIN,
    Look,
    interval_label,
    log_x,
    outcome_axis,
    over_fitting,
)
from analysis.study.columns import Record


def arms(records: Sequence[Record], titles: dict[int, str], look: Look = PLAIN) -> Figure:
    """Both arms per regime with the curves that are compared; `titles` has a text per regime."""
    figure, found = panels.per_regime(records, look)
    resolutions = sorted({r["resolution"] for r in records})
    settings = panels.by_setting(records)
    variants = list(dict.fromkeys(r.get("variant", "") for r in records))
    measure = look.measure
    y_label = interval_label([r for r in records if r["kind"] == "cell"], measure.axis)
    labels = []
    for epochs, axes in found:
        here = [r for r in records if r["epochs"] == epochs]
        named: dict[str, Label] = {}
        kinds = product(resolutions, settings, variants)
        for index, (side, setting, variant) in enumerate(kinds):
            own = [r for r in settings[setting][1] if r.get("variant", "") == variant]
            rows = [r for r in own if (r["resolution"], r["epochs"]) == (side, epochs)]
            words = ([f"{side} px"] * (len(resolutions) > 1), [setting], [variant])
            place = ", ".join(filter(None, chain(*words)))
            for arm in look.arms:
                curve = [r for r in rows if r["kind"] == "curve" and r["arm"] == arm]
                line = look.shown(r["error"] for r in curve)
                axes.plot([r["cost"] for r in curve], line, color=look.color(arm))
            cells = [r for r in rows if r["kind"] == "cell"]
            panels.points(axes, cells, "error", MARKERS[index % len(MARKERS)], look=look)
            for r in cells:
                if not place or r["is_base"]:
                    cell = panels.label(r, "error", len(resolutions), look)
                    named[place + cell.text] = cell._replace(text=place or cell.text)
        axes.set_title(titles.get(epochs, measure.at(epochs)), loc="left")
        log_x(axes, records[0]["cost_axis"])
        outcome_axis(axes, y_label, look.shown(r["error"] for r in here), measure)
        labels.append((axes, list(named.values())))
    panels.outer_labels(found)
    panels.legend(figure, [*records, {"arm": "base"}], look=look)
    return panels.finish(figure, labels)


def overfit(records: Sequence[Record], look: Look = PLAIN) -> Figure:
    """Validation minus training outcome against cost per regime."""
    figure, found = panels.per_regime(records, look)
    resolutions = len({r["resolution"] for r in records})
    labels = []
    for epochs, axes in found:
        cells = [r for r in records if r["epochs"] == epochs]
        panels.points(axes, cells, "gap", look=look)
        axes.axhline(0, color="#444444", lw=0.8)
        log_x(axes, records[0]["cost_axis"])
        axes.set_ylabel(interval_label(records, over_fitting(look), "gap"))
        few = panels.spread(cells, panels.names_in(found)) if len(cells) <= 12 else []
        labels.append((axes, [panels.label(r, "gap", resolutions, look) for r in few]))
    panels.outer_labels(found)
    panels.legend(figure, records, look=look)
    return panels.finish(figure, labels)
