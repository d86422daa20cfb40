"""W&B's client, with limits on how long it may take. Only this module imports wandb."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common import environment
from scaling_study.config.tracking import base_url
from scaling_study.study.result import FINISHED
from scaling_study.tracking.payload import DIGEST, Payload

if TYPE_CHECKING:
    from wandb import Run

# Time limits, s: of a plain request, after which the server counts as absent, and of API calls.
PROBE_S = 10
API_S = 30
# Runs per request.
PAGE = 50


class TrackingError(Exception):
    """W&B did not take what was sent; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where a run is stored in W&B, and its group, tags and job type there."""

    project: str
    entity: str | None
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
    """One run, open at W&B or in W&B's offline files."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self._next = run.step  # rows below this number are on the server

    @classmethod
    def open(
        cls,
        run_id: str,
        config: Mapping[str, Any],
        target: Target,
        folder: Path,
        timeout_s: float,
        offline: bool = False,
    ) -> "Upload":
        """Open the run, or continue it if the server has it; `folder` gets W&B's folder `wandb`.

        `timeout_s` limits opening, and later finishing. Raises a TrackingError if the server
        refuses, or is not there in time.
        """
        import wandb

        shutil.rmtree(folder / "wandb", ignore_errors=True)
        with _translated(wandb.errors.Error, TimeoutError, OSError):
            run = wandb.init(
                id=run_id,
                name=run_id,
                project=target.project,
                entity=target.entity,
                group=target.group,
                job_type=target.job_type,
                tags=list(target.tags),
                config=dict(config),
                resume=None if offline else "allow",
                mode="offline" if offline else "online",
                dir=str(folder),
                settings=_settings(timeout_s, offline),
            )
        if target.job_type == "train":
            run.define_metric("epoch")
            run.define_metric("*", step_metric="epoch")
        return cls(run)

    def send(self, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Rows that the server does not have yet."""
        for number, row in rows:
            if number >= self._next:
                self.run.log(dict(row), step=number, commit=True)
                self._next = number + 1

    def finish(self, payload: Payload) -> None:
        """Send the rest of a run and its summary, and end it; raises as `close` does."""
        self.send(payload.rows)
        self.run.summary.update({**payload.summary, DIGEST: payload.digest})
        status = payload.summary.get("status")
        if status is None:  # no result yet, the run will continue
            self.run.mark_preempting()  # W&B then lists it as preempted, not as failed
        self.close(exit_code=0 if status in FINISHED else 1)

    def close(self, exit_code: int) -> None:
        """End the run as it is; raises a TrackingError if not everything was taken in time."""
        with _translated(TimeoutError):
            self.run.finish(exit_code=exit_code)


def _settings(timeout_s: float, offline: bool) -> Any:
    """W&B's settings: nothing of the machine, of the code or of the console is collected."""
    import wandb

    return wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        silent=True,
        init_timeout=timeout_s,
        finish_timeout=timeout_s,
        finish_timeout_raises=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        # Our own files are the copy on disk.
        x_skip_transaction_log=not offline,
    )


@dataclass(frozen=True)
class StoredRun:
    """What W&B has of a run: the hash of the payload that it got, group and tags."""

    digest: str | None
    group: str | None
    tags: tuple[str, ...]


def stored_runs(run_ids: Sequence[str], project: str, entity: str | None) -> dict[str, StoredRun]:
    """What W&B has of those of these runs that it has; raises a TrackingError without an answer."""
    import wandb

    found: dict[str, StoredRun] = {}
    try:
        with _translated(wandb.errors.Error, OSError):
            api = wandb.Api(timeout=API_S)
            path = f"{entity or api.default_entity}/{project}"
            for start in range(0, len(run_ids), PAGE):
                names = {"name": {"$in": list(run_ids[start : start + PAGE])}}
                for run in api.runs(path, filters=names, per_page=PAGE, lazy=False):
                    digest = run.summary_metrics.get(DIGEST)
                    found[run.id] = StoredRun(digest, run.group, tuple(run.tags))
    except ValueError as error:
        if "Could not find project" not in str(error):
            raise
        return {}  # W&B creates a project with its first run
    return found


def default_entity() -> str:
    """The key's default entity; raises a TrackingError if W&B does not answer or names nobody."""
    import wandb

    with _translated(wandb.errors.Error, OSError):
        entity = wandb.Api(timeout=API_S).default_entity
    if not entity:
        raise TrackingError("the key has no default entity; give --entity")
    return str(entity)


def app_url() -> str:
    """Address of the web pages of runs."""
    from wandb.sdk.lib.wbauth.host_url import HostUrl

    return HostUrl(base_url()).app_url


def save_workspace(workspace: Any, earlier: str | None) -> str:
    """Save a workspace, over the one at the address `earlier` if it is still there; its address.

    Raises a TrackingError if W&B does not take it.
    """
    import wandb

    target = workspace
    with _translated(wandb.errors.Error, OSError, KeyError, TypeError):
        if earlier:
            with suppress(ValueError):  # somebody deleted it
                target = type(workspace).from_url(earlier)
                target.sections = workspace.sections
                target.runset_settings = workspace.runset_settings
        return str(target.save().url)


@contextmanager
def _translated(*errors: type[Exception]) -> Iterator[None]:
    """Raises a TrackingError of one line in place of these errors."""
    try:
        yield
    except errors as error:
        raise TrackingError(" ".join(str(error).split()) or type(error).__name__) from None
