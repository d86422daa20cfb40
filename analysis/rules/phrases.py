"""Phrases that the wording of several kinds of rules shares."""

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.study.columns import ALL_COST_NAMES

AXIS_WORDS = {"lr": "learning rate"}
# An interval is given as ± its half width if its middle is this near the estimate, in half widths.
SYMMETRIC = 0.1


def effect(gap: Gap, digits: int, factor: float = 1.0, unit: str = "", shift: float = 0.0) -> str:
    """An effect with its interval: as in 2.1 % ± 0.6 %, or 33 % [4 %, 78 %] if it is lopsided."""
    value, low, high = (factor * v + shift for v in (gap.estimate, gap.low, gap.high))
    half = (high - low) / 2
    if abs((low + high) / 2 - value) <= SYMMETRIC * half:
        return f"{value:.{digits}f}{unit} ± {half:.{digits}f}{unit}"
    return f"{value:.{digits}f}{unit} [{low:.{digits}f}{unit}, {high:.{digits}f}{unit}]"


def bound_note(gap: Gap) -> str:
    """What to say of an estimate at an end of its own interval: nothing lies beyond it.

    A share of all or none, a loss of nothing, or what points say that do not scatter. Empty for
    any other estimate.
    """
    if gap.low == gap.high != 0:
        return " (nothing scatters)"
    if gap.estimate <= gap.low:
        return " (the least there can be)"
    return " (the most there can be)" if gap.estimate >= gap.high else ""


def unsigned(gap: Gap) -> Gap:
    """The gap turned positive, for sentences whose words give its direction."""
    if gap.estimate >= 0:
        return gap
    return replace(gap, estimate=-gap.estimate, low=-gap.high, high=-gap.low)


def relative_error(gap: Gap) -> str:
    """The size of a gap with its interval: in percent of the outcome, or its raw difference."""
    measure = gap.measure
    digits = measure.digits((gap.high - gap.low) / 2)
    size = effect(unsigned(gap), digits, measure.gap_factor, measure.gap_unit)
    return f"{size} of the {measure.name}" if measure.log else size


def interval(gap: Gap) -> str:
    """A gap and its interval, as in `+2.1 % [1.2, 3.0]`."""
    return gap.measure.interval(gap.estimate, gap.low, gap.high)


def better_arm(low: float, high: float, arms: tuple[str, str] = ("depth", "width")) -> str:
    """Which arm is better by the interval of their gap; neither if it contains zero."""
    if low <= 0 <= high:
        return "neither clearly better"
    return f"{arms[0] if low > 0 else arms[1]} better"


def better_first(gap: Gap, names: tuple[str, str]) -> tuple[str, str]:
    """Both names, that of the better one by the estimate first."""
    return names if gap.estimate > 0 else names[::-1]


def comparison(gap: Gap, names: tuple[str, str], start: str, where: str = "") -> str:
    """Which of two is better and by how much, after `start`; `where` is given with a space."""
    better, worse = better_first(gap, names)
    both, size = " and ".join(names), relative_error(gap)
    if gap.low <= 0 <= gap.high:
        return f"{start} {both} cannot be told apart{where}: {better} is ahead by {size}"
    return f"{start} {better} beats {worse}{where} by {size}"


def arm_names(rule: Rule) -> tuple[str, str]:
    """Both arms in words."""
    first, second = (AXIS_WORDS.get(arm, arm) for arm in rule.arm_words)
    return first, second


def at_equal_cost(rule: Rule) -> str:
    """At which equal cost a rule compares."""
    return f"at equal {ALL_COST_NAMES[rule.cost]}"


def gap_line(rule: Rule, gap: Gap, what: str) -> str:
    """A gap with its interval, and in brackets what it is and how well it is known."""
    margin = gap.measure.size(rule.margin)
    return f"{interval(gap)} ({what}; margin {margin}, {known_by(gap)})"


def other_scale(rule: Rule) -> dict[str, Estimand]:
    """The same contrast averaged over outcomes, not over their logarithms; none of raw ones."""
    if not rule.measure.log:
        return {}
    return {f"averaged on the {rule.measure.name} scale": Estimand(rule.cost, scale="error")}


def known_by(gap: Gap) -> str:
    """How well the noise of a gap is known."""
    if not math.isfinite(gap.df):
        return "seed noise declared"
    return f"seed noise from a prior worth df {gap.df:.0f}" if gap.assumed else f"df {gap.df:.0f}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, as in `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def capitalised(text: str) -> str:
    """The text with its first letter in upper case, the others unchanged."""
    return text[:1].upper() + text[1:]
