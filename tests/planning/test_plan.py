"""The plan: forecasts, order, budget, fairness, the paper's grids, two sweeps at once."""

import csv
import heapq
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.rules.confounders import differences
from analysis.study.compared_settings import compared
from helpers.commands import Command, environment
from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.hydra_app import composed
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe, devices_needed
from scaling_study.cost.device_times import Times, UnmeasuredError
from scaling_study.cost.step_law import SLOPES, SLOPES_SD
from scaling_study.cost.time_model import (
    SCORING,
    Estimate,
    Forecast,
    Timing,
    amounts,
    shape_of,
)
from scaling_study.cost.timings import keep_probes, kept_probes
from scaling_study.grid.cells import cells_of
from scaling_study.grid.explain import explained
from scaling_study.launch import probe
from scaling_study.planning.budget import Budget, affordable
from scaling_study.planning.draft import draft, freeze, orphans
from scaling_study.planning.order import makespan, to_do
from scaling_study.planning.plan import Planned, plan, planned_cells
from scaling_study.planning.plan_table import table
from scaling_study.study.result import Result
from scaling_study.study.store import Store
from scaling_study.sweep.decisions import check
from scaling_study.sweep.display import lines

SWEEP = "scaling_study.sweep"
NOTHING = Times([], 1)
COUNTS = {
    "paper/fig3_depth_vs_width": 72,
    "paper/fig2_scaling_grid": 175,
    "paper/table1_additive": 11,
    "paper/table2_weight_decay": 12,
    "paper/table7_resnet_rs": 11,
    "paper/efficientnet": 8,
    "paper/efficientnet_rs": 8,
    "paper/slow_resolution": 24,
    "slow_resolution": 12,
    "additive_study": 30,
    "depth_vs_width": 30,
    "smoke": 4,
}


def rows_of(grid: dict[str, Any], times: Times = NOTHING) -> list[Planned]:
    cells, _ = cells_of({"name": "g", **grid}, TINY, times)
    return plan(cells, Store(Path("none")), {}, times)


def shaken(known: list[Timing], rng: np.random.Generator, sd: float) -> list[Timing]:
    """Measurements with noise in the logarithm."""
    return [replace(t, step_time_s=t.step_time_s * math.exp(rng.normal(0, sd))) for t in known]


def timings(seconds: Callable[[RunConfig], float], **axes: list[Any]) -> list[Timing]:
    """Made-up measurements of a product of cells."""
    runs = [row.run for row in rows_of({"axes": axes})]
    columns = [describe(run) for run in runs]
    return [
        Timing(
            NOTHING.conditions(run),
            shape_of(c),
            seconds(run),
            *amounts(c),
            wall_s=seconds(run) * work(c),
        )
        for run, c in zip(runs, columns, strict=True)
    ]


def work(columns: Any, scoring: float = SCORING[0]) -> float:
    """A run in training steps."""
    steps, scored = amounts(columns)
    return steps + scoring * scored


def law(run: RunConfig) -> float:
    """A device whose step time is a power law of a batch's FLOPs and activations."""
    c = describe(run)
    return float(1e-9 * (16 * c["flops"]) ** 0.3 * (16 * c["activations"]) ** 0.6)


SIZES = {"depth": [14, 26, 38], "width": [0.125, 0.25], "resolution": [16, 32]}


@pytest.mark.parametrize("name", COUNTS)
def test_grids_have_the_papers_counts_and_say_what_they_cost(name: str) -> None:
    values = composed("sweep", [f"+grid={name}"])
    _, cells, left = planned_cells(values, [f"+grid={name}"], NOTHING)
    rows = plan(cells, Store(Path("none")), {}, NOTHING)
    assert len(rows) == COUNTS[name]
    assert not any(point.infeasible for point in left)
    text = (data_dir("sweeps") / "grid" / f"{name}.yaml").read_text(encoding="utf-8")
    for word in ("Question:", "Cost:", f"python -m scaling_study.sweep +grid={name}"):
        assert word in text, word
    if name not in ("smoke", "depth_vs_width"):
        assert "Source: Bello et al. 2021" in text
        said = re.search(r"Cost: (\d+) runs, ([\d.e+]+) training FLOPs", text)
        assert said, text
        flops = sum(row.cost.train_flops for row in rows)
        assert (int(said[1]), said[2]) == (len(rows), f"{flops:.2g}")
    if name.startswith("paper/"):
        largest = max(rows, key=lambda row: row.cost.memory_bytes)
        assert f"largest step needs {devices_needed(largest.run)} GPUs of" in text
        assert {row.columns["n_train"] for row in rows} <= {1_281_167, 1_255_544}
        assert {row.run.precision for row in rows} == {"bf16"}


def test_the_additive_study_adds_up() -> None:
    values = composed("sweep", ["+grid=paper/table1_additive"])
    _, cells, _ = planned_cells(values, [], NOTHING)
    records = [vars(c.run.train) | vars(c.run.model) | vars(c.run.data) for c in cells]
    changed = [{k for k in before if before[k] != after[k]} for before, after in pairwise(records)]
    assert changed[0] == {"schedule"}
    assert changed[1] == {"epochs"}
    assert changed[8] == {"se_ratio"}
    assert all(changed)
    assert cells[0].run.model.depth == 200
    rows = plan(cells, Store(Path("none")), {}, NOTHING)
    columns = table(rows, values["grid"])
    assert [c["variant"] for c in columns][:3] == ["baseline", "cosine", "longer training"]
    assert columns[8]["train.weight_decay"] == 4e-5


def test_a_grid_without_its_images_is_planned_and_not_launched(
    sweep_here: Command, tmp_path: Path
) -> None:
    name = "+grid=paper/efficientnet_rs"
    dry = sweep_here(name, "dry_run=true", "plan.out=plan.csv")
    assert dry.returncode == 0, dry.stderr
    assert "8 runs: 8 planned" in dry.stdout
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert (
            int(row["memory_bytes_low"]) < int(row["memory_bytes"]) < int(row["memory_bytes_high"])
        )
        assert row["forecast_s"] == row["gpu_hours"] == row["forecast_step_time_s_low"] == ""
        assert int(row["data_bytes"]) == (1_281_167 + 50_000) * 3 * int(row["resolution"]) ** 2
    done = sweep_here(name, "device=cpu")
    assert done.returncode == 2
    assert "data.root=imagenet: no such folder" in done.stderr
    assert not list((tmp_path / "results").glob("*/plan.csv"))


def test_a_power_law_is_found_and_shapes_held_out_are_foretold() -> None:
    known = timings(law, **SIZES)
    times = Times(known, 1)
    run = tiny(**{"model.depth": 50, "model.width": 0.5, "data.resolution": 48})
    step = times.step(run, describe(run))
    assert step is not None
    assert step.value == pytest.approx(law(run), rel=1e-6)
    assert times.forecast(run).held_out_error == pytest.approx(0, abs=1e-6)
    whole = times.whole(run, describe(run))
    assert whole is not None
    assert whole.value == pytest.approx(law(run) * work(describe(run)), rel=1e-6)


def test_intervals_hold_new_measurements_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    new = tiny(**{"model.depth": 50, "model.width": 0.2})
    held, n = 0, 300
    known = timings(law, **SIZES)
    for _ in range(n):
        noisy = [
            replace(t, step_time_s=t.step_time_s * math.exp(rng.normal(0, 0.1))) for t in known
        ]
        step = Forecast(noisy).step_time(shape_of(describe(new)))
        assert step is not None
        assert step.low is not None
        assert step.high is not None
        held += step.low <= law(new) * math.exp(rng.normal(0, 0.1)) <= step.high
    assert abs(held / n - 0.9) < 3 * math.sqrt(0.9 * 0.1 / n)


@pytest.mark.slow
@pytest.mark.parametrize("scatter", [0.05, 0.5])
@pytest.mark.parametrize("shapes", [1, 2, 3, 4, 6, 12, 40])
def test_intervals_cover_whatever_a_device_is_like(shapes: int, scatter: float) -> None:
    """Devices as the model expects them; shapes that grow nearly or only loosely alike."""
    rng, held, n = np.random.default_rng(shapes), 0, 600
    for _ in range(n):
        k = rng.normal(SLOPES, SLOPES_SD).clip(min=0)
        flops = rng.uniform(18, 24, shapes + 1)
        x = np.column_stack([flops, 0.9 * flops - 5 + rng.normal(0, scatter, shapes + 1)])
        y = x @ k - 20 + rng.normal(0, 0.15, shapes + 1)
        *known, new = (
            Timing((), (*np.exp(row), 1), math.exp(t)) for row, t in zip(x, y, strict=True)
        )
        step = Forecast(known).step_time(new.shape)
        assert step is not None
        held += step.low <= new.step_time_s <= step.high
    assert held / n > 0.85
    if shapes >= 4:
        assert held / n < 0.97


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 3)] * 3), min_size=1, max_size=8, unique=True))
def test_more_work_never_takes_less_time(measured: list[tuple[float, float, float]]) -> None:
    """Whatever a device has shown, a probe that went wrong included."""
    known = Forecast(
        [Timing((), (math.exp(18 + f), math.exp(14 + a), 16), math.exp(t)) for f, a, t in measured]
    )
    sizes = [known.trend((math.exp(17 + n), math.exp(13 + n), 16)) for n in range(6)]
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(sizes))


def test_shapes_that_grow_alike_do_not_run_away() -> None:
    """Six probes along one line with a bad one: by least squares the slopes are wild."""
    rng = np.random.default_rng(4)
    flops = np.linspace(18, 22, 6)
    activations = 0.9 * flops - 4 + rng.normal(0, 0.02, 6)
    y = 0.3 * flops + 0.6 * activations - 25 + np.array([0.1, 0, 0, 0.5, 0, -0.1])
    by_least_squares = np.linalg.lstsq(np.column_stack([flops, activations, np.ones(6)]), y)[0]
    assert by_least_squares[:2].min() < -1
    timings = [
        Timing((), (math.exp(f), math.exp(a), 1), math.exp(t))
        for f, a, t in zip(flops, activations, y, strict=True)
    ]
    beside = Forecast(timings).step_time((math.exp(20), math.exp(13), 1))
    assert beside is not None
    assert beside.value == pytest.approx(math.exp(0.3 * 20 + 0.6 * 13 - 25), rel=0.6)
    assert beside.high / beside.low < 30


def test_held_out_error_is_that_of_leaving_each_shape_out() -> None:
    rng = np.random.default_rng(1)
    known = shaken(timings(law, **SIZES), rng, 0.2)
    off = []
    for held in known:
        rest = Forecast([t for t in known if t is not held])
        step = rest.step_time(held.shape)
        assert step is not None
        # The sign of the error in logarithms is that of the residual.
        off.append(abs(held.step_time_s / step.value - 1))
    assert Forecast(known).held_out_error == pytest.approx(float(np.median(off)), rel=1e-9)


def test_few_or_no_measurements() -> None:
    run = tiny()
    columns = describe(run)
    assert NOTHING.step(run, columns) is None
    one = timings(law, depth=[14])
    assert Forecast(one).step_time(shape_of(columns)) is not None
    assert Forecast(one).held_out_error is None
    # Until shapes tell, time grows as it does elsewhere, and the interval says how little is known.
    flops, activations = 10 * columns["flops"], 10 * columns["activations"]
    other = Forecast(one).step_time((flops, activations, 16))
    assert other is not None
    assert other.value == pytest.approx(10**1.05 * one[0].step_time_s)
    assert other.low < one[0].step_time_s * 6
    assert other.high > one[0].step_time_s * 20
    near = Forecast(one).step_time(one[0].shape)
    assert near is not None
    assert near.low < 0.8 * near.value < 1.2 * near.value < near.high
    slower = [replace(t, wall_s=(t.wall_s or 0) + 5) for t in one]
    whole = Forecast(slower).run_time(columns)
    assert whole is not None
    assert whole.value == pytest.approx(law(run) * work(columns) + 5)


def test_whole_runs_tell_what_is_beside_their_steps() -> None:
    rng = np.random.default_rng(3)
    lengths = [t for n in (2, 4, 20) for t in timings(law, **SIZES, epochs=[n])]
    truth = [1.05 * t.step_time_s * (t.steps + 0.15 * t.scored) + 0.4 for t in lengths]
    known = [
        replace(t, wall_s=s * math.exp(rng.normal(0, 0.05)))
        for t, s in zip(lengths, truth, strict=True)
    ]
    new = tiny(**{"model.depth": 26, "model.width": 0.25, "train.epochs": 200})
    actual = 1.05 * law(new) * work(describe(new), 0.15) + 0.4
    whole = Forecast(known).run_time(describe(new))
    assert whole is not None
    assert whole.value == pytest.approx(actual, rel=0.03)
    assert whole.low is not None
    assert whole.high is not None
    assert 1.1 < whole.high / whole.low < 1.3
    # Of a large data set some images are scored, not all.
    large = {"batch_size": 100, "n_train": 1_000_000, "n_val": 10_000, "epochs": 3}
    assert amounts(large) == (30_000, 600)


jobs = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(jobs, st.integers(1, 4))
def test_longest_first_is_near_the_best_makespan(epochs: list[int], slots: int) -> None:
    times = Times(timings(law, depth=[14]), 1)
    grid = {"axes": {"epochs": [e + 1 for e in dict.fromkeys(epochs)]}}
    rows = to_do(rows_of(grid, times))
    seconds = [row.forecast_s or 0 for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    found = makespan(rows, slots)
    assert found is not None
    # Graham's bound for longest processing time first.
    best = max(sum(seconds) / slots, seconds[0])
    assert best <= found + 1e-9 <= best * (4 / 3) + max(seconds) / 3
    free = [0.0] * slots
    for s in seconds:
        heapq.heapreplace(free, free[0] + s)
    assert found == max(free)


def test_the_frontiers_cheap_end_can_come_first() -> None:
    grid = {"axes": {"depth": [14, 26, 101], "seed": [0, 1]}}
    rows = rows_of(grid)
    found = [(row.run.model.depth, row.run.seed) for row in to_do(rows, "frontier_first")]
    assert found[0][0] == 14
    assert found[1][0] == 101
    assert sorted(found) == sorted((d, s) for d in (14, 26, 101) for s in (0, 1))
    with pytest.raises(InputError, match=r"plan\.order='fast': must be one of longest, frontier_f"):
        to_do(rows, "fast")


def test_a_budget_keeps_the_part_that_decides_most() -> None:
    rows = rows_of({"axes": {"depth": [14, 26], "epochs": [2, 20], "seed": [0, 1]}})
    budget = Budget(None, 0.6 * sum(row.cost.train_flops for row in rows), True)
    assert not budget.allows(rows, rows)

    def both_regimes(part: Any) -> tuple[float, ...]:
        return (len({row.run.train.epochs for row in part}),)

    part = affordable(rows, budget, both_regimes)
    assert budget.allows(part, rows)
    assert {row.run.train.epochs for row in part} == {2, 20}
    shallow = affordable(rows, budget, lambda part: (-max(r.run.model.depth for r in part),))
    assert {row.run.model.depth for row in shallow} == {14}
    assert affordable(rows, Budget(None, 1, True), both_regimes) == []
    paid = [replace(row, state="ok") for row in rows]
    assert Budget(None, 1, False).allows(paid, paid)
    with pytest.raises(UnmeasuredError, match=r"budget\.gpu_hours=1: nothing has been measured"):
        Budget(1, None, False).allows(rows, rows)


def test_over_budget_nothing_is_started(sweep_here: Command, tmp_path: Path) -> None:
    done = sweep_here("+grid=smoke", "budget.train_flops=2e9")
    assert done.returncode == 2
    assert "budget.train_flops=2e+09: the runs to do need" in done.stderr
    assert re.search(r"budget\.fit=true takes the [123] runs", done.stderr)
    assert "which decide" in done.stdout
    assert not (tmp_path / "results").exists()
    fit = sweep_here("+grid=smoke", "budget.train_flops=2e9", "budget.fit=true", "dry_run=true")
    assert fit.returncode == 0, fit.stderr
    bad = sweep_here("+grid=smoke", "budget.gpu_hours=-1")
    assert bad.returncode == 2
    assert "budget.gpu_hours=-1: must be a number above 0" in bad.stderr


def test_explanations_and_differences(sweep_here: Command, tmp_path: Path) -> None:
    said = sweep_here("+grid=smoke", "++grid.where=['depth<20 or seed==0']", "explain=true")
    assert said.returncode == 0, said.stderr
    assert "3 cells in, 1 points out" in said.stdout
    assert "out  width=0.125, depth=26, seed=1: where 'depth<20 or seed==0' is false" in said.stdout
    diff = sweep_here("+grid=smoke", "++grid.axes.seed=[1,2]", "diff=smoke")
    assert diff.returncode == 0, diff.stderr
    assert diff.stdout.count("only in smoke: 2") == 2
    assert "in both: 2, shared by one store" in diff.stdout
    bad = sweep_here("+grid=smoke", "diff=smock")
    assert bad.returncode == 2
    assert "neither a grid (did you mean smoke?) nor the folder of a study" in bad.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_twice_is_explained() -> None:
    cells, left = cells_of(
        {"name": "g", "points": [{"depth": 14}, {"width": 0.125}]}, TINY, NOTHING
    )
    lines = list(explained(cells, left))
    assert lines[-1] == "1 cells in, 1 points out"
    assert f"the same run as {cells[0].run.run_id}" in lines[1]


def test_a_probe_spans_the_grid_and_is_kept(tmp_path: Path, execution: Any) -> None:
    from scaling_study.launch import inline
    from scaling_study.launch.job import Job

    runs = [row.run for row in rows_of({"axes": SIZES | {"seed": [0, 1]}})]
    chosen = probe.choose(runs, NOTHING)
    flops = [describe(run)["flops"] for run in runs]
    assert len(chosen) == probe.PROBES
    assert {min(flops), max(flops)} <= {describe(run)["flops"] for run in chosen}

    def launch(some: Any, folder: Path) -> Any:
        return inline.launch(
            [Job(run, replace(execution, results_dir=str(folder))) for run in some]
        )

    (found,) = probe.measure(chosen[:1], NOTHING, launch)
    assert isinstance(found[1], Timing), found
    keep_probes(tmp_path, [found[1]])
    with (tmp_path / "probes.jsonl").open("a") as file:
        file.write('{"torn')
    assert kept_probes(tmp_path) == [found[1]]
    assert chosen[0] not in probe.choose(runs, Times(kept_probes(tmp_path), 1))
    # One process says nothing of two, and what it took beside its steps any run takes.
    assert chosen[0] in probe.choose(runs, Times(kept_probes(tmp_path), 1, processes=2))
    whole = Times(kept_probes(tmp_path), 1).whole(chosen[0], describe(chosen[0]))
    assert whole is not None
    assert found[1].wall_s is not None
    took = found[1].steps + SCORING[0] * found[1].scored
    spent = found[1].wall_s - took * found[1].step_time_s
    assert spent > 0
    assert whole.value == pytest.approx(
        spent + work(describe(chosen[0])) * found[1].step_time_s, rel=1e-6
    )
    assert kept_probes(tmp_path / "elsewhere") == []


def test_few_repeats_do_not_narrow_a_forecast() -> None:
    rng = np.random.default_rng(2)
    known = shaken(timings(law, **SIZES), rng, 0.3)
    alike = [replace(known[0], step_time_s=known[0].step_time_s * f) for f in (1.0, 1.001)]
    once, again = (Forecast(some).step_time(known[0].shape) for some in (known, known + alike))
    for step in (once, again):
        assert step is not None
        assert step.high is not None
        assert step.high / step.value > 1.1
    many = [replace(known[0], step_time_s=known[0].step_time_s * (1 + f / 1e4)) for f in range(9)]
    surely = Forecast(known + many).step_time(known[0].shape)
    assert surely is not None
    assert surely.high is not None
    assert surely.high / surely.value < 1.01


def test_several_processes_share_a_runs_memory() -> None:
    cells = [row.cell for row in rows_of({"axes": {"width": [0.5]}})]
    one, four = (plan(cells, Store(Path("none")), {}, Times([], 1, n)) for n in (1, 4))
    assert four[0].cost.memory_bytes < one[0].cost.memory_bytes
    assert "on each of 4 devices" in "\n".join(lines(four, 1, "longest", 4))


def test_what_else_differs_is_named() -> None:
    grid = {
        "axes": {"train.weight_decay": [1e-4, 5e-4]},
        "points": [{"depth": 14}, {"depth": 26, "train.label_smoothing": 0.0}],
    }
    records = table(rows_of(grid), grid)
    assert differences(records, compared(grid)) == [
        "train.label_smoothing: 0 to 0.1",
    ]
    assert compared({"blocks": [grid], "variants": {"cumulative": {"a": {"seed": 1}}}}) == {
        "train.weight_decay",
        "seed",
    }


def test_unknown_runs_of_the_store_are_reported_and_kept(
    sweep_here: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "results/runs/d14-w1-r16-e1-s0-0123456789"
    folder.mkdir(parents=True)
    done = sweep_here("+grid=smoke", "dry_run=true")
    assert "1 runs in the store are in no study's plan: d14-w1-r16-e1-s0-0123456789" in done.stdout
    assert folder.is_dir()
    study = tmp_path / "results/other"
    study.mkdir()
    (study / "plan.csv").write_text(f"run_id,epochs\n{folder.name},1\n", "utf-8")
    assert "in no study" not in sweep_here("+grid=smoke", "dry_run=true").stdout


def test_grids_share_one_store(execution: Any) -> None:
    values = composed("sweep", ["+grid=smoke"])
    found, _ = draft(values, [], execution, None, check)
    run = found.rows[0].run
    folder = Path(execution.results_dir) / "runs" / run.run_id
    folder.mkdir(parents=True)
    result = Result(**describe(run), status="ok", wall_s=3.0)
    (folder / "result.json").write_text(json.dumps(asdict(result)), "utf-8")
    other = composed("sweep", ["+grid=smoke", "grid.name=other", "grid.axes.depth=[14]"])
    shared, _ = draft(other, [], execution, None, check)
    assert [(row.state, row.actual_s) for row in shared.rows] == [("ok", 3.0), ("planned", None)]
    assert orphans(shared, Path(execution.results_dir)) == []


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_two_sweeps_at_once_train_every_run_once(
    sweep_here: Command, tmp_path: Path, cache_dir: Path, attempt: int
) -> None:
    arguments = ["+grid=smoke", "grid.axes.depth=[14]", "++grid.axes.seed='range(30)'"]
    arguments += ["data.train_per_class=8", "data.val_per_class=4", f"cache_dir={cache_dir}"]
    start = [sys.executable, "-m", SWEEP, *arguments, "launcher.slots=2"]
    both = [
        subprocess.Popen(start, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    output = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    folders = [p for p in (tmp_path / "results/runs").iterdir() if p.is_dir()]
    assert len(folders) == 30
    for folder in folders:
        lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines if "loss" in json.loads(line)]
        assert len(epochs) == len(set(epochs)), folder
        assert (folder / "log.txt").read_text("utf-8").count("resuming") == 0
    again = sweep_here(*arguments, "launcher.slots=2")
    assert "30 ok" in again.stdout
    assert "[1/" not in again.stdout


def made_up(seconds: float, run: RunConfig, device: str = "", world: int = 1) -> Timing:
    """A measurement of a run's shape."""
    here, precision, *_ = NOTHING.conditions(run)
    return Timing((device or here, precision, 1, world), shape_of(describe(run)), seconds)


SOLVED = (
    "+grid=smoke",
    "grid.points=[{}]",
    "grid.axes.depth=[14]",
    "++grid.solve={width: {step_time_s: [0.01, 0.02], tolerance: 0.5}}",
    "launcher=inline",
    "precision=fp32",
)


def test_a_study_whose_cells_depend_on_times_trains_only_what_is_missing(
    sweep_here: Command, tmp_path: Path
) -> None:
    """What its own runs measure would lead to other widths."""
    run = planned_cells(composed("sweep", ["+grid=smoke", "precision=fp32"]), [], NOTHING)[1][0].run
    cache = f"cache_dir={tmp_path / 'probes'}"
    keep_probes(tmp_path / "probes", [made_up(0.005, run)])
    first = sweep_here(*SOLVED, cache)
    assert first.returncode == 0, first.stderr
    assert "4 ok" in first.stdout
    keep_probes(tmp_path / "probes", [made_up(0.05, run)])
    again = sweep_here(*SOLVED, cache)
    assert again.returncode == 0, again.stderr
    assert "4 runs: 4 ok" in again.stdout
    assert "[1/" not in again.stdout
    assert "cells go by the times that the study began with" in again.stdout
    assert len([p for p in (tmp_path / "results/runs").iterdir() if p.is_dir()]) == 4
    # More targets are met by the same times; only on request by others.
    more = [text.replace("0.02]", "0.02, 0.03]") for text in SOLVED]
    assert "6 runs: 4 ok, 2 planned" in sweep_here(*more, cache, "dry_run=true").stdout
    anew = sweep_here(*SOLVED, cache, "plan.resolve=true", "dry_run=true")
    assert "4 runs: 4 ok" not in anew.stdout


def test_conditions_on_times_stay_as_they_were(execution: Any, tmp_path: Path) -> None:
    values = composed("sweep", ["+grid=smoke", "precision=fp32"])
    values["results_dir"] = execution.results_dir
    own = replace(execution, cache_dir=str(tmp_path / "probes"))
    (cell, *_) = planned_cells(values, [], NOTHING)[1]
    keep_probes(tmp_path / "probes", [made_up(0.01, cell.run)])
    everything, _ = draft(values, [], own, None, check)
    limit = sum(row.forecast_s or 0 for row in everything.rows) / 4
    values["grid"]["where"] = [f"gpu_hours < {limit / 3600}"]
    first, _ = draft(values, [], own, None, check)
    assert 0 < len(first.rows) < 4
    study = Path(execution.results_dir) / "smoke"
    study.mkdir(parents=True)
    freeze(first, study)
    keep_probes(tmp_path / "probes", [made_up(1e-5, cell.run)])
    second, said = draft(values, [], own, None, check)
    assert [row.run.run_id for row in second.rows] == [row.run.run_id for row in first.rows]
    assert second.rows[0].forecast_s != first.rows[0].forecast_s  # what is shown is what is known
    assert any("plan.resolve=true" in line for line in said)
    values["plan"]["resolve"] = True
    assert len(draft(values, [], own, None, check)[0].rows) == 4


def test_a_study_without_times_freezes_none(execution: Any, tmp_path: Path) -> None:
    found, _ = draft(composed("sweep", ["+grid=smoke"]), [], execution, None, check)
    freeze(found, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_time_without_measurement_is_probed_for(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []

    def measure(runs: Any, times: Times, launch: Any, per_flop: float = 1e-9) -> Any:
        asked.extend(runs)
        return ((run, made_up(per_flop * describe(run)["flops"], run)) for run in runs)

    monkeypatch.setattr(probe, "measure", measure)
    cache = f"cache_dir={tmp_path / 'probes'}"
    blank = sweep_here(*SOLVED, cache, "dry_run=true")
    assert blank.returncode == 2
    assert "plan.probe=true measures a few cells first" in blank.stderr
    done = sweep_here(*SOLVED, cache, "dry_run=true", "plan.probe=true")
    assert done.returncode == 0, done.stderr
    assert "4 runs: 4 planned" in done.stdout
    assert 2 <= len({run.model.width for run in asked}) <= 3
    # Probed again, what only probes have measured is measured anew, and the newest counts.
    known, n = kept_probes(tmp_path / "probes"), len(asked)
    assert len(known) == n
    monkeypatch.setattr(probe, "measure", partial(measure, per_flop=1.1e-9))
    assert sweep_here(*SOLVED, cache, "dry_run=true", "plan.probe=true").returncode == 0
    renewed = kept_probes(tmp_path / "probes")
    assert [t.shape for t in renewed] == [t.shape for t in known]
    assert [t.step_time_s for t in renewed] == pytest.approx([1.1 * t.step_time_s for t in known])
    assert len(asked) == 2 * n


def test_what_finished_runs_have_measured_is_not_probed() -> None:
    runs = [row.run for row in rows_of({"axes": {"depth": [14, 26]}})]
    assert probe.choose(runs, Times([made_up(0.1, runs[0])], 1)) == runs[1:]


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling_study.common.device._of_gpus", lambda column: [])


@pytest.mark.usefixtures("no_gpu")
def test_a_machine_without_a_gpu_plans_by_the_gpus_that_were_measured(
    sweep_here: Command, tmp_path: Path
) -> None:
    ask = ("+grid=smoke", "device=cuda", "launcher=slurm", "dry_run=true")
    (cell, *_) = planned_cells(composed("sweep", [*ask[:2]]), [], NOTHING)[1]
    folder = tmp_path / "probes"
    cache = f"cache_dir={folder}"
    blank = sweep_here(*ask, cache)
    assert "nothing has been measured on this device" in blank.stdout
    keep_probes(folder, [made_up(36.0, cell.run, "cuda: NVIDIA A100")])
    done = sweep_here(*ask, cache, "budget.gpu_hours=1000")
    assert done.returncode == 0, done.stderr
    assert "forecast: times are those of cuda: NVIDIA A100, not of this machine" in done.stdout
    assert "GPU-hours" in done.stdout
    keep_probes(folder, [made_up(18.0, cell.run, "cuda: NVIDIA H100")])
    both = sweep_here(*ask, cache)
    assert (
        "several were measured: cuda: NVIDIA A100, cuda: NVIDIA H100; plan.device=" in both.stdout
    )
    one = sweep_here(*ask, cache, "plan.device=NVIDIA H100")
    assert "forecast: times are those of cuda: NVIDIA H100" in one.stdout
    other = sweep_here(*ask, cache, "plan.device=NVIDIA V100")
    assert other.returncode == 2
    assert "plan.device='NVIDIA V100': nothing was measured on such a device" in other.stderr
    assert "known: cuda: NVIDIA A100, cuda: NVIDIA H100" in other.stderr
    probing = sweep_here(*ask, cache, "plan.probe=true")
    assert probing.returncode == 2
    assert "srun --gpus=1" in probing.stderr


def test_gpu_hours_count_every_gpu_of_a_run(execution: Any, tmp_path: Path) -> None:
    """8 GPUs on 4 nodes train a run: an hour of it is 32 GPU-hours, in plan, where and budget."""
    ask = ["+grid=smoke", "device=cuda", "precision=bf16"]
    several = ["launcher=slurm", "launcher.gpus_per_run=8", "launcher.nodes=4"]
    values = composed("sweep", [*ask, *several])
    own = replace(execution, cache_dir=str(tmp_path / "probes"))
    (cell, *_) = planned_cells(values, [], NOTHING)[1]
    keep_probes(tmp_path / "probes", [made_up(36.0, cell.run, "", 32)])
    rows = draft(values, [], own, None, check)[0].rows
    hours = [row.gpu_hours.value for row in rows if row.gpu_hours]
    assert hours == pytest.approx([32 * (row.forecast_s or 0) / 3600 for row in rows])
    assert Budget(1e9, None, False).needed(rows)["gpu_hours"] == pytest.approx(sum(hours))
    first = table(rows, values["grid"])[0]
    assert first["gpu_hours"] == pytest.approx(32 * first["forecast_s"] / 3600)
    values["grid"]["where"] = [f"gpu_hours < {sorted(hours)[0] * 1.001}"]
    assert 1 <= len(draft(values, [], own, None, check)[0].rows) < len(rows)
    # Two that share a GPU pay for half of it; a CPU's slots are not shared.
    shared = Times([made_up(36.0, cell.run), made_up(36.0, tiny())], 1, 1, 2)
    hour = Estimate(3600.0, 1800.0, 7200.0)
    assert shared.gpu_hours(cell.run, hour) == Estimate(0.5, 0.25, 1.0)
    assert shared.gpu_hours(tiny(), hour) == Estimate(1.0, 0.5, 2.0)


def test_measurements_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    good = made_up(0.1, tiny())
    keep_probes(tmp_path, [good])
    line = (tmp_path / "probes.jsonl").read_bytes()
    bad = [b"[1]", b"7", b"null", b'{"conditions": 3}', b"\xff\xfe", b'{"torn', b""]
    for old, new in (
        (b'"step_time_s": 0.1', b'"step_time_s": NaN'),
        (b'"step_time_s": 0.1', b'"step_time_s": -1'),
        (b'"shape": [', b'"shape": [0, '),
        (b'"shape": [', b'"shape": [-'),
        (b'"shape": [', b'"shape": [1e999, '),
        (b'"conditions": ["', b'"conditions": [["'),
        (b"cpu", b"\xff"),
        (b"0.1", b"1" + 400 * b"0"),
    ):
        assert old in line
        bad.append(line.strip().replace(old, new))
    (tmp_path / "probes.jsonl").write_bytes(b"\n".join([*bad, line]))
    assert kept_probes(tmp_path) == [good]


def test_a_probe_is_not_begun_where_it_cannot_be_kept(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "measure", lambda *_: pytest.fail("probes ran"))
    (tmp_path / "file").touch()
    done = sweep_here("+grid=smoke", "plan.probe=true", "dry_run=true", "cache_dir=file")
    assert done.returncode == 2
    assert "cache_dir=file: cannot write there, it is a file; give a folder" in done.stderr
    below = sweep_here("+grid=smoke", "plan.probe=true", "dry_run=true", "cache_dir=file/below")
    assert below.returncode == 2
    assert "cache_dir=file/below: cannot write to" in below.stderr
    early = sweep_here("+grid=smoke", "results_dir=file", "dry_run=true")
    assert early.returncode == 2
    assert "results_dir=file: cannot write there, it is a file; give a folder" in early.stderr


def test_a_time_model_that_misses_what_was_held_out_is_doubted() -> None:
    rng = np.random.default_rng(0)
    run, known = tiny(), timings(law, **SIZES)
    assert Times(known, 1).notes([run]) == []
    (doubt,) = Times(shaken(known, rng, 3.0), 1).notes([run])
    assert "warning: times of cpu" in doubt
    assert "plan.probe=true measures what was probed again" in doubt


def test_a_variant_that_changes_nothing_is_named(sweep_here: Command) -> None:
    rows = "{baseline: {}, cosine: {train.schedule: cosine}, smooth: {train.label_smoothing: 0.2}}"
    done = sweep_here("+grid=smoke", f"++grid.variants.cumulative={rows}", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "variant cosine is the same run as baseline\n" in done.stdout
    assert "variant smooth" not in done.stdout


def test_infeasible_targets_are_told_once_for_all_seeds(sweep_here: Command) -> None:
    targets = ", ".join(f"{n}e30" for n in range(100, 130))
    solve = f"++grid.solve={{width: {{flops: [2.e6, {targets}], tolerance: 0.9}}}}"
    done = sweep_here("+grid=smoke", "grid.points=[{}]", solve, "dry_run=true")
    assert done.returncode == 2
    done = sweep_here(
        "+grid=smoke", "grid.points=[{}]", solve.replace("e30", "e20"), "dry_run=true"
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("infeasible: ")]
    assert len(lines) == 20
    assert all(line.endswith("(2 points)") for line in lines)
    assert "… and 40 more; explain=true lists them" in done.stdout


def test_an_axis_of_the_other_grid_is_told_as_such(sweep_here: Command) -> None:
    done = sweep_here("+grid=smoke", "train.epochs=3", "diff=depth_vs_width")
    assert done.returncode == 2
    assert "diff=depth_vs_width: the other grid cannot be planned: train.epochs=3" in done.stderr
    assert "epochs is an axis of the grid depth_vs_width" in done.stderr


def test_every_cost_has_an_interval() -> None:
    (row,) = table(rows_of({}, Times([made_up(0.1, tiny())], 1)), {})
    for name in ("memory_bytes", "checkpoint_bytes", "disk_bytes", "forecast_s", "gpu_hours"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"], name
    assert row["data_bytes_low"] == row["data_bytes"] == row["data_bytes_high"]
