"""The local pool with processes that really crash."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.tiny import tiny
from scaling_study.common.ranks import World
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch import inline
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import cpu_slots, gpu_slots
from scaling_study.training import loop


@dataclass(frozen=True)
class Kills(Job):
    """A run whose process gets a signal while it works."""

    number: int = signal.SIGKILL

    def __call__(self) -> Outcome:
        with self.store.claim(self.run.run_id):
            os.kill(os.getpid(), self.number)
            time.sleep(300)
        raise AssertionError


@dataclass(frozen=True)
class Exits(Job):
    def __call__(self) -> Outcome:
        os._exit(3)


@dataclass(frozen=True)
class Sleeps(Job):
    """A run that notes what it may use and when it worked."""

    def __call__(self) -> Outcome:
        start = time.time()
        time.sleep(0.3)
        seen = f"{os.environ['CUDA_VISIBLE_DEVICES']} {os.environ['OMP_NUM_THREADS']}"
        note = self.store.run_dir(self.run.run_id) / "note"
        note.write_text(f"{start} {time.time()} {seen}", encoding="utf-8")
        self.write_failure("asleep", "error")
        return self.outcome()


def by_seed(outcomes: Iterable[Outcome], jobs: list[Job]) -> list[Outcome]:
    found = {outcome.run_id: outcome for outcome in outcomes}
    return [found[job.run.run_id] for job in jobs]


def test_what_one_run_does_to_itself_touches_no_other(execution: ExecutionConfig) -> None:
    jobs = [
        Job(tiny(seed=0), execution),
        Kills(tiny(seed=1), execution),
        Exits(tiny(seed=2), execution),
        Kills(tiny(seed=3), execution, signal.SIGSEGV),
        # An exception: no images can be stored in a folder that is a file.
        Job(tiny(seed=4), replace(execution, cache_dir="/dev/null/cache")),
        Job(tiny(seed=5), execution),
    ]
    ok, killed, left, crashed, raised, also_ok = by_seed(pool.launch(jobs, cpu_slots(2)), jobs)
    assert (ok.status, also_ok.status) == ("ok", "ok")
    assert [o.status for o in (killed, left, crashed, raised)] == ["failed"] * 4
    assert killed.error == "the process was killed by SIGKILL"
    assert killed.cause == "error"
    assert left.error == "the process ended with exit code 3 and left no result"
    assert crashed.error == "the process was killed by SIGSEGV"
    assert raised.error is not None
    assert raised.error.startswith("NotADirectoryError")
    log = jobs[4].store.run_dir(jobs[4].run.run_id) / "log.txt"
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_slots_bound_what_runs_at_once_and_confine_it(execution: ExecutionConfig) -> None:
    jobs: list[Job] = [Sleeps(tiny(seed=i), execution) for i in range(6)]
    for job in jobs:
        job.store.run_dir(job.run.run_id).mkdir(parents=True)
    list(pool.launch(jobs, gpu_slots(["4", "7"])))
    notes = [(j.store.run_dir(j.run.run_id) / "note").read_text().split() for j in jobs]
    assert {gpu for _, _, gpu, _ in notes} == {"4", "7"}
    assert {threads for *_, threads in notes} == {"1"}
    for gpu in ("4", "7"):
        spans = sorted((float(a), float(b)) for a, b, g, _ in notes if g == gpu)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_leaving_the_pool_stops_its_runs(execution: ExecutionConfig) -> None:
    jobs = [Job(tiny(seed=i, **{"train.epochs": 500}), execution) for i in range(2)]
    outcomes = pool.launch([Exits(tiny(seed=9), execution), *jobs], cpu_slots(3))
    assert next(outcomes).error == "the process ended with exit code 3 and left no result"
    outcomes.close()  # type: ignore[attr-defined]
    assert [job.store.state(job.run.run_id) for job in jobs] == ["planned", "planned"]


def same_weights(*run_dirs: Path) -> bool:
    one, other = (torch.load(d / "checkpoint.pt", weights_only=True) for d in run_dirs)
    parts = [(one[part], other[part]) for part in ("model", "ema")]
    return all(torch.equal(a[name], b[name]) for a, b in parts for name in a)


@dataclass(frozen=True)
class DiesOnce(Job):
    """A run whose process is killed in step 30 of its first attempt, behind a checkpoint."""

    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, Any]:
        rate = loop.learning_rate

        def deadly(step: int, *arguments: Any) -> float:
            if step == 30:
                while not (run_dir / "checkpoint.pt").exists():
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
            return rate(step, *arguments)

        if len(self.store.attempts(self.run.run_id)) == 1:
            loop.learning_rate = deadly
        return super()._train(run_dir, world, *more)


@pytest.mark.slow
def test_a_killed_run_continues_from_its_checkpoint(execution: ExecutionConfig) -> None:
    job = DiesOnce(tiny(**{"train.epochs": 8}), execution)
    run_dir = job.store.run_dir(job.run.run_id)
    (outcome,) = pool.launch([job], cpu_slots(1))
    assert outcome.error == "the process was killed by SIGKILL"
    (again,) = pool.launch([job], cpu_slots(1))
    assert again.status == "ok"
    assert "resuming at step" in (run_dir / "log.txt").read_text(encoding="utf-8")
    elsewhere = replace(execution, results_dir=str(Path(execution.results_dir) / "whole"))
    (whole,) = inline.launch([Job(job.run, elsewhere)])
    assert whole.val_error == again.val_error
    assert same_weights(run_dir, Path(elsewhere.results_dir) / "runs" / job.run.run_id)


def test_a_finished_run_is_not_trained_again(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tiny(), execution)
    (first,) = inline.launch([job])
    monkeypatch.setattr(Job, "_train", None)
    (second,) = inline.launch([job])
    assert first == second
    assert first.status == "ok"


def test_kept_checkpoints_are_a_choice(execution: ExecutionConfig) -> None:
    job = Job(tiny(), replace(execution, checkpoint_keep="none"))
    list(inline.launch([job]))
    names = {path.name for path in job.store.run_dir(job.run.run_id).iterdir()}
    assert names == {"config.yaml", "images.json", "job.json", "metrics.jsonl", "result.json"}
