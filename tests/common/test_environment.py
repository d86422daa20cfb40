"""What programs and jobs get of the environment of a shell, a job, an agent or a launcher."""

import os

import pytest

from scaling_study.common import environment

HOME = {"PATH": "/bin", "HOME": "/home/me", "SLURM_CONF": "/etc/slurm.conf", "NCCL_DEBUG": "INFO"}


@pytest.mark.parametrize(
    "foreign",
    [
        {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_ID": "10"},
        {"SLURM_MEM_PER_GPU": "900", "SLURM_GPUS": "1", "SLURMD_NODENAME": "n1"},
        {"SQUEUE_PARTITION": "high", "SQUEUE_STATES": "PENDING", "SACCT_FORMAT": "User"},
        {"SLURM_TIME_FORMAT": "relative", "SCANCEL_NAME": "x", "SLURM_CLUSTERS": "other"},
        {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "n1"},
        {"TORCHELASTIC_RUN_ID": "none", "OMPI_COMM_WORLD_RANK": "1", "PMI_RANK": "0"},
        {"SUBMITIT_EXECUTOR": "slurm", "SRUN_CPUS_PER_TASK": "4", "CUDA_VISIBLE_DEVICES": "2"},
        {"SBATCH_EXPORT": "NONE", "SBATCH_NO_REQUEUE": "1", "SBATCH_ARRAY_INX": "0-9"},
        {"SCALING_STUDY_JOB": "12", "SCALING_STUDY_RESTART": "1"},
    ],
)
def test_slurms_programs_and_jobs_get_nothing_of_where_they_are_called(
    foreign: dict[str, str],
) -> None:
    assert environment.of_slurm(HOME | foreign) == HOME
    assert environment.of_submission([], HOME | foreign) == HOME


def test_a_site_may_choose_what_no_setting_chooses() -> None:
    site = {"SBATCH_ACCOUNT": "lab", "SBATCH_PARTITION": "gpu", "SBATCH_TIMELIMIT": "1"}
    assert environment.of_submission(["time"], site) == {
        "SBATCH_ACCOUNT": "lab",
        "SBATCH_PARTITION": "gpu",
    }
    assert environment.of_submission(["time", "account"], site) == {"SBATCH_PARTITION": "gpu"}
    assert environment.of_slurm(site) == {}


def test_wandb_gets_the_account_and_neither_run_nor_sweep() -> None:
    account = {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "https://x", "WANDB_ENTITY": "team"}
    account |= {"WANDB_X_GRAPHQL_RETRY_MAX": "2"}
    agent = {"WANDB_SWEEP_ID": "abcd", "WANDB_RUN_ID": "zzz", "WANDB_RESUME": "must"}
    agent |= {"WANDB_RUN_GROUP": "g", "WANDB_NAME": "n", "WANDB_TAGS": "t", "WANDB_SERVICE": "1"}
    agent |= {"WANDB_MODE": "disabled", "WANDB_DISABLED": "true", "WANDB_PROJECT": "p"}
    assert environment.of_wandb(HOME | account | agent) == HOME | account


def test_an_environment_is_replaced_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    before = dict(os.environ)
    with environment.replaced({"PATH": "/bin"}):
        assert dict(os.environ) == {"PATH": "/bin"}
    assert dict(os.environ) == before
