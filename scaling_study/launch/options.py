"""Settings of launchers: what all of them have, and what those have that watch over their runs."""

from dataclasses import dataclass

from scaling_study.common.validation import require
from scaling_study.config.execution import processes_of
from scaling_study.launch.policy import Policy
from scaling_study.launch.slots import AUTO


@dataclass(frozen=True, kw_only=True)
class LauncherOptions:
    """`slots` runs at a time, `slots_per_gpu` on a GPU (AUTO: as fit), of `threads` CPU threads."""

    name: str
    slots: int
    slots_per_gpu: int
    threads: int

    def __post_init__(self) -> None:
        for key in ("slots", "slots_per_gpu"):
            n = getattr(self, key)
            require(n >= 1 or n == AUTO, f"launcher.{key}", n, "must be 1 or more, or auto")
        require(self.threads >= 1, "launcher.threads", self.threads, "must be 1 or more")

    @property
    def waits_for_runs(self) -> bool:
        """Whether a sweep stays until its runs have ended; else it submits them and leaves."""
        return True

    @property
    def processes(self) -> int:
        """How many processes train one run together."""
        return processes_of(vars(self))


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(LauncherOptions, Policy):
    """Settings of a launcher that limits runs and tries them again."""

    def __post_init__(self) -> None:
        LauncherOptions.__post_init__(self)
        Policy.__post_init__(self)
