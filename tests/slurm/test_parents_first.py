"""Runs that start from others, on a real SLURM."""

import pytest

from study import Study

pytestmark = pytest.mark.slurm

# The runs of the grid start from one that is trained for longer.
CHILDREN = ("++grid.parents={before: {epochs: 3}}", "init='run(before)'")


def test_a_waiting_sweep_submits_runs_once_their_parents_have_ended(study: Study) -> None:
    done = study.sweep(*CHILDREN, "grid.axes.seed=[0]", "launcher.wait=true")
    assert done.returncode == 0, done.stderr
    assert "2 runs: 1 planned, 1 blocked" in done.stdout
    assert "results/smoke: 2 ok" in done.stdout
    assert len(study.submissions()) == 2


def test_without_waiting_the_same_command_submits_what_was_blocked(study: Study) -> None:
    command = (*CHILDREN, "grid.axes.seed=[0]")
    first = study.sweep(*command)
    assert first.returncode == 0, first.stderr
    assert "1 runs wait for those that they start from" in first.stdout
    study.wait(ok=1, ready=1)
    assert study.sweep(*command).returncode == 0
    study.wait(ok=2)
