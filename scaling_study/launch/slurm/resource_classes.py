"""Resource classes: what each job asks for, rounded up so that few arrays hold all of them.

Asking for little lets the scheduler back-fill: limits come from the forecast where there is one.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scaling_study.launch.job import Job, Request
from scaling_study.launch.slots import AUTO
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.host import cpus_of

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


def classes(requests: Sequence[Request], options: SlurmOptions) -> dict[Resources, list[Bundle]]:
    """Jobs of `runs_per_job` runs, in the order given, by what they ask for."""
    alike = defaultdict[Resources, list[Request]](list)
    for request in requests:
        alike[_of_run(request, options)].append(request)
    found = defaultdict[Resources, list[Bundle]](list)
    for one, group in alike.items():
        for first in range(0, len(group), options.runs_per_job):
            some = group[first : first + options.runs_per_job]
            found[_of_job(one, some, options)].append(tuple(request.job for request in some))
    return found


def _of_run(request: Request, options: SlurmOptions) -> Resources:
    """What a run by itself asks for; after failures for time or memory twice as much each time."""
    time_min, memory_gb = options.time_min, options.memory_gb_per_run
    if time_min is None:
        known = request.forecast_s
        time_min = options.fallback_time_min if known is None else options.safety * known / 60
    if memory_gb is None:
        need = request.memory_bytes
        memory_gb = options.fallback_memory_gb if need is None else options.safety * need / 1e9
    doublings = Counter(request.failures)
    time_min *= 2 ** min(MOST_DOUBLINGS, doublings["timeout"])
    memory_gb *= 2 ** min(MOST_DOUBLINGS, doublings["host_memory"])
    # A person's setting is used unchanged; forecasts fall into few classes.
    minutes = math.ceil(time_min) if options.time_min is not None else rounded(time_min, MINUTES)
    gpus, nodes = _gpus_and_nodes(request, options)
    return Resources(
        time_min=minutes,
        memory_gb=rounded(memory_gb, GIGABYTES),
        gpus=gpus,
        cpus=cpus_of(request.job.run, request.job.execution, options),
        tasks=max(1, gpus),
        nodes=nodes,
    )


def _gpus_and_nodes(request: Request, options: SlurmOptions) -> tuple[int, int]:
    """GPUs of a run on each of its nodes, and how many nodes."""
    wanted, on_gpu = options.gpus_per_run, request.job.run.device == "cuda"
    if wanted is None or (wanted == AUTO and not on_gpu):
        return int(on_gpu), options.nodes
    if wanted != AUTO:
        return wanted, options.nodes
    # Every node has as many of the processes, whose number the recipe's batch can be shared by.
    most = min(options.gpus_per_node, request.processes)
    gpus = next(n for n in range(most, 0, -1) if request.processes % n == 0)
    return gpus, request.processes // gpus


def _of_job(one: Resources, requests: Sequence[Request], options: SlurmOptions) -> Resources:
    """What a job of these runs, which all need `one`, asks for."""
    at_once = min(options.slots_in_job, len(requests))
    minutes = one.time_min * math.ceil(len(requests) / at_once)
    if options.time_min is None:
        seconds = [r.forecast_s for r in requests if not r.failures.get("timeout")]
        known = [s for s in seconds if s is not None]
        if len(known) == len(requests):
            minutes = math.ceil(options.safety * max(*known, sum(known) / at_once) / 60)
        minutes = rounded(minutes + START_MIN + options.notice_s / 60, MINUTES)
    # A run of several tasks has its job to itself: `at_once` is 1.
    per_gpu = 1 if one.tasks * one.nodes > 1 else options.slots_per_gpu
    return replace(
        one,
        time_min=minutes,
        memory_gb=rounded(one.memory_gb * one.tasks * at_once + POOL_GB, GIGABYTES),
        gpus=math.ceil(one.gpus * at_once / per_gpu),
        cpus=one.cpus * at_once,
    )


def rounded(value: float, steps: Sequence[int]) -> int:
    """The first step that holds `value`; beyond the last, multiples of it."""
    beyond = math.ceil(value / steps[-1]) * steps[-1]
    return next((step for step in steps if value <= step), beyond)
