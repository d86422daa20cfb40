"""One run as a picklable call: claim it, train it, write a result. Launchers say where."""

import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from scaling_study.common import stop_request
from scaling_study.common.device import device_name
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.provenance import versions
from scaling_study.common.ranks import ALONE, World
from scaling_study.common.stop_request import Stopped
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig, changed_code
from scaling_study.config.teaching import LABEL_FILES
from scaling_study.cost.closed_form import describe
from scaling_study.cost.program_cost import keep_descriptions_in
from scaling_study.data import keep_listings_in
from scaling_study.launch import failure_causes
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.program import run_program
from scaling_study.models.counting.counts import keep_counts_in
from scaling_study.study.claims import Claim, LostClaimError, cancelled_in_this_job
from scaling_study.study.parents import BLOCKED, CHECKPOINT_FILE, TRUNK_FILE, blocked_by
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store
from scaling_study.tracking.uploader_handle import uploading, wait_for_uploads

WITHOUT_RESULT = ("planned", "queued", "running")
# A finished run keeps the first two, unless `checkpoint.keep=none`, and never the third.
CHECKPOINTS = (CHECKPOINT_FILE, TRUNK_FILE, "checkpoint.prev.pt")


@dataclass(frozen=True)
class Job:
    """Trains one run in the process that calls it."""

    run: RunConfig
    execution: ExecutionConfig

    @property
    def store(self) -> Store:
        return Store(Path(self.execution.results_dir))

    def __call__(self, world: World = ALONE) -> Outcome:
        """Train and write the result; an exception becomes the run's failure, with its traceback.

        Nothing is trained if the run has a result already, another live process has its claim, it
        was cancelled in the job of this process, or a run that it starts from has not ended well.
        Only a caller knows whether this process is one of a `world`: what the environment says may
        be that of a shell, or of the job that the caller is in.
        """
        keep_listings_in(Path(self.execution.cache_dir))
        keep_descriptions_in(Path(self.execution.cache_dir))
        keep_counts_in(Path(self.execution.cache_dir))
        if world.rank > 0:
            return self._follow(world)
        run_id, store = self.run.run_id, self.store
        if world.size == 1 and (outcome := self.outcome()).status == BLOCKED:
            return outcome
        lost = partial(stop_request.request, "interrupted")
        with store.claim(run_id, lost) as claim, _process_group(world, self.run.device) as agreed:
            run_dir = store.run_dir(run_id)
            begins = claim is not None and store.state(run_id) not in FINISHED
            begins = begins and not self.blocked_by()
            if begins:
                (run_dir / failure_causes.ERROR_FILE).unlink(missing_ok=True)
                for labels in run_dir.glob(LABEL_FILES):
                    labels.unlink()  # by weights that the run had once
            if not agreed(begins):
                return self.outcome()
            assert claim is not None
            # The C library takes a tenth of the time.
            dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
            config = asdict(self.run)
            for key in ("code", "trunk"):
                if not config[key]:
                    del config[key]
            text = str(yaml.dump(config, Dumper=dumper, sort_keys=False))
            replace_file(run_dir / "config.yaml", text)
            with uploading(run_dir, self.execution.tracking):
                try:
                    self._attempt(run_dir, world, claim)
                except LostClaimError as error:
                    print(f"{error}, because this process was taken for dead", flush=True)
            if claim.holds and store.state(run_id) in FINISHED:
                spare = 0 if self.execution.checkpoint_keep == "none" else 2
                for name in CHECKPOINTS[spare:]:
                    (run_dir / name).unlink(missing_ok=True)
        return self.outcome()

    def _attempt(self, run_dir: Path, world: World, claim: Claim) -> None:
        """Train and write the result, or the failure; raises a LostClaimError."""
        killed = failure_causes.kernel_oom_kills()
        try:
            self._write(self._train(run_dir, world, claim.require), claim)
        except (KeyboardInterrupt, LostClaimError):
            raise
        except BaseException as error:  # whatever it is, it is this run's failure alone
            claim.require()
            killed = failure_causes.kernel_oom_kills() - killed
            claim.cause = self._record(error, world, claim, killed)

    def _follow(self, world: World) -> Outcome:
        """Train with rank 0, which claims the run and writes all files but this rank's error."""
        run_dir, killed = self.store.run_dir(self.run.run_id), failure_causes.kernel_oom_kills()
        with _process_group(world, self.run.device) as agreed:
            if agreed(True):
                try:
                    self._train(run_dir, world)
                except Stopped as stopped:
                    return Outcome(self.run.run_id, "stopped", cause=stopped.reason)
                except Exception as error:
                    killed = failure_causes.kernel_oom_kills() - killed
                    failure_causes.write_error(run_dir, error, killed)
                    raise
        return Outcome(self.run.run_id, "running")

    def blocked_by(self) -> str:
        """Why the run cannot start from the runs that it needs now; empty if it can."""
        return blocked_by(self.run.parents, self.store)

    def outcome(self) -> Outcome:
        """The run's present outcome in the store."""
        run_id = self.run.run_id
        state = self.store.state(run_id)
        if state in ("planned", "failed") and (why := self.blocked_by()):
            return Outcome(run_id, BLOCKED, why)
        note = self.store.job(run_id)
        cause, cancelled = note.get("cause"), state == "planned" and cancelled_in_this_job(note)
        if cancelled or (state in ("planned", "failed") and cause in failure_causes.RESUMED):
            return Outcome(run_id, "stopped", cause=cause)
        if state in WITHOUT_RESULT or (result := self.store.result(run_id)) is None:
            return Outcome(run_id, state)
        return Outcome(
            run_id,
            result.status,
            result.error,
            result.cause,
            result.val_error,
            result.wall_s,
            outcome=None if result.outcome is None else declared_text(self.run, result.outcome),
        )

    def write_failure(self, error: str, cause: str, claim: Claim | None = None) -> None:
        """Record that the run failed; the next call of the sweep tries it again.

        Without a `claim` of this process it is for a worker that is gone, as `Store.record` says.
        """
        self._write({"status": "failed", "error": error, "cause": cause}, claim)

    def _record(self, error: BaseException, world: World, claim: Claim, oom_kills: int) -> str:
        """Write `error` as the run's failure, unless the run continues later; returns the cause."""
        cause = failure_causes.cause_of(error, oom_kills)
        if cause in failure_causes.RESUMED:
            print(f"stopped with a checkpoint: {cause}", flush=True)
            return cause
        if isinstance(error, Stopped):
            self.write_failure(f"stopped with a checkpoint: {cause}", cause, claim)
        elif isinstance(error, failure_causes.ProgramError):
            print(error, flush=True)  # where we noticed it helps nobody
            self.write_failure(str(error), cause, claim)
        else:
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
            if world.size > 1:
                run_dir = self.store.run_dir(self.run.run_id)
                failure_causes.write_error(run_dir, error, oom_kills)
                message, cause = failure_causes.read_error(run_dir) or (message, cause)
            self.write_failure(message, cause, claim)
        return cause

    def _train(
        self, run_dir: Path, world: World, fence: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        if self.run.program is not None:
            return run_program(self.run, run_dir, fence)
        # Planning and submitting never import torch.
        from scaling_study.training.loop import train

        if changed := changed_code(self.run):
            raise InputError(
                f"the code of {', '.join(changed)} has changed since the run was planned; the same "
                "command again plans runs of the present code"
            )
        return train(self.run, run_dir, self.execution, world, fence=fence)

    def _write(self, measured: Mapping[str, Any], claim: Claim | None) -> None:
        result = Result(
            **{k: v for k, v in describe(self.run).items() if k not in measured},
            threads=self.execution.threads,
            device=device_name(self.run.device),
            git_commit=self.execution.git_commit,
            git_dirty=self.execution.git_dirty,
            versions=versions(),
            **measured,
        )
        self.store.record(self.run.run_id, result, claim)


def declared_text(run: RunConfig, value: float) -> str:
    """A program's outcome in words, as its task calls it: val_loss 3.1 nats."""
    assert run.program is not None
    declared = run.program.outcome
    return f"{declared.name} {value:.4g} {declared.unit}".strip()


@dataclass(frozen=True)
class Request:
    """A run to start, with forecasts of its seconds and of the memory on its device, in bytes.

    Forecasts are None if unknown. `failures` counts the causes of earlier attempts. `processes`
    train the run together where the launcher leaves that to the plan.
    """

    job: Job
    forecast_s: float | None = None
    memory_bytes: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    processes: int = 1


@contextmanager
def _process_group(world: World, device: str) -> Iterator[Callable[[bool], bool]]:
    """The processes of `world` connected, and a function that gives all of them rank 0's answer."""
    if world.size == 1:
        yield lambda answer: answer
        return
    from scaling_study.training.distributed import from_rank_0, process_group

    with process_group(world, device):
        yield lambda answer: bool(from_rank_0(answer, device))


def finish_uploads(jobs: Sequence[Job], limit_s: float = math.inf) -> None:
    """Wait `limit_s` or less for trackers to get the rest of those of `jobs` that have ended."""
    if jobs:
        store, ids = jobs[0].store, [job.run.run_id for job in jobs]
        ended = (store.run_dir(run_id) for run_id in ids if store.state(run_id) != "running")
        wait_for_uploads(ended, jobs[0].execution.tracking, limit_s)


def record_failure(store: Store, run: RunConfig, error: str, cause: str) -> None:
    """Record the failure of a run whose worker is gone without a result; its device is unknown."""
    failed = Result(**describe(run), status="failed", error=error, cause=cause)
    if store.record(run.run_id, failed):
        store.end(run.run_id, cause)
