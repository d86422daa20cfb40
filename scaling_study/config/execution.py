"""How a run executes: folders, threads, checkpoints, tracking. None of it changes a number."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.provenance import git_state
from scaling_study.common.validation import group, one_value, refuse_unknown, require
from scaling_study.config.keys import FOLDERS
from scaling_study.config.tracking import Tracking, tracking_of
from scaling_study.data import keep_listings_in
from scaling_study.models.counting.counts import keep_counts_in

# `loader.workers=auto`.
AUTO_WORKERS = -1
# Of `loader.augment_on`.
PLACES = ("cpu", "device")


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """Where and how a run executes: nothing here is part of its identity.

    A checkpoint is written at most every `checkpoint_every_s` seconds; `checkpoint_keep` says what
    stays when the result is there: final or none. `loader_workers` processes decode images for one
    that trains; AUTO_WORKERS: one per core of the run. `augment_on` cpu or device: the images are
    the same. `images_dir` keeps the images of `data.stored_side`; None: `cache_dir`. Within an
    epoch, metrics get a line at most every `metrics_every_s` seconds.
    `git_commit` and `git_dirty` describe the code.
    """

    results_dir: str
    cache_dir: str
    threads: int
    loader_workers: int
    checkpoint_every_s: float
    checkpoint_keep: str
    metrics_every_s: float
    tracking: Tracking
    git_commit: str | None
    git_dirty: bool | None
    augment_on: str = "cpu"
    images_dir: str | None = None

    def __post_init__(self) -> None:
        keep = self.checkpoint_keep
        for key, value, least, accepted in (
            ("launcher.threads", self.threads, 1, "must be at least 1"),
            ("checkpoint.every_s", self.checkpoint_every_s, 0, "must be 0 or more seconds"),
            ("metrics_every_s", self.metrics_every_s, 0, "must be 0 or more seconds"),
        ):
            require(value >= least, key, value, accepted)
        workers, accepted = self.loader_workers, "must be 0 (in the process) or more, or auto"
        require(workers >= 0 or workers == AUTO_WORKERS, "loader.workers", workers, accepted)
        place = self.augment_on
        require(place in PLACES, "loader.augment_on", place, f"must be {' or '.join(PLACES)}")
        require(keep in ("final", "none"), "checkpoint.keep", keep, "must be final or none")


def _workers(given: object) -> int:
    if given == "auto":
        return AUTO_WORKERS
    require(given != AUTO_WORKERS, "loader.workers", given, "must be 0 or more, or auto")
    return int(one_value(int, given, "loader.workers"))


def execution_config_of(settings: Mapping[str, Any]) -> ExecutionConfig:
    """Where and how the runs execute, but for `with_code`; InputError for a value out of bounds."""
    folders = {key: one_value(str, settings.get(key), key) for key in FOLDERS}
    for key, folder in folders.items():
        try:
            there = not Path(folder).exists() or Path(folder).is_dir()
        except (OSError, ValueError) as error:  # too long, or with a NUL
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{key}={folder[:100]}: no name of a folder ({reason})") from None
        require(there, key, folder, "cannot write there, it is a file; give a folder")
    checkpoint, loader = group(settings, "checkpoint"), group(settings, "loader")
    refuse_unknown(checkpoint, ("every_s", "keep"), "checkpoint.")
    refuse_unknown(loader, ("workers", "augment_on", "images_dir"), "loader.")
    place = one_value(str, loader.get("augment_on", "cpu"), "loader.augment_on")
    able = place != "device" or settings.get("device") != "mps"
    require(able, "loader.augment_on", place, "Apple's GPUs have no double precision; give cpu")
    keep_listings_in(Path(folders["cache_dir"]))
    keep_counts_in(Path(folders["cache_dir"]))
    return ExecutionConfig(
        **folders,
        threads=threads_of(settings),
        loader_workers=_workers(loader.get("workers")),
        checkpoint_every_s=one_value(float, checkpoint.get("every_s"), "checkpoint.every_s"),
        checkpoint_keep=one_value(str, checkpoint.get("keep"), "checkpoint.keep"),
        metrics_every_s=one_value(float, settings.get("metrics_every_s"), "metrics_every_s"),
        tracking=tracking_of(settings),
        git_commit=None,
        git_dirty=None,
        augment_on=place,
        images_dir=one_value(str | None, loader.get("images_dir"), "loader.images_dir"),
    )


def with_code(execution: ExecutionConfig) -> ExecutionConfig:
    """The config with the state of the checkout, which is only read when runs start."""
    commit, dirty = git_state()
    return replace(execution, git_commit=commit, git_dirty=dirty)


def threads_of(settings: Mapping[str, Any]) -> int:
    """CPU threads of each run; raises an InputError unless they are a whole number."""
    return one_value(int, group(settings, "launcher").get("threads"), "launcher.threads")  # type: ignore[no-any-return]


def processes_of(launcher: Mapping[str, Any]) -> int:
    """Processes that train one run together: `gpus_per_run`, by default 1, on each of `nodes`.

    With `gpus_per_run` auto, which the plan decides for each run, 1.
    """
    gpus = launcher.get("gpus_per_run") or 1
    return (gpus if isinstance(gpus, int) and gpus > 0 else 1) * (launcher.get("nodes") or 1)
