"""W&B's client, with limits on how long it may take: runs that are sent, and messages."""

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common import environment
from scaling_study.config.tracking import Tracking, base_url, tag_of
from scaling_study.study.result import FINISHED
from scaling_study.tracking.base import Alert, TrackedRun, TrackingError

if TYPE_CHECKING:
    from wandb import Run

# Time limit of a plain request, after which the server counts as absent, s.
PROBE_S = 10
# Between two samples of system metrics, s; W&B's own default.
SAMPLE_S = 15.0
# What a run's checkpoint is called in its folder, and in W&B's summary where it is an artifact.
CHECKPOINT, CHECKPOINT_KEY = "checkpoint.pt", "checkpoint"
# W&B refuses longer titles of alerts.
TITLE_LENGTH = 63


@dataclass(frozen=True)
class Target:
    """The group, tags and job type of a run in its W&B project."""

    group: str | None
    tags: tuple[str, ...]
    job_type: str = "train"


def quiet_environment() -> None:
    """Called before wandb is imported: no error reports to third parties, no console output.

    Nor may a shell, or an agent of W&B's that this runs in, say which run or project it is: our
    runs have ids of their own.
    """
    environment.become(environment.of_wandb())
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    os.environ["WANDB_SILENT"] = "true"


def reachable() -> bool:
    """Whether anything answers at the server's address within PROBE_S."""
    request = urllib.request.Request(base_url(), method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=PROBE_S).close()
    except urllib.error.HTTPError:
        return True  # it answers
    except OSError:
        return False
    return True


def require_answer() -> None:
    """Raise a TrackingError unless a server answers: a client waits for half a minute."""
    if not reachable():
        raise TrackingError(f"nothing answers at {base_url()}")


class Upload:
    """A sink: one run, open at W&B or in W&B's offline files."""

    def __init__(self, handle: "Run", run: TrackedRun, offline: bool) -> None:
        self.handle, self._run, self._offline = handle, run, offline
        self._next = handle.step  # rows below this number are on the server

    @classmethod
    def open(cls, run: TrackedRun, target: Target, offline: bool = False) -> "Upload":
        """Open the run, or continue it if the server has it; its folder gets W&B's folder `wandb`.

        `run.tracking.finish_timeout_s` limits opening, and later finishing. Raises a TrackingError
        if the server refuses, or is not there in time.
        """
        import wandb

        shutil.rmtree(run.folder / "wandb", ignore_errors=True)
        with translated(wandb.errors.Error, TimeoutError, OSError):
            handle = wandb.init(
                id=run.run_id,
                name=run.name,
                project=run.tracking.project,
                entity=run.tracking.entity,
                group=target.group,
                job_type=target.job_type,
                tags=list(target.tags),
                config=dict(run.config),
                resume=None if offline else "allow",
                mode="offline" if offline else "online",
                dir=str(run.folder),
                settings=_settings(run, offline),
            )
        if target.job_type == "train":
            handle.define_metric("epoch")
            handle.define_metric("*", step_metric="epoch")
        return cls(handle, run, offline)

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        """A row; one that the server has is left out, because W&B takes rising numbers only."""
        if number >= self._next:
            self.handle.log(dict(row), step=number, commit=True)
            self._next = number + 1

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Send the summary, and the checkpoint on request, and end the run; raises as `close`."""
        self.handle.summary.update(dict(summary))
        try:
            self._send_checkpoint()
        finally:
            status = summary.get("status")
            if status is None:  # no result yet, the run will continue
                self.handle.mark_preempting()  # W&B then lists it as preempted, not as failed
            self.close(exit_code=0 if status in FINISHED else 1)

    def _send_checkpoint(self) -> None:
        path = self._run.folder / CHECKPOINT
        if self._run.tracking.checkpoints and path.is_file():
            name = f"checkpoint-{self._run.run_id}"
            self.send_files(name, "model", {path.name: path})
            self.handle.summary[CHECKPOINT_KEY] = name

    def send_files(self, name: str, kind: str, files: Mapping[str, Path]) -> None:
        """Send files, by their names there, as an artifact; raises as `close` does.

        It has arrived when this returns, except with offline files. Nothing is copied before.
        """
        import wandb

        artifact = wandb.Artifact(name, type=kind)
        for path_there, path in files.items():
            artifact.add_file(str(path), path_there, policy="immutable", skip_cache=True)
        with translated(wandb.errors.Error, TimeoutError, OSError, ValueError):
            sent = self.handle.log_artifact(artifact)
            if not self._offline:
                sent.wait(max(1, round(self._run.tracking.finish_timeout_s)))

    def close(self, exit_code: int) -> None:
        """End the run as it is; raises a TrackingError if not everything was taken in time."""
        with translated(TimeoutError):
            self.handle.finish(exit_code=exit_code)
        if not self._offline:
            shutil.rmtree(self._run.folder / "wandb", ignore_errors=True)


def upload_of(run: TrackedRun, offline: bool) -> Upload:
    """The sink of a run that trains; raises as `Upload.open` does, and without an answer."""
    quiet_environment()
    if not offline:
        require_answer()
    study = run.tracking.study
    studies = (tag_of(study),) if study else ()
    return Upload.open(run, Target(study, (*studies, *run.tracking.tags)), offline)


def send_alert(tracking: Tracking, alert: Alert) -> None:
    """Send a message by a run of its own, which W&B needs; raises as `upload_of` does."""
    quiet_environment()
    require_answer()
    name = tag_of(tracking.study or "study")
    with tempfile.TemporaryDirectory(prefix="scaling_study_") as folder:
        run = TrackedRun(f"sweep-{name}", f"sweep {name}", {}, Path(folder), tracking)
        upload = Upload.open(run, Target(tracking.study, (), "sweep"))
        upload.handle.alert(alert.title[:TITLE_LENGTH], alert.text, alert.level)
        upload.close(exit_code=0)


def _settings(run: TrackedRun, offline: bool) -> Any:
    """W&B's settings: nothing of the code or of the console is collected, and of the machine only
    the system metrics that were asked for, of the run's process."""
    import wandb

    sampled = bool(run.tracking.system_metrics and run.pid)
    return wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        silent=True,
        init_timeout=run.tracking.finish_timeout_s,
        finish_timeout=run.tracking.finish_timeout_s,
        finish_timeout_raises=True,
        x_disable_meta=True,
        x_disable_stats=not sampled,
        x_stats_pid=run.pid or os.getpid(),
        x_stats_sampling_interval=SAMPLE_S,
        x_disable_machine_info=not sampled,  # without it W&B samples nothing
        x_save_requirements=False,
        # Our own files are the copy on disk.
        x_skip_transaction_log=not offline,
    )


@contextmanager
def translated(*errors: type[Exception]) -> Iterator[None]:
    """Raises a TrackingError of one line in place of these errors."""
    try:
        yield
    except errors as error:
        raise TrackingError(" ".join(str(error).split()) or type(error).__name__) from None
