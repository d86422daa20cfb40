"""Verdicts about laws, from points."""

from analysis.laws.breakpoint import decide_deviation, deviation
from analysis.laws.cheapest_path import decide_slower, path_exponent
from analysis.laws.returns import (
    decide_depth_first,
    decide_diminishing,
    depth_minus_resolution,
    diminishing,
)
from analysis.stats.decision import not_testable_on_error


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
