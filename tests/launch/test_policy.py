"""Limits, retries and requests to stop in the local pool, with processes that misbehave."""

import errno
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader, Dataset

from helpers.tiny import tiny
from scaling_study.common.ranks import World
from scaling_study.common.stop_request import Stopped
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.failure_causes import cause_of, cause_of_exit
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.options import UNLIMITED, Policy
from scaling_study.launch.outcome import Outcome, RepeatedError, SameError
from scaling_study.launch.slots import cpu_slots, gpu_slots
from scaling_study.launch.stop_signals import Stop


@dataclass(frozen=True)
class Fills(Job):
    """A run that holds 1.6 GB and waits for what comes."""

    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, object]:
        held = b"x" * 1_600_000_000
        time.sleep(300)
        raise AssertionError(len(held))


@dataclass(frozen=True)
class Raises(Job):
    """A run that raises the first times; it counts its starts."""

    error: str = "MemoryError"
    times: int = 99

    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, object]:
        count = self.store.run_dir(self.run.run_id) / "count"
        n = len(count.read_text()) if count.exists() else 0
        count.write_text("x" * (n + 1))
        if n < self.times:
            raise {"MemoryError": MemoryError, "RuntimeError": RuntimeError}[self.error](
                f"bad luck of {self.run.run_id}, number {n}"
            )
        return super()._train(run_dir, world, *more)


def request_at_work(stop: Stop, jobs: list[Job], times: int = 1) -> None:
    """Ask to stop once these runs are at work, from a thread of its own."""

    def ask() -> None:
        while any(job.store.state(job.run.run_id) != "running" for job in jobs):
            time.sleep(0.02)
        for _ in range(times):
            stop.request("interrupted")

    threading.Thread(target=ask).start()


def starts(job: Job) -> int:
    return len((job.store.run_dir(job.run.run_id) / "count").read_text())


def test_a_run_above_its_memory_is_killed_alone(execution: ExecutionConfig) -> None:
    jobs = [Fills(tiny(seed=0), execution), Job(tiny(seed=1), execution)]
    policy = replace(UNLIMITED, memory_gb=1.5)
    found = {o.run_id: o for o in pool.launch(jobs, cpu_slots(2), policy)}
    full, ok = (found[job.run.run_id] for job in jobs)
    assert (full.status, full.cause) == ("failed", "host_memory")
    assert full.error is not None
    assert "more than launcher.memory_gb=1.5" in full.error
    assert ok.status == "ok"


def test_a_run_over_its_time_stops_with_a_checkpoint_and_goes_on(
    execution: ExecutionConfig,
) -> None:
    job = Job(tiny(**{"train.epochs": 3000}), replace(execution, checkpoint_every_s=1000))
    policy = replace(UNLIMITED, timeout_min=1 / 60, retry={"timeout": 1})
    (outcome,) = pool.launch([job], cpu_slots(1), policy)
    assert (outcome.status, outcome.cause) == ("failed", "timeout")
    run_dir = job.store.run_dir(job.run.run_id)
    assert (run_dir / "checkpoint.pt").exists()
    assert "resuming at step" in (run_dir / "log.txt").read_text()
    assert [a["cause"] for a in job.store.attempts(job.run.run_id)] == ["timeout", "timeout"]


def test_retries_are_counted_by_cause(execution: ExecutionConfig) -> None:
    memory = Raises(tiny(seed=0), execution)
    error = Raises(tiny(seed=1), execution, "RuntimeError")
    luck = Raises(tiny(seed=2), execution, "RuntimeError", times=1)
    policy = replace(UNLIMITED, retry={"host_memory": 2, "error": 1})
    found = {o.run_id: o for o in pool.launch([memory, error, luck], cpu_slots(1), policy)}
    assert [found[j.run.run_id].status for j in (memory, error, luck)] == ["failed", "failed", "ok"]
    assert [found[j.run.run_id].cause for j in (memory, error)] == ["host_memory", "error"]
    assert [starts(j) for j in (memory, error, luck)] == [3, 2, 2]


def test_the_same_error_in_the_first_runs_starts_no_more(execution: ExecutionConfig) -> None:
    jobs = [Raises(tiny(seed=i), execution) for i in range(5)]
    policy = replace(UNLIMITED, stop_after_same_error=2)
    seen: list[Outcome] = []
    with pytest.raises(RepeatedError, match="the first 2 runs failed with MemoryError"):
        seen.extend(pool.launch(jobs, cpu_slots(1), policy))
    states = Counter(job.store.state(job.run.run_id) for job in jobs)
    assert states == {"failed": 2, "planned": 3}


def test_a_machine_that_breaks_is_no_error_of_all_runs() -> None:
    for cause in ("node", "preempted", "cancelled"):
        same = SameError(2)
        broken = [Outcome(f"r{i}", "failed", "CUDA error", cause) for i in range(2)]
        assert not any(same.stops(outcome) for outcome in broken)


def test_an_early_success_lets_failures_pass(execution: ExecutionConfig) -> None:
    jobs = [Job(tiny(seed=9), execution), *(Raises(tiny(seed=i), execution) for i in range(3))]
    policy = replace(UNLIMITED, stop_after_same_error=2)
    assert len(list(pool.launch(jobs, cpu_slots(1), policy))) == 4


def test_the_first_request_writes_checkpoints_and_starts_no_more(
    execution: ExecutionConfig,
) -> None:
    slow = replace(execution, checkpoint_every_s=1000)
    jobs = [Job(tiny(seed=i, **{"train.epochs": 3000}), slow) for i in range(3)]
    stop = Stop()
    request_at_work(stop, jobs[:2])
    outcomes = list(pool.launch(jobs, cpu_slots(2), UNLIMITED, stop))
    stop.close()
    assert [(o.status, o.cause) for o in outcomes] == [("stopped", "interrupted")] * 2
    dirs = [job.store.run_dir(job.run.run_id) for job in jobs]
    assert [(d / "checkpoint.pt").exists() for d in dirs] == [True, True, False]
    assert [job.store.state(job.run.run_id) for job in jobs] == ["planned"] * 3


@dataclass(frozen=True)
class Deaf(Job):
    """A run that does not stop when it is asked to."""

    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, object]:
        time.sleep(300)
        raise AssertionError


def test_the_second_request_kills_and_fails_nothing(execution: ExecutionConfig) -> None:
    jobs, stop = [Deaf(tiny(seed=i), execution) for i in range(3)], Stop()
    jobs[0].write_failure("before", "node")
    request_at_work(stop, jobs, times=2)
    policy = replace(UNLIMITED, stop_after_same_error=3, retry={"error": 1})
    outcomes = list(pool.launch(jobs, cpu_slots(3), policy, stop))
    stop.close()
    assert [(o.status, o.cause) for o in outcomes] == [("stopped", "interrupted")] * 3
    states = [job.store.state(job.run.run_id) for job in jobs]
    assert states == ["failed", "planned", "planned"]
    assert [a["cause"] for a in jobs[1].store.attempts(jobs[1].run.run_id)] == ["interrupted"]


def test_causes_of_exceptions() -> None:
    out_of_memory = type("OutOfMemoryError", (RuntimeError,), {})
    assert cause_of(out_of_memory("CUDA out of memory. Tried to allocate")) == "gpu_memory"
    assert cause_of(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")) == "gpu_memory"
    assert cause_of(MemoryError()) == "host_memory"
    assert cause_of(OSError(errno.ENOMEM, "Cannot allocate memory")) == "host_memory"
    assert cause_of(OSError(errno.ENOENT, "No such file")) == "error"
    assert cause_of(RuntimeError("CUDA error: uncorrectable ECC error encountered")) == "node"
    assert cause_of(RuntimeError("shapes do not match")) == "error"
    assert cause_of(Stopped("timeout")) == "timeout"


class _Killed(Dataset[int]):
    """Images of a worker process that the kernel kills."""

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return index

    def __len__(self) -> int:
        return 2


def test_a_lost_process_is_the_memorys_where_the_kernel_has_killed_for_it() -> None:
    """Torch says of a worker of the loader that it was killed, and gloo that a rank is gone."""
    with pytest.raises(RuntimeError) as lost:
        list(DataLoader(_Killed(), num_workers=1, multiprocessing_context="fork"))
    rank = RuntimeError("pair.cc:553] Connection closed by peer [127.0.0.1]:27548.")
    for error in (lost.value, rank):
        assert cause_of(error, oom_kills=1) == "host_memory"
        assert cause_of(error, oom_kills=0) == "error"
    assert cause_of(RuntimeError("shapes do not match"), oom_kills=1) == "error"


def test_causes_of_exits() -> None:
    assert cause_of_exit(-signal.SIGKILL, 1)[0] == "host_memory"
    assert cause_of_exit(-signal.SIGKILL, 0) == ("error", "the process was killed by SIGKILL")
    assert cause_of_exit(-signal.SIGSEGV, 1)[0] == "error"
    assert cause_of_exit(3, 0) == ("error", "the process ended with exit code 3 and left no result")


def test_gpus_are_shared_evenly() -> None:
    slots = gpu_slots(["0", "3"], 2)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "3", "0", "3"]
    assert len({slot.name for slot in slots}) == 4


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"retry": {"bad_luck": 1}}, "launcher.retry=bad_luck: no such cause; known: gpu_memory"),
        ({"retry": {"node": -1}}, "launcher.retry.node=-1: must be a whole number, 0 or more"),
        ({"timeout_min": 0.0}, "launcher.timeout_min=0.0: must be above 0"),
        ({"stop_after_same_error": -1}, "launcher.stop_after_same_error=-1: must be 0 or more"),
    ],
)
def test_policies_that_cannot_be(policy: dict[str, object], said: str) -> None:
    given = {"retry": {}, "timeout_min": None, "memory_gb": None, "stop_after_same_error": 0}
    with pytest.raises(ValueError, match=said):
        Policy(**(given | policy))  # type: ignore[arg-type]
