"""What an entry point is told beside the run: folders, launcher, checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from scaling_study.common.provenance import git_state
from scaling_study.common.validation import from_values, group, one_value, require
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import tracking_of
from scaling_study.data import keep_listings_in
from scaling_study.launch.policy import UNLIMITED, Policy
from scaling_study.launch.slots import AUTO
from scaling_study.launch.slurm.config import Cluster

LAUNCHERS = ("local", "slurm", "inline")


@dataclass(frozen=True, kw_only=True)
class Slots:
    """`slots` runs at a time, `slots_per_gpu` on a GPU (AUTO: as fit), `threads` CPU threads each.

    Within a SLURM job, where `slots` AUTO is as many as share a GPU.
    """

    slots: int
    slots_per_gpu: int
    threads: int

    def __post_init__(self) -> None:
        for key in ("slots", "slots_per_gpu"):
            n = getattr(self, key)
            require(n >= 1 or n == AUTO, f"launcher.{key}", n, "must be 1 or more, or auto")
        require(self.threads >= 1, "launcher.threads", self.threads, "must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class LauncherConfig(Slots):
    """Where runs execute, what follows when they misbehave, and for slurm how jobs are made."""

    name: str
    policy: Policy
    cluster: Cluster | None

    @property
    def waits_for_runs(self) -> bool:
        """Whether a sweep is there until its runs are done; else it submits them and leaves."""
        return self.cluster is None or self.cluster.wait

    @property
    def slots_in_job(self) -> int:
        """Runs at the same time in one SLURM job."""
        assert self.cluster is not None
        return (
            min(self.slots_per_gpu, self.cluster.runs_per_job) if self.slots == AUTO else self.slots
        )

    @property
    def processes(self) -> int:
        """How many processes train one run: one a GPU, where it has several or several nodes."""
        return (self.cluster.gpus_per_run or 1) * self.cluster.nodes if self.cluster else 1


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where results and rendered images lie."""

    results_dir: str
    cache_dir: str

    def __post_init__(self) -> None:
        for key, folder in vars(self).items():
            there = not Path(folder).exists() or Path(folder).is_dir()
            require(there, key, folder, "cannot write there, it is a file; give a folder")


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """See `config.Setting`."""

    every_s: float
    keep: str


@dataclass(frozen=True, kw_only=True)
class Loader:
    """See `config.Setting`."""

    workers: int


def launcher_of(settings: Mapping[str, Any]) -> LauncherConfig:
    """The launcher's settings.

    Raises:
        InputError: an unknown setting, or a value of the wrong type or out of bounds.
    """
    values = {"retry": {}, **group(settings, "launcher")}
    name = one_value(str, values.pop("name", None), "launcher.name")
    require(name in LAUNCHERS, "launcher.name", name, f"unknown; known: {', '.join(LAUNCHERS)}")
    for key in ("slots", "slots_per_gpu"):
        given = values.get(key)
        require(given != AUTO, f"launcher.{key}", given, "must be 1 or more, or auto")
        values[key] = AUTO if given == "auto" else given
    slots, policy, cluster = (_part(values, cls) for cls in (Slots, Policy, Cluster))
    # What is left is unknown, and so is what this launcher has no use for.
    unused = {} if name == "slurm" else cluster
    unused |= {} if name != "inline" else {k: v for k, v in policy.items() if k != "retry"}
    from_values(Slots, slots | values | unused, "launcher.")
    launcher = LauncherConfig(
        **vars(from_values(Slots, slots, "launcher.")),
        name=name,
        policy=UNLIMITED if name == "inline" else from_values(Policy, policy, "launcher."),
        cluster=from_values(Cluster, cluster, "launcher.") if name == "slurm" else None,
    )
    if launcher.cluster is not None:
        _check_jobs(launcher, launcher.cluster.runs_per_job)
    return launcher


def _check_jobs(launcher: LauncherConfig, runs_per_job: int) -> None:
    """Refuse what a SLURM job, whose GPU nobody knows yet, could not do or would leave empty."""
    share, slots = launcher.slots_per_gpu, launcher.slots
    require(share != AUTO, "launcher.slots_per_gpu", "auto", "must be a number with launcher=slurm")
    most = f"must not exceed launcher.runs_per_job={runs_per_job}, or some would stay empty"
    require(slots <= runs_per_job, "launcher.slots", slots, most)


def _part(values: dict[str, Any], cls: type) -> dict[str, Any]:
    """Those of `values` that `cls` has, taken out."""
    return {field.name: values.pop(field.name) for field in fields(cls) if field.name in values}


def execution_config_of(settings: Mapping[str, Any]) -> ExecutionConfig:
    """Where and how the runs execute; which code runs is left for `with_code`.

    Raises:
        InputError: a value of the wrong type or out of bounds.
    """
    folders = from_values(Folders, {k: settings.get(k) for k in ("results_dir", "cache_dir")}, "")
    checkpoint = from_values(Checkpointing, group(settings, "checkpoint"), "checkpoint.")
    loader = from_values(Loader, group(settings, "loader"), "loader.")
    keep_listings_in(Path(folders.cache_dir))
    return ExecutionConfig(
        results_dir=folders.results_dir,
        cache_dir=folders.cache_dir,
        threads=launcher_of(settings).threads,
        loader_workers=loader.workers,
        checkpoint_every_s=checkpoint.every_s,
        checkpoint_keep=checkpoint.keep,
        metrics_every_s=one_value(float, settings.get("metrics_every_s"), "metrics_every_s"),
        tracking=tracking_of(settings),
        git_commit=None,
        git_dirty=None,
    )


def with_code(execution: ExecutionConfig) -> ExecutionConfig:
    """The setting with the state of the checkout: asked only when something is to run."""
    commit, dirty = git_state()
    return replace(execution, git_commit=commit, git_dirty=dirty)
