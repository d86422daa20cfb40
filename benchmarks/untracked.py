"""How benchmarks run runs: no tracker, no worker processes, and all files in one folder."""

from pathlib import Path

from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import Tracking

NOT_TRACKED = Tracking(
    name="none", project="p", entity=None, tags=(), finish_timeout_s=5, study=None
)


def execution_in(
    folder: str | Path, *, keep: str = "none", every_s: float = 60, threads: int = 1
) -> ExecutionConfig:
    """Files in `folder`; a checkpoint every `every_s` seconds, and what `keep` says of the last."""
    return ExecutionConfig(
        results_dir=str(folder),
        cache_dir=str(folder),
        threads=threads,
        loader_workers=0,
        checkpoint_every_s=every_s,
        checkpoint_keep=keep,
        metrics_every_s=10,
        tracking=NOT_TRACKED,
        git_commit=None,
        git_dirty=None,
    )
