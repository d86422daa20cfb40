"""What is sent to SLURM, and that nothing of SLURM is needed where it is not used."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import environment
from scaling_study.config import Setting
from scaling_study.errors import InputError
from scaling_study.launch import joint
from scaling_study.launch.job import Job
from scaling_study.launch.slurm.cluster import Cluster
from scaling_study.launch.slurm.queue import Task, condensed
from scaling_study.launch.slurm.resources import Request, Resources, classes
from scaling_study.launch.slurm.snapshot import freeze, refuse_dirty
from scaling_study.launch.slurm.standing import Standing, View, settle
from scaling_study.launch.slurm.submit import parameters, script
from tiny import tiny

GOLDEN = Path(__file__).parent / "golden"

CLUSTER = Cluster(
    runs_per_job=1,
    max_running=64,
    max_array=None,
    max_submit=None,
    gpus_per_run=None,
    nodes=1,
    whole_node=False,
    time_min=None,
    memory_gb_per_run=None,
    fallback_time_min=60,
    fallback_memory_gb=4,
    safety=1.5,
    notice_s=120,
    partition=None,
    account=None,
    qos=None,
    constraint=None,
    gres=None,
    exclude=None,
    lines=(),
    setup=(),
    python=None,
    wait=False,
    allow_dirty=False,
)
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


@pytest.mark.parametrize(
    ("name", "resources", "cluster", "avoid"),
    [
        ("plain", SMALL, CLUSTER, []),
        ("site", PACKED, SITE, ["bad2", "bad3"]),
        ("several_nodes", SEVERAL, replace(CLUSTER, nodes=2, gpus_per_run=8), []),
    ],
)
def test_the_batch_script(
    name: str, resources: Resources, cluster: Cluster, avoid: list[str]
) -> None:
    given = parameters(resources, cluster, "grid", Path("/store/snapshots/abc"), avoid)
    text = script(given, Path("/store/grid/jobs"), 12).replace(sys.executable, "PYTHON")
    assert text == (GOLDEN / f"sbatch_{name}.sh").read_text(encoding="utf-8")


def request(
    setting: Setting,
    seed: int,
    forecast_s: float | None = None,
    memory_bytes: int | None = None,
    failures: Mapping[str, int] | None = None,
) -> Request:
    return Request(Job(tiny(seed=seed), setting), forecast_s, memory_bytes, failures or {})


def test_few_classes_hold_runs_of_all_sizes(setting: Setting) -> None:
    some = [request(setting, i, 60 * 1.02**i, int(5e8 * 1.01**i)) for i in range(400)]
    found = classes(some, CLUSTER, 1, 1, 1)
    assert sum(len(bundles) for bundles in found.values()) == 400
    assert len(found) < 32
    limits = {j.run.run_id: r for r, bundles in found.items() for (j,) in bundles}
    for one in some:
        resources = limits[one.job.run.run_id]
        assert one.forecast_s is not None
        assert one.memory_bytes is not None
        assert 1.5 * one.forecast_s / 60 + 2 <= resources.time_min
        assert 1.5 * one.memory_bytes / 1e9 + 0.5 <= resources.memory_gb


def test_without_a_forecast_the_fallback_counts_and_failures_double_it(setting: Setting) -> None:
    plain, failed = request(setting, 0), request(setting, 1, failures={"host_memory": 1})
    late = request(setting, 2, failures={"timeout": 2})
    (one,), (more,), (longer,) = (classes([r], CLUSTER, 1, 1, 1) for r in (plain, failed, late))
    assert (one.time_min, one.memory_gb) == (90, 6)
    assert (more.time_min, more.memory_gb) == (90, 12)
    assert (longer.time_min, longer.memory_gb) == (360, 6)


def test_packed_jobs_have_room_for_what_runs_at_once(setting: Setting) -> None:
    cluster = replace(CLUSTER, runs_per_job=8, gpus_per_run=1)
    some = [request(setting, i, 600.0, int(1e9)) for i in range(16)]
    ((resources, bundles),) = classes(some, cluster, 4, 2, 3).items()
    assert [len(bundle) for bundle in bundles] == [8, 8]
    assert (resources.gpus, resources.cpus) == (2, 12)  # four at once, two to a GPU
    assert resources.time_min == 45  # 8 x 10 min over 4, x 1.5, and the start
    assert resources.memory_gb == 12


def test_more_slots_than_runs_are_refused(setting: Setting) -> None:
    with pytest.raises(InputError, match=r"launcher\.slots=4: more than launcher\.runs_per_job=1"):
        classes([request(setting, 0)], CLUSTER, 4, 1, 1)


def test_sets_of_tasks_are_written_briefly() -> None:
    assert condensed(["7_0", "7_1", "7_2", "7_5", "8", "9_3"]) == ["8", "7_[0-2,5]", "9_[3]"]


def test_code_is_frozen_once_and_dirty_code_is_refused(setting: Setting, tmp_path: Path) -> None:
    clean = replace(setting, git_commit="abcdef0123456789", git_dirty=False)
    frozen = freeze(clean, tmp_path)
    assert frozen.name.startswith("abcdef012345-")
    assert freeze(clean, tmp_path) == frozen
    probe = "import scaling_study.launch.slurm.worker as w; print(w.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, "PYTHONPATH": str(frozen)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(frozen))
    dirty = replace(clean, git_dirty=True)
    with pytest.raises(InputError, match="uncommitted changes"):
        refuse_dirty(dirty, allow_dirty=False)
    refuse_dirty(dirty, allow_dirty=True)
    assert "-dirty-" in freeze(dirty, tmp_path).name


def command(tmp_path: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an entry point where no program can be found."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tmp_path,
        env=environment() | {"PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("launcher.partitoin=gpu", "launcher.partitoin"),
        ("launcher.runs_per_job=0", "launcher.runs_per_job=0: must be 1 or more"),
        ("launcher.time_min=soon", "launcher.time_min='soon': must be a finite number"),
        ("launcher.setup=5", "launcher.setup=5: must be a list"),
        ("launcher.lines=[mail]", "must be options of sbatch's"),
        ("launcher.retry.error=x", "launcher.retry.error='x': must be a whole number"),
    ],
)
def test_bad_settings_of_a_site(tmp_path: Path, override: str, said: str) -> None:
    done = command(
        tmp_path, "scaling_study.sweep", "+grid=smoke", "launcher=slurm", "dry_run=true", override
    )
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("state", "said", "cause"),
    [
        ("FAILED", "RuntimeError: CUDA out of memory", "gpu_memory"),
        ("TIMEOUT", "job 7 ended as TIMEOUT", "timeout"),
    ],
)
def test_a_run_that_srun_ended_has_the_error_of_the_process_that_failed_first(
    setting: Setting, tmp_path: Path, state: str, said: str, cause: str
) -> None:
    run, store = tiny(), Job(tiny(), setting).store
    run_dir = store.run_dir(run.run_id)
    run_dir.mkdir(parents=True)
    # Rank 0 began, and was ended before it could write.
    note = {"pid": 1, "host": "elsewhere", "job": "7", "attempts": []}
    (run_dir / "job.json").write_text(json.dumps(note), encoding="utf-8")
    for said_by in ("CUDA out of memory", "Connection closed by peer"):
        joint.note(run_dir, RuntimeError(said_by))
    gone = Standing("planned", "7", Task("7", state, "", "", ""), gone=True)
    settle(View({run.run_id: gone}, True), {run.run_id: run}, store, tmp_path)
    result = store.result(run.run_id)
    assert result is not None
    assert (result.status, result.error, result.cause) == ("failed", said, cause)
