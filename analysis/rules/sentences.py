"""Verdicts as sentences for readers who have not seen the rules."""

from dataclasses import replace

from analysis.rules.judge import Judgement
from analysis.rules.kinds.levels import level_names
from analysis.rules.wording import LAW_WORDS, else_equal, seeds
from analysis.stats.contrast import Gap
from analysis.stats.decision import UNDECIDED
from analysis.study.columns import ALL_COST_NAMES

AXIS_WORDS = {"lr": "learning rate"}
# An interval is given as ± its half width if its middle is this near the estimate, in half widths.
SYMMETRIC = 0.1


def _value(gap: Gap, digits: int, factor: float = 1.0, unit: str = "", shift: float = 0.0) -> str:
    """An effect with its interval: as in 2.1 % ± 0.6 %, or 33 % [4 %, 78 %] if it is lopsided."""
    value, low, high = (factor * v + shift for v in (gap.estimate, gap.low, gap.high))
    half = (high - low) / 2
    if abs((low + high) / 2 - value) <= SYMMETRIC * half:
        return f"{value:.{digits}f}{unit} ± {half:.{digits}f}{unit}"
    return f"{value:.{digits}f}{unit} [{low:.{digits}f}{unit}, {high:.{digits}f}{unit}]"


def _size(gap: Gap) -> Gap:
    """The gap without its sign, for sentences whose words say it."""
    if gap.estimate >= 0:
        return gap
    return replace(gap, estimate=-gap.estimate, low=-gap.high, high=-gap.low)


def _percent(gap: Gap) -> str:
    return f"{_value(_size(gap), 1, 100, ' %')} (relative error)"


def _arms(j: Judgement, gap: Gap) -> str:
    first, second = (AXIS_WORDS.get(arm, arm) for arm in j.rule.arms)
    better, worse = (first, second) if gap.estimate > 0 else (second, first)
    cost = f"at equal {ALL_COST_NAMES[j.rule.cost]}"
    if gap.low <= 0 <= gap.high:
        return (
            f"At {j.epochs} epochs {first} and {second} cannot be told apart {cost}: {better} is "
            f"ahead by {_percent(gap)}"
        )
    return f"At {j.epochs} epochs {better} beats {worse} {cost} by {_percent(gap)}"


def _interaction(j: Judgement, gap: Gap) -> str:
    first, second = (AXIS_WORDS.get(arm, arm) for arm in j.rule.arms)
    gains, loses = (first, second) if gap.estimate > 0 else (second, first)
    cost = f"at equal {ALL_COST_NAMES[j.rule.cost]}"
    if gap.low <= 0 <= gap.high:
        return (
            f"From the shortest to the longest training it cannot be told {cost} whether {first} "
            f"or {second} gains: {gains} is ahead by {_percent(gap)}"
        )
    return (
        f"From the shortest to the longest training {gains} gains {_percent(gap)} on {loses} {cost}"
    )


def _levels(j: Judgement, gap: Gap) -> str:
    first, second = level_names(j.rule)
    better, worse = (first, second) if gap.estimate > 0 else (second, first)
    where = f"{else_equal(j.rule, gap)}{f' and {j.epochs} epochs' if j.epochs else ''}"
    if gap.low <= 0 <= gap.high:
        return (
            f"{_first_up(where)} {first} and {second} cannot be told apart: {better} is ahead by "
            f"{_percent(gap)}"
        )
    return f"{_first_up(where)} {better} beats {worse} by {_percent(gap)}"


def _regret(j: Judgement, gap: Gap) -> str:
    first, second = (AXIS_WORDS.get(arm, arm) for arm in j.rule.arms)
    choice = f"choosing between {first} and {second} by short training costs"
    where = f"in long training at equal {ALL_COST_NAMES[j.rule.cost]}"
    lost = f"{_value(gap, 2, 100)} percentage points"
    if j.verdict.value == "inconclusive":
        least = f"more than {100 * j.rule.margin:g} percentage points of error"
        return f"It cannot be told whether {choice} {least} {where}: it costs {lost}"
    return f"{_first_up(choice)} {lost} of error {where}"


def _law(j: Judgement, gap: Gap) -> str:
    value, cost = gap.estimate, ALL_COST_NAMES[j.rule.cost]
    more = "more" if value > 0 else "less"
    return {
        "diminishing": (
            f"A step in resolution from 320 px on returns {_value(gap, 2)} times what one "
            "up to 160 px does"
        ),
        "depth_first": (
            f"From 320 px on, depth takes {_value(_size(gap), 3)} {more} off ln(error) per "
            f"ln({cost}) than resolution does"
        ),
        "slower": (
            f"On the cheapest path, resolution grows with {cost} "
            f"{'more slowly' if value > 0 else 'faster'} than in compound scaling, by an exponent "
            f"of {_value(_size(gap), 2)}"
        ),
        "departure": (
            f"Beyond the best breakpoint error falls {'more slowly' if value > 0 else 'faster'} "
            f"with {cost}: its exponent changes by {_value(gap, 2)}"
        ),
        "dispersion": (
            f"Configurations scatter {more} about a law of {cost} the more they cost: rank "
            f"correlation {_value(gap, 2)}"
        ),
        "harm": (
            f"{_value(gap, 0, 100, ' %')} of single steps in width raise the error beyond noise"
        ),
        "speed": f"{_claim(j)}: {_value(gap, 2, shift=1)} times as fast",
    }[j.rule.kind]


def _open_law(j: Judgement, gap: Gap) -> str:
    """A law that is not decided: the question, and the estimate with its sign."""
    cost, margin = ALL_COST_NAMES[j.rule.cost], j.rule.margin
    question = {
        "diminishing": (
            f"a step in resolution from 320 px on returns less than {margin:g} times what one up "
            f"to 160 px does: it returns {_value(gap, 2)} times that"
        ),
        "depth_first": (
            "from 320 px on, depth takes more off the error than resolution does: per "
            f"ln({cost}) it takes {_value(gap, 3)} more off ln(error)"
        ),
        "slower": (
            f"resolution grows with {cost} more slowly on the cheapest path than in compound "
            f"scaling: its exponent is smaller by {_value(gap, 2)}"
        ),
        "departure": (
            f"error falls more slowly with {cost} beyond the best breakpoint: its exponent "
            f"changes by {_value(gap, 2)}"
        ),
        "dispersion": (
            f"configurations scatter more about a law of {cost} the more they cost: rank "
            f"correlation {_value(gap, 2)}"
        ),
        "harm": (
            f"more than {100 * margin:g} % of single steps in width raise the error beyond noise: "
            f"{_value(gap, 0, 100, ' %')} do"
        ),
        "speed": f"{j.rule.claim}: {_value(gap, 2, shift=1)} times as fast",
    }[j.rule.kind]
    return f"It cannot be told whether {question}"


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _claim(j: Judgement) -> str:
    return _first_up(j.rule.claim)


def _all(j: Judgement) -> str:
    head = _claim(j)
    return f"{head}: {'every part holds' if j.verdict.value == 'supported' else j.verdict.reason}"


def sentence(j: Judgement) -> str:
    """What was found, with its error bar, and the verdict.

    As in "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % (relative error);
    supported". The half width is that of the interval at the declared level.
    """
    word = j.verdict.value.replace("_", " ")
    if j.rule.kind == "all" and j.verdict.value != "not_testable":
        return f"{_all(j)}; {word}"
    if j.gap is None:
        return f"{_claim(j)}: this study cannot test it"
    kinds = {
        "arms": _arms,
        "interaction": _interaction,
        "levels": _levels,
        "regret": _regret,
    }
    law = _open_law if j.verdict.value == "inconclusive" else _law
    return f"{kinds.get(j.rule.kind, law)(j, j.gap)}; {word}"


def why(j: Judgement) -> str:
    """Why a claim is not supported, and what would decide it; empty where it is."""
    if j.verdict.value == "supported" or (j.rule.kind == "all" and j.gap is None):
        return j.verdict.reason if j.verdict.value == "not_testable" else ""
    text = f"{j.verdict.reason}"
    if j.rule.kind in ("arms", "interaction", "levels"):
        text += f" (margin {100 * j.rule.margin:g} %)"
    if j.verdict.reason == UNDECIDED and j.rule.kind not in LAW_WORDS:
        text += f"; {seeds(j)}"
    return _first_up(text)
