"""What is sent to SLURM, and that nothing of SLURM is needed where it is not used."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.slurm_site import CLUSTER
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.resource_classes import Resources
from scaling_study.launch.slurm.sbatch import parameters

GOLDEN = Path(__file__).parent / "golden"
SITE = replace(
    CLUSTER,
    partition="gpu",
    account="vision",
    qos="low",
    constraint="a100|h100",
    gres="gpu:a100",
    exclude="bad1",
    whole_node=True,
    lines=("--mail-type=FAIL", "--reservation=study", "--no-kill"),
    setup=("module load cuda", "source /site/profile.sh"),
)
SMALL = Resources(time_min=30, memory_gb=6, gpus=0, cpus=2, tasks=1, nodes=1)
PACKED = Resources(time_min=480, memory_gb=64, gpus=4, cpus=16, tasks=1, nodes=1)
SEVERAL = Resources(time_min=1440, memory_gb=128, gpus=8, cpus=8, tasks=8, nodes=2)


def script(given: Mapping[str, object], folder: Path, tasks: int) -> str:
    """The sbatch file of an array of `tasks` jobs, as submitit writes it."""
    from submitit.slurm.slurm import _make_sbatch_string

    command = (
        f"{shlex.quote(sys.executable)} -u -m submitit.core._submit {shlex.quote(str(folder))}"
    )
    return str(_make_sbatch_string(command, folder, map_count=tasks, **given))


@pytest.mark.parametrize(
    ("name", "resources", "cluster", "avoid"),
    [
        ("plain", SMALL, CLUSTER, []),
        ("site", PACKED, SITE, ["bad2", "bad3"]),
        ("several_nodes", SEVERAL, replace(CLUSTER, nodes=2, gpus_per_run=8), []),
    ],
)
def test_the_batch_script(
    name: str, resources: Resources, cluster: SlurmOptions, avoid: list[str]
) -> None:
    given = parameters(resources, cluster, "grid", Path("/store/snapshots/abc"), avoid)
    text = script(given, Path("/store/grid/jobs"), 12).replace(sys.executable, "PYTHON")
    assert text == (GOLDEN / f"sbatch_{name}.sh").read_text(encoding="utf-8")


def command(tmp_path: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an entry point where no program can be found."""
    return warm_python.run(module, *arguments, cwd=tmp_path, env=environment() | {"PATH": ""})


@pytest.mark.slow
def test_no_program_is_needed_to_plan_and_train_here(tmp_path: Path, cache_dir: Path) -> None:
    grid = ("+grid=smoke", f"cache_dir={cache_dir}", "grid.axes.depth=[14]", "grid.axes.seed=[0]")
    planned = command(tmp_path, "scaling_study.sweep", *grid, "launcher=slurm", "dry_run=true")
    assert planned.returncode == 0, planned.stderr
    refused = command(tmp_path, "scaling_study.sweep", *grid, "launcher=slurm")
    assert refused.returncode == 2
    assert "launcher=slurm: no SLURM here (squeue and sbatch are not on PATH)" in refused.stderr
    assert not list(tmp_path.iterdir())  # nothing was written
    trained = command(tmp_path, "scaling_study.sweep", *grid, "launcher.slots=1")
    assert trained.returncode == 0, trained.stderr
    status = command(tmp_path, "scaling_study.status", "results/smoke", "--json")
    assert json.loads(status.stdout)["counts"]["ok"] == 1
    assert json.loads(status.stdout)["scheduler"] == "not asked"
    cancelled = command(tmp_path, "scaling_study.cancel", "results/smoke")
    assert cancelled.returncode == 0, cancelled.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("launcher.partitoin=gpu", "launcher.partitoin"),
        ("launcher.runs_per_job=0", "launcher.runs_per_job=0: must be 1 or more"),
        ("launcher.time_min=soon", "launcher.time_min='soon': must be a finite number"),
        ("launcher.setup=5", "launcher.setup=5: must be a list"),
        ("launcher.lines=[mail]", "must be options of sbatch's"),
        ("launcher.retry.error=x", "launcher.retry.error='x': must be a whole number"),
        ("launcher.time_min=2", "launcher.time_min=2.0: must be more than launcher.notice_s=120 s"),
        ("launcher.slots_per_gpu=auto", "launcher.slots_per_gpu=auto: must be a number with"),
        ("launcher.slots=-1", "launcher.slots=-1: must be 1 or more, or auto"),
        ("launcher.slots=4", "launcher.slots=4: must not exceed launcher.runs_per_job=1"),
    ],
)
def test_bad_settings_of_a_site(tmp_path: Path, override: str, said: str) -> None:
    done = command(
        tmp_path, "scaling_study.sweep", "+grid=smoke", "launcher=slurm", "dry_run=true", override
    )
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
