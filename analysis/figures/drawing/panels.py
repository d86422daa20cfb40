"""What figures with a panel per regime share: their layout, points with bars, legend and labels."""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.drawing.labels import Label, place_labels
from analysis.figures.drawing.style import MARKERS, PLAIN, WIDTH, Look, assumed
from analysis.study.columns import Record
from scaling_study.study.axes import sort_key

COLUMNS = 3
# Sizes in a legend (inches): a mark with its margins, a letter, a line.
ENTRY, LETTER, LINE = 0.5, 0.053, 0.16
# More names in one panel are noise, by how many panels stand in a row.
NAMED = {1: 9, 2: 6, 3: 4}
Key = TypeVar("Key", bound=Hashable)


def panels(
    keys: Sequence[Key], width: float = 3.0, height: float = 2.25
) -> tuple[Figure, list[tuple[Key, Axes]]]:
    """A panel per key, up to three in a row; narrower than `width` where the page ends."""
    columns = 2 if len(keys) == 4 else min(len(keys), COLUMNS)
    rows = math.ceil(len(keys) / columns)
    size = min(WIDTH, 0.6 + width * columns), 0.45 + height * rows
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05))
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in grid[len(keys) :]:
        unused.remove()
    return figure, list(zip(keys, grid, strict=False))


def per_regime(
    records: Sequence[Record], look: Look = PLAIN
) -> tuple[Figure, list[tuple[int, Axes]]]:
    """A panel per length of training, with its title."""
    figure, found = panels(sorted({r["epochs"] for r in records}))
    for epochs, axes in found:
        axes.set_title(look.measure.at(epochs), loc="left")
    return figure, found


def outer_labels(found: Sequence[tuple[Hashable, Axes]]) -> None:
    """Keep axis labels where no neighbour to the left or below repeats them."""
    taken = {(s.rowspan.start, s.colspan.start) for _, a in found if (s := a.get_subplotspec())}
    for _, axes in found:
        place = axes.get_subplotspec()
        assert place is not None
        row, column = place.rowspan.start, place.colspan.start
        if column:
            axes.set_ylabel("")
        if (row + 1, column) in taken:
            axes.set_xlabel("")


def color_of(record: Record, look: Look) -> str:
    """The colour of a cell: its arm's, or the base's."""
    return look.color("base" if record["is_base"] else record["arm"])


def by_setting(records: Sequence[Record]) -> dict[str, tuple[str, list[Record]]]:
    """A marker and the records of each setting on the axes that only this study has.

    A study without such axes has one nameless setting.
    """
    found = {record.get("setting", "") for record in records}
    names = sorted(found, key=lambda name: [sort_key(word) for word in name.split()])
    return {
        name: (MARKERS[i % len(MARKERS)], [r for r in records if r.get("setting", "") == name])
        for i, name in enumerate(names)
    }


def setting_handles(records: Sequence[Record]) -> list[Line2D | Patch]:
    """What markers mean, for a legend; nothing where there is one kind."""
    return [
        Line2D([], [], color="#444444", marker=marker, ms=3.5, ls="", label=name)
        for name, (marker, _) in by_setting(records).items()
        if name
    ]


def label(record: Record, value: str, resolutions: int, look: Look) -> Label:
    """A cell's name in short, as d50 w1 or d50 w1 r160, for where `value` is drawn."""
    name = f"d{record['depth']:g} w{record['width']:g}"
    name = f"{name} r{record['resolution']}" if resolutions > 1 else name
    name = f"{name} {record['mark']}" if "mark" in record else name
    height = look.measure.factor * record[value]
    return Label(record["cost"], height, name, color_of(record, look))


def names_in(found: Sequence[tuple[Hashable, Axes]]) -> int:
    """How many names a panel has room for."""
    place = found[0][1].get_subplotspec()
    assert place is not None
    return NAMED[place.get_gridspec().ncols]


def spread(records: Sequence[Record], most: int) -> list[Record]:
    """All records if they are few, else `most` of them, evenly apart with both ends."""
    if len(records) <= most:
        return list(records)
    return [records[round(i * (len(records) - 1) / (most - 1))] for i in range(most)]


def points(
    axes: Axes,
    records: Iterable[Record],
    value: str,
    marker: str = "o",
    color: str | None = None,
    look: Look = PLAIN,
) -> None:
    """Outcomes of records as marks with 95 % bars; hollow where the noise is assumed."""
    groups: dict[tuple[str, bool, bool], list[Record]] = {}
    for r in records:
        key = (color or color_of(r, look), r[f"{value}_low"] is not None, assumed([r]))
        groups.setdefault(key, []).append(r)
    for (shade, barred, hollow), rows in groups.items():
        y = look.shown(r[value] for r in rows)
        low = look.shown(r[value] - r[f"{value}_low"] for r in rows) if barred else []
        high = look.shown(r[f"{value}_high"] - r[value] for r in rows) if barred else []
        axes.errorbar(
            [r["cost"] for r in rows], y, yerr=[low, high] if barred else None, fmt=marker,
            ms=3.2, color=shade, capsize=1.5, lw=0.9, mew=0.8, mfc="white" if hollow else shade,
        )  # fmt: skip


def legend(
    figure: Figure,
    records: Sequence[Record],
    extra: Sequence[Line2D | Patch] = (),
    look: Look = PLAIN,
) -> None:
    """Which colour is which arm, and `extra`, under the panels."""
    names = {arm: name for arm, name in look.names.items() if any(r["arm"] == arm for r in records)}
    mark: dict[str, Any] = {"marker": "o", "ms": 3.5, "ls": ""}
    handles = [Line2D([], [], color=look.color(a), label=n, **mark) for a, n in names.items()]
    legend_below(figure, [*handles, *extra])


def legend_below(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    """A legend in as many columns as there is room for; the figure grows by its lines."""
    lengths = [len(str(h.get_label())) for h in handles]
    for columns in range(len(handles), 0, -1):
        rows = math.ceil(len(handles) / columns)
        longest = [max(lengths[i : i + rows]) for i in range(0, len(lengths), rows)]
        if sum(ENTRY + LETTER * most for most in longest) <= figure.get_figwidth():
            break
    figure.set_figheight(figure.get_figheight() + LINE * rows)
    even = math.ceil(len(handles) / rows)
    figure.legend(handles=list(handles), loc="outside lower center", ncols=even)


def finish(figure: Figure, labels: Sequence[tuple[Axes, Sequence[Label]]]) -> Figure:
    """Fix the layout, then write the labels where they cover nothing."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes, texts in labels:
        place_labels(axes, texts)
    return figure
