"""Sweeps that submit the same runs at once, and what cancels their jobs."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.pretended_slurm import PretendedSlurm, slurm
from helpers.slurm_site import CLUSTER
from helpers.tiny import tiny
from scaling_study.cancel import cancel
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.base import Launch
from scaling_study.launch.job import Job, Request
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.launcher import LAUNCHER
from scaling_study.launch.stop_signals import Stop
from scaling_study.launch.submissions import Submissions

__all__ = ["slurm"]


def call(execution: ExecutionConfig, study_dir: Path) -> Launch:
    """One call of a sweep, which has seen two runs planned."""
    requests = [Request(Job(tiny(seed=seed), execution)) for seed in range(2)]
    return Launch(requests, CLUSTER, study_dir, [], Stop())


@pytest.fixture
def study_dir(execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(execution.results_dir) / "study"
    (folder / "jobs").mkdir(parents=True)
    rows = "".join(f"{tiny(seed=seed).run_id},2\n" for seed in range(2))
    (folder / "plan.csv").write_text(f"run_id,epochs\n{rows}", encoding="utf-8")
    commands.max_array_size.cache_clear()
    return folder


def test_the_second_of_two_calls_submits_nothing(
    slurm: PretendedSlurm,
    execution: ExecutionConfig,
    study_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = [call(execution, study_dir) for _ in range(2)]
    for one in calls:
        assert list(LAUNCHER.launch(one)) == []
    assert len(slurm.calls("sbatch")) == 1
    assert len(Submissions(study_dir).submissions()) == 1
    assert "2 runs were submitted by another call meanwhile" in capsys.readouterr().out


def test_every_job_that_was_submitted_is_cancelled(
    slurm: PretendedSlurm, execution: ExecutionConfig, study_dir: Path
) -> None:
    """Also one that no run's folder names any more."""
    list(LAUNCHER.launch(call(execution, study_dir)))
    submissions = Submissions(study_dir)
    (first,) = submissions.submissions()
    submissions.add(replace(first, submission="before", job="4000"))
    slurm.add("squeue", "4000_0\n4000_1\n4711_0\n4711_1")
    assert cancel(study_dir) == 0
    ((arguments, _),) = slurm.calls("scancel")
    assert {"4000_[0-1]", "4711_[0-1]"} <= set(arguments)
    asked, _ = slurm.calls("squeue")[-1]
    assert f"--name=study-{study_dir.name}" in asked


def test_jobs_that_are_not_the_studys_are_not_cancelled(slurm: PretendedSlurm) -> None:
    """A file of the store may name any job; ended ones and those of others are not in the queue."""
    slurm.add("squeue", "4711_1\n4712")
    commands.cancel(["4711_0", "4711_1", "4000"], "demo")
    ((arguments, _),) = slurm.calls("scancel")
    assert arguments == ["--quiet", "4711_[1]"]
