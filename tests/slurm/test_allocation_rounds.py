"""Adaptive studies on a real SLURM: a round a call, or one after the other while a sweep waits."""

import json
import signal
from collections import Counter
from typing import Any

import pytest

from analysis.report.command import table_and_rules
from study import SMALL, Study, until

pytestmark = pytest.mark.slurm

# Three cells of two lengths of training and one that no rule needs. In the first round are seven
# runs that R1-long compares, the fewest that can test it, and one of each other cell. At this level
# they decide nothing, so a second round follows.
ROUNDS = (
    *("grid.axes.depth=[14,26]", "+grid.axes.epochs=[1,2]", "grid.axes.seed='range(4)'"),
    *("grid.points=[{width: 0.125}, {width: 0.25}]", "+grid.rules={cost: flops, alpha: 1e-6}"),
    "+grid.allocation={kind: adaptive, budget: {runs: 12}, rounds: 2, rules: [R1-long]}",
    *(setting for setting in SMALL if not setting.startswith("train.epochs")),
    *("launcher.runs_per_job=10", "launcher.slots=2"),
)
FIRST = 10


def rounds(study: Study) -> list[dict[str, Any]]:
    """The frozen rounds; none before the first."""
    path = study.folder / "results/smoke/freeze.json"
    return list(json.loads(path.read_text(encoding="utf-8"))["plans"]) if path.exists() else []


def submitted(study: Study) -> Counter[str]:
    """How often each run was submitted."""
    return Counter(run for s in study.submissions() for job in s["runs"] for run in job)


def written(study: Study) -> dict[str, int]:
    """When each run's result was written, in ns."""
    return {p.parent.name: p.stat().st_mtime_ns for p in study.folder.glob("results/runs/*/res*")}


def check_both_rounds(study: Study) -> None:
    """Two rounds of 12 runs, of which none was submitted twice, judged as planned looks."""
    found = rounds(study)
    assert [len(plan["runs"]) for plan in found] == [FIRST, 2]
    assert 0 < found[0]["share"] < found[1]["share"] == 1
    once = {run for plan in found for run in plan["runs"]}
    assert submitted(study) == Counter(once)
    assert written(study).keys() == once
    _, rules = table_and_rules(study.folder / "results/smoke")
    assert not rules.exploratory
    assert rules.look.look.share == 1


def test_each_call_submits_a_round_once_the_last_one_is_done(study: Study) -> None:
    held = study.sweep(*ROUNDS, "launcher.lines=['--hold']", small=False)
    assert held.returncode == 0, held.stderr
    assert "round 1 of 2 at most: 10 of 32 runs" in held.stdout
    assert sum(submitted(study).values()) == FIRST
    early = study.sweep(*ROUNDS, small=False)
    assert "round 1 of 2 at most" in early.stdout
    assert f"{FIRST} queued" in early.stdout
    assert sum(submitted(study).values()) == FIRST
    study.cluster.run("scontrol", "release", *(line.split()[0] for line in study.queue()))
    study.wait(ok=FIRST)
    second = study.sweep(*ROUNDS, small=False)
    assert second.returncode == 0, second.stderr
    assert "round 2 of 2 at most: 12 of 32 runs" in second.stdout
    study.wait(ok=12)
    done = study.sweep(*ROUNDS, small=False)
    assert "no further one is needed or can be paid for" in done.stdout
    check_both_rounds(study)


def test_a_waiting_sweep_that_is_killed_goes_on_with_its_rounds(study: Study) -> None:
    waiting = (*ROUNDS, "launcher.wait=true")
    sweep = study.start(*waiting)
    until(lambda: study.queue() or None, "the first round in the queue", every_s=0.1)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    # Its jobs go on without it, and nobody begins a round meanwhile.
    study.wait(ok=FIRST)
    study.until_queue_is_empty()
    assert len(rounds(study)) == 1
    before = written(study)
    sweep = study.start(*waiting)
    # Killed anew when the second round is frozen, submitted or not.
    until(lambda: True if len(rounds(study)) == 2 else None, "the second round", every_s=0.01)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    done = study.sweep(*waiting, small=False)
    assert done.returncode == 0, done.stderr
    assert "round 2 of 2 at most: 12 of 32 runs" in done.stdout
    assert "results/smoke: 12 ok" in done.stdout
    assert written(study).items() >= before.items()
    check_both_rounds(study)
