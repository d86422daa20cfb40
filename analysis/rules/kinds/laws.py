"""Rules about laws of error over all configurations of one regime, not about two arms."""

import math
from collections.abc import Callable

from analysis.laws.breakpoint import decide_deviation, deviation
from analysis.laws.cheapest_path import compound_exponents, decide_slower, path_exponent
from analysis.laws.competing_forms import dispersion, judge_dispersion
from analysis.laws.harmful_steps import harm, judge_harm
from analysis.laws.points import Points
from analysis.laws.preconditions import law_points
from analysis.laws.returns import (
    decide_depth_first,
    decide_diminishing,
    depth_minus_resolution,
    diminishing,
)
from analysis.rules.rule import Rule
from analysis.stats.contrast import Gap
from analysis.stats.decision import Verdict
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from scaling_study.common.errors import InputError

Judged = tuple[Gap, Verdict, tuple[str, ...]]


def _effect(estimate: float, se: float, df: float, low: float, high: float) -> Gap:
    return Gap(estimate, se, df, low, high, 1.0, 0.0, {}, {})


def _departure(points: Points, margin: float, alpha: float) -> Judged:
    d = deviation(points)
    effect = _effect(d.estimate, d.se, d.df, d.low, d.high)
    notes = (
        f"slope {d.slope_below:.3f} below {d.break_cost:.3g} "
        f"[{d.break_low:.3g}, {d.break_high:.3g}], {d.slope_above:.3f} above; sup-F {d.sup_f:.1f}, "
        f"p {d.p_parametric:.2g} (parametric), {d.p_wild:.2g} (wild bootstrap); "
        f"{d.n} configurations",
    )
    return effect, decide_deviation(d, margin, alpha), notes


def _diminishing(points: Points, margin: float, alpha: float) -> Judged:
    r = diminishing(points, 1 - alpha)
    effect = _effect(r.estimate, r.se, r.df, r.low, r.high)
    notes = (f"{r.n[0]} steps from 320 px on, {r.n[1]} from up to 160 px",)
    return effect, decide_diminishing(r, margin), notes


def _depth_first(points: Points, margin: float, alpha: float) -> Judged:
    r = depth_minus_resolution(points, 1 - alpha)
    effect = _effect(r.estimate, r.se, r.df, r.low, r.high)
    notes = (f"{r.n[0]} depth steps and {r.n[1]} resolution steps from 320 px on",)
    return effect, decide_depth_first(r, margin), notes


def _slower(points: Points, margin: float, alpha: float) -> Judged:
    g = path_exponent(points, confidence=1 - alpha)
    compound = compound_exponents()["resolution"]
    effect = _effect(compound - g.estimate, g.se, g.df, compound - g.high, compound - g.low)
    notes = (
        f"resolution grows with cost to the power {g.estimate:.3f} [{g.low:.3f}, {g.high:.3f}] on "
        f"the cheapest path, {compound:.3f} in compound scaling; a path of minima in "
        f"{100 * g.p_definite:.1f} % of draws",
    )
    return effect, decide_slower(g, margin), notes


def _dispersion(points: Points, margin: float, alpha: float) -> Judged:
    d = dispersion(points, 1 - alpha)
    effect = _effect(d.estimate, d.se, d.df, d.low, d.high)
    notes = (
        f"scatter about a law with a floor: {100 * d.sd_below:.1f} % below the median cost, "
        f"{100 * d.sd_above:.1f} % above",
    )
    return effect, judge_dispersion(points, alpha, margin), notes


def _harm(points: Points, margin: float, alpha: float) -> Judged:
    h = harm(points, "width", 1 - alpha)
    se = math.sqrt(h.estimate * (1 - h.estimate) / h.n)
    effect = _effect(h.estimate, se, h.n - 1, h.low, h.high)
    notes = (f"{h.harmful} of {h.n} steps in width raise the error by more than two SE",)
    return effect, judge_harm(points, "width", alpha, margin), notes


LAWS: dict[str, Callable[[Points, float, float], Judged]] = {
    "departure": _departure,
    "diminishing": _diminishing,
    "depth_first": _depth_first,
    "slower": _slower,
    "dispersion": _dispersion,
    "harm": _harm,
}


def judge_law(cells: StudyCells, rule: Rule, epochs: int, cost: str, alpha: float) -> Judged:
    """The effect of a rule about a law, its verdict and what to know about it.

    Raises:
        PreconditionError: too few configurations or levels, or a cell makes no errors.
    """
    points = law_points(cells, rule.kind, epochs, cost)
    try:
        return LAWS[rule.kind](points, rule.margin, alpha)
    except InputError as error:
        raise PreconditionError(str(error)) from None
