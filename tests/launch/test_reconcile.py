"""What became of jobs that have ended, and which nodes are avoided."""

from pathlib import Path

import pytest

from scaling_study.launch.slurm.commands import ArrayTask
from scaling_study.launch.slurm.reconcile import lost_run, reason_in
from scaling_study.launch.slurm.requeue import avoided


def test_a_job_that_ended_well_fails_no_run_and_a_failure_stays(tmp_path: Path) -> None:
    done = ArrayTask("7", "COMPLETED", "", "n1", "")
    assert not lost_run("planned", "7", done, {"pid": 1}, tmp_path).failed
    waited = {"queued": "7", "attempts": [{"job": "7", "cause": "node", "node": "n1"}]}
    cancelled = ArrayTask("7", "CANCELLED", "", "", "")
    seen = lost_run("failed", "7", cancelled, waited, tmp_path)
    assert (seen.failed, seen.cause) == (False, None)


def test_a_node_is_avoided_for_a_day_after_it_broke() -> None:
    broke = [("n1", "node", 1e6), ("n2", "node", 1e6 - 90_000), ("n3", "error", 1e6)]
    attempts = [{"node": n, "cause": c, "ended": when, "job": "7_1"} for n, c, when in broke]
    assert list(avoided(attempts, now=1e6 + 60)) == ["n1"]
    assert "7_1" in avoided(attempts, now=1e6 + 60)["n1"]
    nowhere = {"node": None, "cause": "node", "ended": 1e6}
    assert avoided([nowhere], now=1e6) == {}


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "submitit ERROR (2026-01-01 00:00:00,000) - Submitted job triggered an exception\n"
            'Traceback (most recent call last):\n  File "a.py", line 1\n'
            "ModuleNotFoundError: No module named 'torch'\n"
            "srun: error: n1: task 0: Exited with exit code 1\n"
            "srun: launch/slurm: _step_signal: Terminating StepId=7.0\n",
            "ModuleNotFoundError: No module named 'torch'",
        ),
        (
            "slurmstepd: error: execve(): /none/python: No such file or directory\n"
            "srun: error: n1: task 0: Exited with exit code 2\n",
            "slurmstepd: error: execve(): /none/python: No such file or directory",
        ),
        ("module load cuda\nno such module\n", "no such module"),
        ("srun: error: n1: task 0: Killed\n", "srun: error: n1: task 0: Killed"),
        ("", ""),
    ],
)
def test_a_dead_jobs_log_is_asked_for_the_reason(log: str, reason: str) -> None:
    assert reason_in(log) == reason
