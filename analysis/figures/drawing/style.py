"""How every figure looks: one style, colours and readable log ticks."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import EngFormatter, FixedLocator, Formatter, NullLocator

from analysis.study.arms import DEPTH_WIDTH
from analysis.study.columns import CONVENTION, COST
from analysis.study.measure import ERROR, Measure, with_unit

# Okabe & Ito 2008, distinguishable with all common kinds of colour blindness.
COLORS = {"depth": "#0072B2", "width": "#D55E00", "base": "#000000", "neither": "#999999"}
# Those of Okabe & Ito's colours that no arm uses, for whatever else comes in several kinds.
LINES = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
VERDICTS = {
    "supported": "#009E73",
    "refuted": "#D55E00",
    "inconclusive": "#B07C00",
    "not_testable": "#777777",
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLE: dict[Any, Any] = {
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "font.size": 7.5,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.xmargin": 0.08,
    "axes.ymargin": 0.08,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.1,
    "svg.hashsalt": "scaling_study",
    "pdf.fonttype": 42,  # text stays text
    "text.parse_math": False,  # names and claims are text, whatever signs they hold
}
# The text width of a paper with one column (inches); nothing is wider.
WIDTH = 7.0
# Where each configuration ran once, bars rest on a prior: they show no scatter that was measured.
ASSUMED = "assumed noise, one seed"
MOST_TICKS = 5
_SUBDIVISIONS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))


@dataclass(frozen=True)
class Look:
    """What the figures of a study show: its outcome, its two arms, and what these are called.

    The first arm is drawn in the colour of depth, the second in that of width.
    """

    measure: Measure = ERROR
    arms: tuple[str, str] = DEPTH_WIDTH
    words: tuple[str, str] = DEPTH_WIDTH

    def color(self, arm: str) -> str:
        """The colour of an arm, of the base or of neither."""
        return COLORS[DEPTH_WIDTH[self.arms.index(arm)] if arm in self.arms else arm]

    @property
    def names(self) -> dict[str, str]:
        """What legends call arms, base and the rest."""
        first, second = self.words
        arms = {self.arms[0]: f"{first} arm", self.arms[1]: f"{second} arm"}
        return {"base": "base (in both arms)", **arms, "neither": "other cells"}

    def shown(self, values: Iterable[float]) -> list[float]:
        """Outcomes in the unit of the axis."""
        return [self.measure.factor * value for value in values]


PLAIN = Look()


def style() -> AbstractContextManager[None]:
    """The style of all figures, as a context to make and to save them in."""
    return mpl.rc_context(STYLE)


def assumed(records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether intervals of records rest on assumed noise."""
    return any(r.get("noise") == "prior" for r in records)


def step_color(record: Mapping[str, Any]) -> str:
    """Green where the whole interval of a step is better, orange where it is worse, else grey."""
    low, high = record["step_low"], record["step_high"]
    if low is None or low <= 0 <= high:
        return VERDICTS["not_testable"]
    return VERDICTS["supported" if high < 0 else "refuted"]


def interval_label(
    records: Sequence[Mapping[str, Any]], of: str, value: str = "error", what: str = "bars"
) -> str:
    """An axis label that says what `what` are, in a line of its own; without any, `of` alone."""
    if all(r.get(f"{value}_low") is None for r in records):
        return of
    return f"{of}\n{what}: 95 % interval" + f",\n{ASSUMED}" * assumed(records)


def over_fitting(look: Look) -> str:
    """The label of an axis of validation minus training error."""
    return with_unit("validation minus training error", look.measure.difference_unit)


def flops_note(texts: Iterable[str]) -> str:
    """A line with the convention of FLOPs if any text names FLOPs without it, else nothing."""
    text = "\n".join(texts)
    return f"\nFLOPs: {CONVENTION}" if "FLOPs" in text and CONVENTION not in text else ""


def log_ticks(low: float, high: float) -> list[float]:
    """Three ticks or more of few digits between two positive values, dense enough to read."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _SUBDIVISIONS:
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= 3:
            return ticks[:: math.ceil(len(ticks) / MOST_TICKS)]
    top = math.ceil(math.log10(high - low))
    for step in (s * 10.0**d for d in range(top, top - 3, -1) for s in (5.0, 2.0, 1.0)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first >= 2:
            break
    return [i * step for i in range(first, last + 1)]


def set_ticks(
    axis: Axis, at: Sequence[float], text: str | Formatter | Callable[[float, float], str]
) -> None:
    """Ticks at these values and nowhere else; `text` is a format of `x`, or makes their labels."""
    axis.set_major_locator(FixedLocator(at))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(text)


def log_x(axes: Axes, column: str) -> None:
    """A log cost axis with its unit, ticks as in 20 M or 5 ms."""
    axes.set_xscale("log")
    low, high = axes.dataLim.intervalx
    if low == high:  # one cost alone: matplotlib would show a decade around it
        axes.set_xlim(low / 2, 2 * high)
    label = EngFormatter(unit=COST[column].unit, places=None)
    set_ticks(axes.xaxis, log_ticks(*axes.get_xlim()), label)
    axes.set_xlabel(COST[column].label.replace(" (", "\n("))


def outcome_axis(axes: Axes, label: str, values: Sequence[float], measure: Measure = ERROR) -> None:
    """A log axis around positive `values`, in the unit of the outcome; else a linear one.

    So it is without values. Intervals that reach far beyond, below zero even, are cut off rather
    than squeeze the values. Outcomes that are compared by raw differences have a linear axis.
    """
    axes.set_ylabel(label)
    if not values or not measure.log or min(values) <= 0:
        return
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0.6 * min(values)), min(high, 1.5 * max(values)))
    set_ticks(axes.yaxis, log_ticks(*axes.get_ylim()), "{x:g}")
