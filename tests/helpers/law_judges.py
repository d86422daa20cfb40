"""Verdicts about laws, from points; `not_testable` where an InputError says why, as in rules."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from analysis.laws.breakpoint import decide_deviation, deviation
from analysis.laws.cheapest_path import decide_slower, path_exponent
from analysis.laws.competing_forms import alternatives, decide_dispersion, decide_kink, dispersion
from analysis.laws.returns import (
    decide_depth_first,
    decide_diminishing,
    decide_harm,
    depth_minus_resolution,
    diminishing,
    harm,
)
from analysis.stats.decision import Verdict
from scaling_study.common.errors import InputError


def not_testable_on_error(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
    @wraps(judge)
    def judged(*args: Any, **kwargs: Any) -> Verdict:
        try:
            return judge(*args, **kwargs)
        except InputError as error:
            return Verdict("not_testable", str(error))

    return judged


@not_testable_on_error
def judge_kink(points):
    return decide_kink(alternatives(points))


@not_testable_on_error
def judge_dispersion(points):
    return decide_dispersion(dispersion(points))


@not_testable_on_error
def judge_harm(points, axis):
    return decide_harm(harm(points, axis))


@not_testable_on_error
def judge_deviation(points, margin=0.0):
    return decide_deviation(deviation(points), margin, 0.05)


@not_testable_on_error
def judge_slower(points):
    return decide_slower(path_exponent(points), 0.02)


@not_testable_on_error
def judge_diminishing(points):
    return decide_diminishing(diminishing(points), 0.5)


@not_testable_on_error
def judge_depth_first(points):
    return decide_depth_first(depth_minus_resolution(points), 0.0)
