"""Resource classes: what each job asks for, rounded up so that few arrays hold all of them.

Asking for little lets the scheduler back-fill: limits come from the forecast where there is one.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scaling_study.launch.job import Job
from scaling_study.launch.request import Request
from scaling_study.launch.slurm.config import Cluster

# Steps that limits are rounded up to: minutes, then whole days; GB, then multiples of 128.
MINUTES = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1440)
GIGABYTES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# Starting Python with torch on a cold file system.
START_MIN = 2.0
# The processes of a job besides its runs.
POOL_GB = 0.5
# Never more than this many times the first request, after failures for time or memory.
MOST_DOUBLINGS = 3


@dataclass(frozen=True, order=True)
class Resources:
    """What a job asks for on each of `nodes`; `cpus` are those of one of its `tasks` there."""

    time_min: int
    memory_gb: int
    gpus: int
    cpus: int
    tasks: int
    nodes: int


Bundle = tuple[Job, ...]


def classes(
    requests: Sequence[Request], cluster: Cluster, slots: int, slots_per_gpu: int, threads: int
) -> dict[Resources, list[Bundle]]:
    """Jobs of `runs_per_job` runs, in the order given, by what they ask for."""
    alike: dict[Resources, list[Request]] = {}
    for request in requests:
        alike.setdefault(_of_run(request, cluster, threads), []).append(request)
    found: dict[Resources, list[Bundle]] = {}
    for one, group in alike.items():
        for first in range(0, len(group), cluster.runs_per_job):
            some = group[first : first + cluster.runs_per_job]
            job = _of_job(one, some, cluster, min(slots, len(some)), slots_per_gpu)
            found.setdefault(job, []).append(tuple(request.job for request in some))
    return found


def gpus_of(job: Job, cluster: Cluster) -> int:
    """GPUs that a run gets on each node."""
    if cluster.gpus_per_run is not None:
        return cluster.gpus_per_run
    return 1 if job.run.device == "cuda" else 0


def _of_run(request: Request, cluster: Cluster, threads: int) -> Resources:
    """What a run by itself asks for; after failures for time or memory twice as much each time."""
    time_min, memory_gb = cluster.time_min, cluster.memory_gb_per_run
    if time_min is None:
        known = request.forecast_s
        time_min = cluster.fallback_time_min if known is None else cluster.safety * known / 60
    if memory_gb is None:
        need = request.memory_bytes
        memory_gb = cluster.fallback_memory_gb if need is None else cluster.safety * need / 1e9
    doublings = Counter(request.failures)
    time_min *= 2 ** min(MOST_DOUBLINGS, doublings["timeout"])
    memory_gb *= 2 ** min(MOST_DOUBLINGS, doublings["host_memory"])
    # A person's setting is used unchanged; forecasts fall into few classes.
    minutes = math.ceil(time_min) if cluster.time_min is not None else rounded(time_min, MINUTES)
    gpus = gpus_of(request.job, cluster)
    several = cluster.nodes > 1 or gpus > 1
    return Resources(
        time_min=minutes,
        memory_gb=rounded(memory_gb, GIGABYTES),
        gpus=gpus,
        cpus=threads,
        tasks=max(1, gpus) if several else 1,
        nodes=cluster.nodes,
    )


def _of_job(
    one: Resources, requests: Sequence[Request], cluster: Cluster, at_once: int, per_gpu: int
) -> Resources:
    """What a job of these runs, which all need `one`, asks for: `at_once` of them run together."""
    minutes = one.time_min * math.ceil(len(requests) / at_once)
    known = [request.forecast_s for request in requests]
    if cluster.time_min is None and None not in known and not _had_timeouts(requests):
        seconds = [s for s in known if s is not None]
        minutes = math.ceil(cluster.safety * max(*seconds, sum(seconds) / at_once) / 60)
    if cluster.time_min is None:
        minutes = rounded(minutes + START_MIN + cluster.notice_s / 60, MINUTES)
    if one.tasks * one.nodes > 1:
        memory = rounded(one.memory_gb * one.tasks + POOL_GB, GIGABYTES)
        return replace(one, time_min=minutes, memory_gb=memory)
    return replace(
        one,
        time_min=minutes,
        memory_gb=rounded(one.memory_gb * at_once + POOL_GB, GIGABYTES),
        gpus=math.ceil(one.gpus * at_once / per_gpu),
        cpus=one.cpus * at_once,
    )


def _had_timeouts(requests: Sequence[Request]) -> bool:
    return any(request.failures.get("timeout") for request in requests)


def rounded(value: float, steps: Sequence[int]) -> int:
    """The first step that holds `value`; beyond the last, multiples of it."""
    for step in steps:
        if value <= step:
            return step
    return math.ceil(value / steps[-1]) * steps[-1]
