"""Equal-compute axes against brute force over every legal value."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaling_study.config import run_config
from scaling_study.cost import describe, run_cost
from scaling_study.errors import InputError
from scaling_study.forecast import Timing, shape_of
from scaling_study.planning.cells import Cell, cells_of, cost_of
from scaling_study.planning.solve import legal_values
from scaling_study.planning.times import Times, UnmeasuredError
from tiny import TINY, tiny

NOTHING = Times([], 1)
SHORT = {"width": "model.width", "resolution": "data.resolution", "depth": "model.depth"}
SHORT |= {"epochs": "train.epochs"}


def solved(
    axis: str,
    quantity: str,
    target: float,
    tolerance: float = 0.05,
    times: Times = NOTHING,
    **k: Any,
) -> tuple[list[Cell], list[str]]:
    grid = {
        "name": "g",
        "points": [{key: value for key, value in k.items() if key != axis}],
        "solve": {axis: {quantity: [target], "tolerance": tolerance}},
    }
    cells, left = cells_of(grid, TINY, times)
    return cells, [point.why for point in left]


def every_value(axis: str, quantity: str, point: dict[str, Any]) -> dict[float, float]:
    """The quantity at every legal value that a run can have, up to a size that can be counted."""
    found = {}
    for value in list(legal_values(axis, tiny().model, 4))[:200]:
        changes = {SHORT[k]: v for k, v in point.items()} | {SHORT[axis]: value}
        try:
            run = tiny(**changes)
            cost = cost_of(quantity, run, NOTHING)
        except InputError:
            continue
        assert cost is not None
        found[value] = cost
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            *(("width", q) for q in ("flops", "train_flops", "params", "activations")),
            *(("resolution", q) for q in ("flops", "activations")),
            ("epochs", "train_flops"),
            *(("depth", q) for q in ("flops", "params")),
        ]
    ),
    st.floats(0.0, 1.0),
    st.sampled_from([14, 26]),
    st.sampled_from([16, 48]),
    st.sampled_from([0.001, 0.05, 0.5]),
)
@example(("width", "flops"), 0.0, 14, 16, 0.001)
@example(("epochs", "train_flops"), 1.0, 14, 16, 0.05)
def test_no_legal_value_is_closer_and_every_cell_is_within_tolerance(
    what: tuple[str, str], where: float, depth: int, resolution: int, tolerance: float
) -> None:
    axis, quantity = what
    point = {"depth": depth, "resolution": resolution, "width": 0.125}
    point.pop(axis, None)
    legal = every_value(axis, quantity, point)
    low, high = math.log(min(legal.values())), math.log(max(legal.values()))
    target = math.exp(low + where * (high - low))
    cells, left = solved(axis, quantity, target, tolerance, **point)
    nearest = min(abs(math.log(cost / target)) for cost in legal.values())
    if not cells:
        assert "the nearest" in left[0]
        assert nearest > math.log(1 + tolerance) * 0.999
        return
    found = cells[0].solved
    assert found is not None
    assert abs(found.off) <= tolerance
    assert abs(math.log(found.achieved / target)) == pytest.approx(nearest, abs=1e-12)
    assert found.achieved == cost_of(quantity, cells[0].run, NOTHING)
    assert found.value in legal


def test_values_that_no_run_can_have_are_passed_over() -> None:
    # No network is as cheap as one FLOP: the smallest width with channels is the nearest.
    cells, left = solved("width", "flops", 1.0, depth=14)
    assert not cells
    assert "the nearest, width=0.015625" in left[0]
    _, left = solved("resolution", "flops", 1.0, depth=14)
    assert "the nearest, resolution=16" in left[0]
    cells, left = solved("epochs", "train_flops", 1.0, depth=14)
    assert "the nearest, epochs=2" in left[0]  # after one epoch of warm-up


def test_what_no_value_can_mend_is_said() -> None:
    with pytest.raises(InputError, match="no ResNet layout"):
        solved("width", "flops", 1e6, depth=15)


def test_a_target_in_seconds_needs_a_measurement() -> None:
    with pytest.raises(UnmeasuredError, match="nothing has been measured"):
        solved("width", "step_time_s", 0.1, depth=14)
    runs = [
        tiny(**{"model.width": w, "model.depth": d}) for w in (0.125, 0.5) for d in (14, 26, 38)
    ]
    timings = [
        Timing(
            NOTHING.conditions(run),
            shape_of(describe(run)),
            1e-9 * run_cost(run).flops ** 0.7 * run_cost(run).activations ** 0.3,
        )
        for run in runs
    ]
    times = Times(timings, 1)
    cells, left = solved("width", "step_time_s", timings[3].step_time_s, 0.2, times, depth=14)
    assert cells, left
    assert cells[0].solved is not None
    step = times.step(cells[0].run, describe(cells[0].run))
    assert step is not None
    assert cells[0].solved.achieved == step.value
    other, _ = cells_of({"name": "g", "solve": {"width": {"step_time_s": [1]}}}, TINY, None)
    assert other == []  # a plan before the probe goes without


def test_a_solved_axis_and_costs_in_conditions() -> None:
    grid = {
        "name": "g",
        "axes": {"depth": [14, 26]},
        "solve": {"width": {"flops": [1e6, 1e7], "tolerance": 0.2}},
        "where": ["width > 0.1", "params < 300e3", "memory_bytes < 1e9 and steps > 1"],
    }
    cells, left = cells_of(grid, TINY, NOTHING)
    assert cells
    assert all(run_cost(cell.run).params < 300e3 for cell in cells)
    assert all(cell.run.model.width > 0.1 for cell in cells)
    assert {point.why.split("'")[1] for point in left} <= {"width > 0.1", "params < 300e3"}
    with pytest.raises(UnmeasuredError, match=r"plan\.probe=true"):
        cells_of({"name": "g", "where": ["forecast_s < 10"]}, TINY, NOTHING)
    (cell,), _ = cells_of({"name": "g", "where": ["lr < 1"]}, TINY, NOTHING)
    assert cell.run == run_config(TINY)
