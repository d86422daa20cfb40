"""What is sent to SLURM, and that nothing of SLURM is needed where it is not used."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.tiny import tiny
from scaling_study.common.ranks import World
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.failure_causes import write_error
from scaling_study.launch.job import Job, Request
from scaling_study.launch.lost_runs import record_lost_runs
from scaling_study.launch.queue_view import QueueView, RunInQueue
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.commands import ArrayTask, condensed
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.reconcile import lost_run, reason_in
from scaling_study.launch.slurm.requeue import avoided, why_restarted
from scaling_study.launch.slurm.resource_classes import Resources, classes
from scaling_study.launch.slurm.sbatch import parameters
from scaling_study.launch.slurm.worker import Worker
from scaling_study.launch.submissions import Submission, Submissions

GOLDEN = Path(__file__).parent / "golden"

CLUSTER = SlurmOptions(
    name="slurm",
    slots=1,
    slots_per_gpu=1,
    threads=1,
    retry={},
    timeout_min=None,
    memory_gb=None,
    stop_after_same_error=0,
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


def request(
    execution: ExecutionConfig,
    seed: int,
    forecast_s: float | None = None,
    memory_bytes: int | None = None,
    failures: Mapping[str, int] | None = None,
) -> Request:
    return Request(Job(tiny(seed=seed), execution), forecast_s, memory_bytes, failures or {})


def test_few_classes_hold_runs_of_all_sizes(execution: ExecutionConfig) -> None:
    some = [request(execution, i, 60 * 1.02**i, int(5e8 * 1.01**i)) for i in range(400)]
    found = classes(some, CLUSTER)
    assert sum(len(bundles) for bundles in found.values()) == 400
    assert len(found) < 32
    limits = {j.run.run_id: r for r, bundles in found.items() for (j,) in bundles}
    for one in some:
        resources = limits[one.job.run.run_id]
        assert one.forecast_s is not None
        assert one.memory_bytes is not None
        assert 1.5 * one.forecast_s / 60 + 2 <= resources.time_min
        assert 1.5 * one.memory_bytes / 1e9 + 0.5 <= resources.memory_gb


def test_without_a_forecast_the_fallback_counts_and_failures_double_it(
    execution: ExecutionConfig,
) -> None:
    plain, failed = request(execution, 0), request(execution, 1, failures={"host_memory": 1})
    late = request(execution, 2, failures={"timeout": 2})
    (one,), (more,), (longer,) = (classes([r], CLUSTER) for r in (plain, failed, late))
    assert (one.time_min, one.memory_gb) == (90, 6)
    assert (more.time_min, more.memory_gb) == (90, 12)
    assert (longer.time_min, longer.memory_gb) == (360, 6)


def test_packed_jobs_have_room_for_what_runs_at_once(execution: ExecutionConfig) -> None:
    cluster = replace(CLUSTER, runs_per_job=8, gpus_per_run=1, slots=4, slots_per_gpu=2, threads=3)
    some = [request(execution, i, 600.0, int(1e9)) for i in range(16)]
    ((resources, bundles),) = classes(some, cluster).items()
    assert [len(bundle) for bundle in bundles] == [8, 8]
    assert (resources.gpus, resources.cpus) == (2, 12)  # four at once, two to a GPU
    assert resources.time_min == 45  # 8 x 10 min over 4, x 1.5, and the start
    assert resources.memory_gb == 12


def test_sets_of_tasks_are_written_briefly() -> None:
    assert condensed(["7_0", "7_1", "7_2", "7_5", "8", "9_3"]) == ["8", "7_[0-2,5]", "9_[3]"]


@dataclass(frozen=True)
class Fails(Job):
    def _train(self, run_dir: Path, world: World) -> dict[str, object]:
        raise RuntimeError("broken data set")


def worker(
    jobs: Sequence[Job], study_dir: Path, gpus: int = 0, same_error: int = 0, **retry: int
) -> Worker:
    """The worker of job 77 that holds these runs, as if they had been submitted."""
    study_dir.mkdir()
    for job in jobs:
        job.store.enqueue(job.run.run_id, "77")
    runs = (tuple(job.run.run_id for job in jobs),)
    Submissions(study_dir).add(Submission("s", "77", time.time(), runs, {}, "", None))
    options = replace(CLUSTER, notice_s=10, retry=retry, stop_after_same_error=same_error)
    return Worker(tuple(jobs), "s", str(study_dir), gpus, 1, options)


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of SLURM's job 77, whose programs cannot be found.

    Runs are forked from a server that keeps the environment it began with, so it is the job's own.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    for name in ("SCALING_STUDY_JOB", "SCALING_STUDY_RESTART"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setattr(commands, "call", refuse)
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def refuse(program: str, *arguments: str) -> str:
    raise SchedulerError(program)


def test_the_same_error_in_a_packed_job_leaves_the_rest_planned(
    execution: ExecutionConfig, tmp_path: Path, in_job: None
) -> None:
    jobs = [Fails(tiny(seed=i), execution) for i in range(5)]
    study = tmp_path / "study"
    worker(jobs, study, same_error=2)()
    states = [job.store.state(job.run.run_id) for job in jobs]
    assert sorted(states) == ["failed"] * 2 + ["planned"] * 3
    assert "the first 2 runs failed with RuntimeError" in str(Submissions(study).stop_reason())


def test_where_no_gpu_is_visible_the_node_is_to_blame(
    execution: ExecutionConfig, tmp_path: Path, in_job: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = Job(tiny(), execution)
    call = worker([job], tmp_path / "study", gpus=1, node=1)
    call()
    (attempt,) = job.store.attempts(job.run.run_id)
    assert (attempt["cause"], attempt["node"], attempt["job"]) == ("node", "n1", "77")
    assert job.store.state(job.run.run_id) == "queued"
    call()
    assert job.store.state(job.run.run_id) == "failed"
    assert job.outcome().error == "no GPU is visible on n1"


def test_a_requeued_job_leaves_out_what_has_failed_in_it(
    execution: ExecutionConfig, tmp_path: Path, in_job: None
) -> None:
    """The old failure of a run that was submitted again does not count, that in this job does."""
    jobs = [Fails(tiny(seed=0), execution), Job(tiny(seed=1), execution)]
    jobs[1].write_failure("an old one", "error")
    call = worker(jobs, tmp_path / "study", preempted=9)
    call()
    assert [job.store.state(job.run.run_id) for job in jobs] == ["failed", "ok"]
    call()
    assert len(jobs[0].store.attempts(jobs[0].run.run_id)) == 1


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


def test_a_silent_end_is_the_nodes_when_it_is_there_the_second_time(in_job: None) -> None:
    """SLURM's accounting is silent as well."""
    silent = {"job": "7", "node": "n1", "cause": None}
    assert why_restarted("7", "n1", []) is None
    assert why_restarted("7", "n1", [silent]) == "node"
    assert why_restarted("7", "n2", [silent]) is None
    assert why_restarted("7", "n1", [silent | {"cause": "preempted"}]) is None


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


@pytest.mark.parametrize(
    ("state", "said", "cause"),
    [
        ("FAILED", "RuntimeError: CUDA out of memory", "gpu_memory"),
        ("TIMEOUT", "job 7 ended as TIMEOUT", "timeout"),
    ],
)
def test_a_run_that_srun_ended_has_the_error_of_the_process_that_failed_first(
    execution: ExecutionConfig, tmp_path: Path, state: str, said: str, cause: str
) -> None:
    run, store = tiny(), Job(tiny(), execution).store
    run_dir = store.run_dir(run.run_id)
    run_dir.mkdir(parents=True)
    # Rank 0 began, and was ended before it could write.
    note = {"pid": 1, "host": "elsewhere", "job": "7", "attempts": []}
    (run_dir / "job.json").write_text(json.dumps(note), encoding="utf-8")
    for said_by in ("CUDA out of memory", "Connection closed by peer"):
        write_error(run_dir, RuntimeError(said_by))
    lost = lost_run("planned", "7", ArrayTask("7", state, "", "", ""), note, tmp_path)
    view = QueueView({run.run_id: RunInQueue("planned", "7", lost=lost)}, True)
    assert record_lost_runs(view, {run.run_id: run}, store) == {run.run_id: "failed"}
    result = store.result(run.run_id)
    assert result is not None
    assert (result.status, result.error, result.cause) == ("failed", said, cause)
