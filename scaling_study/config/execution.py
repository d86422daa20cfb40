"""How a run executes: folders, threads, checkpoints, tracking. None of it changes a number."""

from dataclasses import dataclass

from scaling_study.common.validation import require
from scaling_study.config.tracking import Tracking


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """Where and how a run executes: nothing here is part of its identity.

    A checkpoint is written at most every `checkpoint_every_s` seconds; `checkpoint_keep` says what
    stays when the result is there: final or none. `loader_workers` processes decode images for one
    that trains. Within an epoch, metrics get a line at most every `metrics_every_s` seconds.
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

    def __post_init__(self) -> None:
        every, keep = self.checkpoint_every_s, self.checkpoint_keep
        require(self.threads >= 1, "launcher.threads", self.threads, "must be at least 1")
        workers = self.loader_workers
        require(workers >= 0, "loader.workers", workers, "must be 0 (in the process) or more")
        require(every >= 0, "checkpoint.every_s", every, "must be 0 or more seconds")
        often = self.metrics_every_s
        require(often >= 0, "metrics_every_s", often, "must be 0 or more seconds")
        require(keep in ("final", "none"), "checkpoint.keep", keep, "must be final or none")
