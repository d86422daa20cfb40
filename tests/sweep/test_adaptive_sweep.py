"""A sweep that goes round by round, as a user starts it: real training, killed and continued."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import warm_python
from helpers.commands import Command, environment

GRID = [
    "+grid=depth_vs_width",
    "grid.name=rounds",
    *("~grid.planning", "~grid.where"),
    "grid.axes={epochs: [1, 2], seed: 'range(6)'}",
    "grid.points=[{depth: 14, width: 0.125}, {depth: 26, width: 0.125}, {depth: 38, width: 0.125}, "
    "{depth: 14, width: 0.1875}, {depth: 14, width: 0.25}]",
    *("data.classes=4", "data.train_per_class=16", "data.val_per_class=32"),
    *("train.warmup_epochs=0", "train.batch_size=16", "checkpoint.keep=none"),
    "+grid.rules={cost: flops}",
    "+grid.allocation={kind: adaptive, budget: {runs: 30}, rounds: 3}",
]


def rounds(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "results/rounds/freeze.json").read_text(encoding="utf-8")
    plans: list[dict[str, Any]] = json.loads(text)["plans"]
    return plans


def results(tmp_path: Path) -> dict[str, int]:
    """When each run's result was written, in ns."""
    return {
        p.parent.name: p.stat().st_mtime_ns for p in tmp_path.glob("results/runs/*/result.json")
    }


@pytest.mark.slow
def test_rounds_follow_each_other_and_go_on_where_they_were_killed(
    tmp_path: Path, command: Command, cache_dir: Path
) -> None:
    words = ["scaling_study.sweep", *GRID, "launcher.slots=2"]
    place = {"cwd": tmp_path, "env": environment(), "start_new_session": True}
    place |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    sweep = warm_python.start(*words, f"cache_dir={cache_dir}", **place)
    deadline = time.monotonic() + 300
    while len(results(tmp_path)) < 22 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(sweep.pid, signal.SIGKILL)
    sweep.wait()
    # The first round is 20 runs: the second had begun.
    assert len(rounds(tmp_path)[0]["runs"]) == 20
    assert len(rounds(tmp_path)) == 2
    before, planned = results(tmp_path), rounds(tmp_path)
    told = command(*words)
    assert told.returncode == 0, told.stderr
    assert "round 3 of 3 at most: " in told.stdout
    assert rounds(tmp_path)[:2] == planned
    assert results(tmp_path).items() >= before.items()
    found = rounds(tmp_path)
    assert sum(len(plan["runs"]) for plan in found) == len(results(tmp_path)) <= 30
    shares = [plan["share"] for plan in found]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    again = command(*words)
    assert "0 training FLOPs to do" in again.stdout
    assert rounds(tmp_path) == found
    judged = command("analysis", "results/rounds", "-o", "figures")
    assert judged.returncode == 0, judged.stderr
    verdicts = json.loads((tmp_path / "figures/verdicts.json").read_text(encoding="utf-8"))
    assert verdicts["prereg"]["exploratory"] is None
    assert verdicts["prereg"]["look"].startswith("look 3 of 3 (at the end of each round)")


def test_a_dry_run_shows_the_first_round_alone(sweep_here: Command, tmp_path: Path) -> None:
    told = sweep_here(*GRID, "dry_run=true")
    assert told.returncode == 0, told.stderr
    assert "round 1 of 3 at most: 20 of 60 runs" in told.stdout
    assert "(67 % of the budget)" in told.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("allocation", "said"),
    [
        ("{kind: adaptive}", "grid.allocation.budget=None: must be a mapping"),
        ("{kind: adaptive, budget: 5}", "grid.allocation.budget=5: must be a mapping"),
        ("{kind: adaptive, budget: {hours: 5}}", "must be a mapping, as in {kind: adaptive"),
        ("{kind: adaptive, budget: {runs: 30}, rounds: 1}", "rounds=1: must be 2 to 10"),
        ("{kind: adaptive, budget: {runs: 19}}", "grid.allocation.budget.runs=19: 2 seeds of"),
        ("{kind: adaptive, runs: 30}", "grid.allocation.runs: no such setting"),
    ],
)
def test_a_wrong_allocation_is_refused_before_anything_is_trained(
    sweep_here: Command, allocation: str, said: str
) -> None:
    told = sweep_here(*GRID[:-1], f"+grid.allocation={allocation}")
    assert told.returncode == 2
    assert said in told.stderr


@pytest.mark.slow
def test_rules_that_no_seeds_decide_get_none_and_the_round_says_why(
    sweep_here: Command, tmp_path: Path
) -> None:
    # Of runs on a CPU it is the whole process's, nearly the same for networks as small as these.
    # Rounds may come before the last one, as long as all runs of a network are near chance.
    cost = ("~grid.rules", "+grid.rules={cost: peak_memory_bytes}")
    told = sweep_here(*GRID, *cost, "+grid.allocation.rules=[R1-long]", "launcher.slots=2")
    assert told.returncode == 0, told.stderr
    assert "no further one is needed or can be paid for" in told.stdout
    assert "no seeds are bought for R1-long: at resolution 16 px the arms share " in told.stdout


def test_a_study_that_was_planned_without_rounds_is_not_continued_in_rounds(
    sweep_here: Command, tmp_path: Path
) -> None:
    study = tmp_path / "results/rounds"
    study.mkdir(parents=True)
    frozen = {"version": 1, "rules_sha256": "", "plans": [{"at": 0.0, "runs": {"a-0": "a"}}]}
    (study / "freeze.json").write_text(json.dumps(frozen), encoding="utf-8")
    told = sweep_here(*GRID, "dry_run=true")
    assert told.returncode == 2
    assert "was planned without it; give the study a name of its own with grid.name=" in told.stderr
