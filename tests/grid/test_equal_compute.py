"""Equal-compute axes against brute force over every legal value."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.config.run import run_config
from scaling_study.cost.closed_form import describe, run_cost
from scaling_study.cost.device_times import Times, UnmeasuredError
from scaling_study.cost.time_model import Timing, shape_of
from scaling_study.grid import equal_compute
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import cells_of
from scaling_study.grid.run_at_point import cost_of, step_shape
from scaling_study.grid.sizes import legal_values

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


@pytest.mark.slow
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
    check(cells, left, legal, quantity, target, tolerance, NOTHING)


def check(
    cells: list[Cell],
    left: list[str],
    legal: dict[float, float],
    quantity: str,
    target: float,
    tolerance: float,
    times: Times,
) -> None:
    """A solve against all legal values: none is closer; where there is no cell none is close."""
    nearest = min(abs(cost / target - 1) for cost in legal.values())
    if not cells:
        assert "the nearest" in left[0]
        assert nearest > tolerance
        return
    found = cells[0].solved
    assert found is not None
    assert abs(found.off) <= tolerance
    assert abs(found.off) == nearest
    assert found.achieved == cost_of(quantity, cells[0].run, times)
    assert found.value in legal


def test_nearest_is_a_relative_difference_as_the_tolerance_is() -> None:
    settings = composed("sweep", ["model=resnet_rs", "data=imagenet"])
    grid = {"name": "g", "solve": {"depth": {"params": [48.5e6], "tolerance": 0.3}}}
    (cell,), _ = cells_of(grid, settings, NOTHING)  # 101 is nearer as a ratio, and 31 % off
    assert cell.run.model.depth == 50
    assert cell.solved is not None
    assert cell.solved.off == pytest.approx(-0.264, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["width", "resolution", "depth"]),
    st.floats(0.0, 1.0),
    st.sampled_from([0.02, 0.3]),
    st.lists(st.tuples(st.integers(0, 24), st.floats(0.1, 8.0)), max_size=6),
)
@example("width", 0.5, 0.3, [(3, 4.0), (4, 0.2), (5, 4.0), (20, 0.1)])
def test_no_legal_value_is_closer_in_seconds_wherever_was_measured(
    axis: str, where: float, tolerance: float, measured: list[tuple[int, float]]
) -> None:
    """Measured shapes keep their own times, however far off the model's."""
    point: dict[str, Any] = {"depth": 14, "resolution": 32, "width": 0.125}
    point.pop(axis)
    changes = {SHORT[key]: value for key, value in point.items()}
    values = [v for v in legal_values(axis, tiny().model, 4) if axis != "resolution" or v >= 16]
    values = values[: 100 if axis != "depth" else None]
    runs = [tiny(**changes, **{SHORT[axis]: value}) for value in values]
    timings = [
        Timing(NOTHING.conditions(run), step_shape(run), 1e-9 * run_cost(run).flops * factor)
        for run, factor in [(runs[0], 1.0), *((runs[i % len(runs)], f) for i, f in measured)]
    ]
    times = Times(timings, 1)
    costs = {v: cost_of("step_time_s", r, times) for v, r in zip(values, runs, strict=True)}
    legal = {value: cost for value, cost in costs.items() if cost is not None}
    assert len(legal) == len(values)
    low, high = math.log(min(legal.values())), math.log(max(legal.values()))
    target = math.exp(low + where * (high - low))
    cells, left = solved(axis, "step_time_s", target, tolerance, times, **point)
    if cells and cells[0].solved is not None and cells[0].solved.value not in legal:
        return  # larger than what is counted here
    check(cells, left, legal, "step_time_s", target, tolerance, times)


def test_a_solve_is_worked_out_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    timings = [Timing(NOTHING.conditions(tiny()), step_shape(tiny()), 0.01)]
    asked: list[int] = []
    real = equal_compute.run_at
    monkeypatch.setattr(equal_compute, "run_at", lambda *a: asked.append(1) or real(*a))

    def count(**axes: list[int]) -> int:
        asked.clear()
        grid = {
            "name": "g",
            "axes": {"resolution": [16, 32], **axes},
            "solve": {"width": {"step_time_s": [0.01, 0.02, 0.05], "tolerance": 0.9}},
        }
        assert cells_of(grid, TINY, Times(timings, 1))[0]
        return len(asked)

    assert count(seed=[0, 1, 2, 3]) == count(seed=[0])
    assert count(seed=[0]) < 100  # of 2 x 1023 legal values


def test_values_that_no_run_can_have_are_passed_over() -> None:
    # No network is as cheap as one FLOP: the smallest width with channels is the nearest.
    cells, left = solved("width", "flops", 1.0, depth=14)
    assert not cells
    assert "the nearest, width=0.015625" in left[0]
    _, left = solved("resolution", "flops", 1.0, depth=14)
    assert "the nearest, resolution=16" in left[0]
    cells, left = solved("epochs", "train_flops", 1.0, depth=14)
    assert "the nearest, epochs=1" in left[0]


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


@pytest.mark.parametrize("axis", ["width", "resolution", "depth"])
def test_before_the_probe_there_are_a_few_sizes_to_measure(axis: str) -> None:
    grid = {
        "name": "g",
        "axes": {"seed": [0, 1]},
        "solve": {axis: {"step_time_s": [0.01, 0.02]}},
        "where": ["forecast_s < 1"],
    }
    cells, _ = cells_of(grid, TINY, None)
    flops = sorted(run_cost(cell.run).flops for cell in cells if cell.run.seed == 0)
    own = run_cost(tiny()).flops
    assert 2 <= len(flops) <= 3
    assert own in flops
    assert own < flops[-1] < 5 * own  # none larger than what is meant to be trained by far
    assert flops[0] > own / 8


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
