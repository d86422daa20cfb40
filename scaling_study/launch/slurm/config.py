"""Settings of SLURM jobs: conf/launcher/slurm.yaml as a dataclass."""

from dataclasses import dataclass

from scaling_study.common.validation import require
from scaling_study.launch.options import PolicyOptions, check
from scaling_study.launch.slots import AUTO


@dataclass(frozen=True, kw_only=True)
class SlurmOptions(PolicyOptions):
    """How jobs are made and submitted; None leaves a setting to the site or to the forecast.

    `runs_per_job` runs share a job, which has room for `slots` of them at a time. A run gets
    `gpus_per_run` GPUs (None: one with device=cuda, else none) on each of `nodes` nodes; with AUTO
    as many as the plan chooses by `target_hours` and `gpu_memory_gb`, `gpus_per_node` on a node.
    Each of its processes has `cpus` cores (None: what threads and loader need). `time_min` minutes
    and `memory_gb_per_run` (10^9 bytes) are those of one run; without them they come from the
    forecast times `safety`, or are `fallback_…` where there is no forecast. `notice_s` seconds
    before the time limit runs are asked to stop.
    """

    runs_per_job: int
    max_running: int
    max_array: int | None
    max_submit: int | None
    gpus_per_run: int | None
    target_hours: float | None
    gpus_per_node: int
    gpu_memory_gb: float | None
    cpus: int | None
    nodes: int
    whole_node: bool
    time_min: float | None
    memory_gb_per_run: float | None
    fallback_time_min: float
    fallback_memory_gb: float
    safety: float
    notice_s: int
    partition: str | None
    account: str | None
    qos: str | None
    constraint: str | None
    gres: str | None
    exclude: str | None
    lines: tuple[str, ...]
    setup: tuple[str, ...]
    python: str | None
    wait: bool
    allow_dirty: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("runs_per_job", "max_running", "max_array", "max_submit", "nodes", "notice_s"):
            check(self, name, lambda n: n >= 1, "must be 1 or more")
        for name in ("time_min", "memory_gb_per_run", "fallback_time_min", "fallback_memory_gb"):
            check(self, name, lambda x: x > 0, "must be above 0")
        notice = f"launcher.notice_s={self.notice_s} seconds, which end each job"
        check(self, "time_min", lambda x: 60 * x > self.notice_s, f"must be more than {notice}")
        check(
            self,
            "cpus",
            lambda n: n >= self.threads,
            f"must be launcher.threads={self.threads} or more",
        )
        check(self, "safety", lambda x: x >= 1, "must be 1 or more")
        check(self, "gpus_per_run", lambda n: n >= 0 or n == AUTO, "must be 0 or more, or auto")
        check(self, "gpus_per_node", lambda n: n >= 1, "must be 1 or more")
        auto = self.gpus_per_run == AUTO
        require(not auto or self.nodes == 1, "launcher.nodes", self.nodes, "must be 1 with auto")
        several = auto or self.nodes > 1 or (self.gpus_per_run or 0) > 1
        alone = "must be 1 where a run has several GPUs or nodes to itself"
        check(self, "runs_per_job", lambda n: n == 1 or not several, alone)
        for line in self.lines:
            accepted = "must be options of sbatch's: --…"
            require(line.startswith("--"), "launcher.lines", line, accepted)
        # Nobody knows the memory of the job's GPU yet.
        accepted = "must be a number with launcher=slurm"
        require(self.slots_per_gpu != AUTO, "launcher.slots_per_gpu", "auto", accepted)
        n = self.runs_per_job
        most = f"must not exceed launcher.runs_per_job={n}, or some would stay empty"
        require(self.slots <= n, "launcher.slots", self.slots, most)

    @property
    def waits_for_runs(self) -> bool:
        return self.wait

    @property
    def slots_in_job(self) -> int:
        """Runs at the same time in one job; with AUTO, as many as share a GPU."""
        return min(self.slots_per_gpu, self.runs_per_job) if self.slots == AUTO else self.slots
