"""Environments of jobs and of other programs, without what a shell or an enclosing job says there.

SLURM's programs, W&B's client and torch read settings from the environment, and most of them beat
what the command line says. Here alone it is decided which of them may.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# By these SLURM's programs find their controller, and are trusted by it.
CONTROLLER = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT"}
# Options of SLURM's programs, and what a job, an agent or a launcher tells its own processes.
FOREIGN_PREFIXES = (
    *("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "SCONTROL_", "SCANCEL_"),
    *("SUBMITIT_", "TORCHELASTIC_", "PMI_", "PMIX_", "OMPI_", "SCALING_STUDY_"),
)
FOREIGN = {
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE"),
    *("ROLE_RANK", "ROLE_NAME", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    # Numbers of this machine's GPUs, which say nothing on a node.
    *("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES"),
}
# What a site, or a user's profile, may choose for jobs as long as no setting of ours does.
SITE_OPTIONS = ("account", "partition", "qos", "constraint", "reservation", "wckey")
# Of W&B's variables: the server, the account, local folders, and how patient requests are.
WANDB_ACCOUNT = {
    *("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_IDENTITY_TOKEN_FILE"),
    *("WANDB_CREDENTIALS_FILE", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"),
    *("WANDB_INSECURE_DISABLE_SSL", "WANDB_HTTP_PROXY", "WANDB_HTTPS_PROXY"),
    *("WANDB_X_EXTRA_HTTP_HEADERS", "WANDB_X_PROXIES"),
}
WANDB_PATIENCE = ("WANDB_X_GRAPHQL_", "WANDB_X_FILE_STREAM_", "WANDB_X_FILE_TRANSFER_")


def of_slurm(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For SLURM's programs: they answer alike in any shell, and inside a job."""
    return {
        name: value
        for name, value in environment.items()
        if name in CONTROLLER or not (name in FOREIGN or name.startswith(FOREIGN_PREFIXES))
    }


def of_submission(
    options: Collection[str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """For sbatch, and so for the jobs: SBATCH_… only for what none of `options` says.

    `options` are the long names of sbatch's options that the script has.
    """
    site = (f"SBATCH_{name.upper()}" for name in SITE_OPTIONS if name not in options)
    return of_slurm(environment) | {name: environment[name] for name in site if name in environment}


def of_program(first: Path | None, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For a user's program: its Python finds what lies beside it, which jobs of ours forbid theirs.

    A batch script sets PYTHONSAFEPATH, so that a job imports the code that was submitted. Modules
    in `first` come before those of the working folder.
    """
    found = {name: value for name, value in environment.items() if name != "PYTHONSAFEPATH"}
    if first is None:
        return found
    path = os.pathsep.join(filter(None, (str(first), found.get("PYTHONPATH"), os.getcwd())))
    return found | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def of_wandb(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For W&B's client: whose account it is, but not which run, sweep, group or mode."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("WANDB") or name in WANDB_ACCOUNT or name.startswith(WANDB_PATIENCE)
    }


def become(environment: Mapping[str, str]) -> None:
    """Make `environment` that of this process."""
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    os.environ.update(environment)


@contextmanager
def replaced(environment: Mapping[str, str]) -> Iterator[None]:
    """This process's environment is `environment` while the context lasts."""
    before = dict(os.environ)
    become(environment)
    try:
        yield
    finally:
        become(before)
