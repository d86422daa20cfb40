"""What a shell, an enclosing job or a launcher has set changes no submission, answer or run."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.pretended_slurm import PretendedSlurm, slurm
from helpers.slurm_site import CLUSTER
from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.code_snapshot import Snapshot
from scaling_study.launch.job import Job, Request
from scaling_study.launch.local import pool
from scaling_study.launch.slots import cpu_slots
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.sbatch import Submitter

__all__ = ["slurm"]
FOREIGN = {
    "SLURM_ARRAY_JOB_ID": "7",
    "SLURM_MEM_PER_GPU": "900",
    "SLURM_STEP_NUM_TASKS": "4",
    "SQUEUE_PARTITION": "high",
    "SQUEUE_STATES": "PENDING",
    "SBATCH_EXPORT": "NONE",
    "SBATCH_NO_REQUEUE": "1",
    "SBATCH_ACCOUNT": "lab",
    "RANK": "0",
    "WORLD_SIZE": "2",
}


@pytest.fixture
def inside_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_CONF", "/site/slurm.conf")


def foreign(environment: dict[str, str]) -> set[str]:
    return set(environment) & {*FOREIGN, "SLURM_CONF"}


def test_a_submission_from_inside_a_job_is_that_of_any_shell(
    slurm: PretendedSlurm, inside_a_job: None, execution: ExecutionConfig, tmp_path: Path
) -> None:
    requests = [Request(Job(tiny(seed=seed), execution)) for seed in range(2)]
    study_dir = Path(execution.results_dir) / "study"
    (submission,) = Submitter(study_dir, CLUSTER, Snapshot(tmp_path, "")).submit(requests, [])
    assert submission.job == "4711"
    ((_, environment),) = slurm.calls("sbatch")
    assert foreign(environment) == {"SLURM_CONF", "SBATCH_ACCOUNT"}
    assert os.environ["WORLD_SIZE"] == "2"  # ours is as before


def test_a_setting_beats_what_the_site_has_for_it(
    slurm: PretendedSlurm, inside_a_job: None, execution: ExecutionConfig, tmp_path: Path
) -> None:
    study_dir = Path(execution.results_dir) / "study"
    for options in (replace(CLUSTER, account="mine"), replace(CLUSTER, lines=("--account=mine",))):
        list(
            Submitter(study_dir, options, Snapshot(tmp_path, "")).submit(
                [Request(Job(tiny(), execution))], []
            )
        )
    assert [foreign(environment) for _, environment in slurm.calls("sbatch")] == [
        {"SLURM_CONF"},
        {"SLURM_CONF"},
    ]


def test_questions_to_slurm_are_those_of_any_shell(
    slurm: PretendedSlurm, inside_a_job: None
) -> None:
    commands.tasks(["7"])
    commands.accounts(["7"])
    commands.my_queued_jobs()
    slurm.add("squeue", "7")
    commands.cancel(["7"], "demo")
    called = [call for name in ("squeue", "sacct", "scancel") for call in slurm.calls(name)]
    assert len(called) == 5
    assert all(foreign(environment) == {"SLURM_CONF"} for _, environment in called)


@pytest.mark.parametrize(
    "told",
    [
        {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"},
        {"WORLD_SIZE": "1", "RANK": "0"},
        {"WORLD_SIZE": "2", "RANK": "1"},
        {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "1", "SLURM_LOCALID": "0"},
    ],
)
def test_runs_of_a_pool_are_alone_whatever_the_shell_says(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, told: dict[str, str]
) -> None:
    for name, value in (told | {"MASTER_PORT": "29513"}).items():
        monkeypatch.setenv(name, value)
    (outcome,) = pool.launch([Job(tiny(), execution)], cpu_slots(1))
    assert outcome.status == "ok", outcome.error
