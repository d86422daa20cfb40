"""A pool of slots on this machine: one fresh process per run, forked from a server with torch.

A slot is a GPU, a share of one, or a CPU core. The server imports torch once, so a run starts in
milliseconds, and a run that crashes, or is killed for its memory, takes nothing else with it.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.connection import wait

from scaling_study.launch.causes import REQUESTS
from scaling_study.launch.job import Job, Outcome
from scaling_study.launch.policy import UNLIMITED, Policy, Retries, SameError
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop import Stop
from scaling_study.launch.work import Work, body

# Spinning threads of one run would take the core of another (OpenMP's default is to spin).
THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# What the server imports once: the trainer, and what main modules of ours import.
PRELOAD = ["scaling_study.training.loop", "hydra", "submitit.core.submission"]
# How often limits of time and memory are looked at.
LOOK_S = 0.2


class PoolError(RuntimeError):
    """The server that starts the runs is gone."""


class RepeatedError(RuntimeError):
    """The first runs all failed with the same error, and the rest was not started."""


def launch(
    jobs: Sequence[Job],
    slots: Sequence[Slot],
    policy: Policy = UNLIMITED,
    stop: Stop | None = None,
) -> Iterator[Outcome]:
    """Outcomes as the runs end. Leaving the iterator kills the runs in work.

    A request at `stop` lets them write checkpoints and starts no others; a second one kills them.

    Raises:
        PoolError: the server that starts the runs was killed.
        RepeatedError: see `Policy.stop_after_same_error`; the runs in work have ended.
    """
    if not jobs:
        return
    _limit_threads(jobs[0].setting.threads)
    context = get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *_imported(), "scaling_study.launch.warm"])
    _start_server()
    # Runs hold the reading end; it reports the end of file when this process is gone.
    reader, writer = context.Pipe(duplex=False)
    queue, free = deque(jobs), list(slots)
    working: dict[int, Work] = {}
    retries, same = Retries(policy), SameError(policy.stop_after_same_error)
    asked = [stop.fileno()] if stop else []
    failure: Outcome | None = None
    try:
        while queue or working:
            while queue and free:
                job, slot = queue.popleft(), free.pop()
                process = context.Process(target=body, args=(job, slot, reader), name=slot.name)
                try:
                    process.start()
                except (EOFError, ConnectionError) as error:
                    raise PoolError("because the server of the runs is gone") from error
                working[process.sentinel] = Work(process, slot, job, policy)
            for ready in wait([*working, *asked], _patience(policy, stop)):
                if stop is not None and ready == stop.fileno():
                    queue.clear()
                    if stop.take():
                        for work in working.values():
                            work.process.kill()
                    continue
                assert isinstance(ready, int)
                work = working.pop(ready)
                outcome = work.end()
                free.append(work.slot)
                if failure is None and same.stops(outcome):
                    failure = outcome
                    queue.clear()
                elif not (stop and stop.reasons) and failure is None and retries.again(outcome):
                    print(f"again, after {outcome.cause}: {outcome.run_id}", flush=True)
                    queue.append(work.job)
                    continue
                yield outcome
            for work in working.values():
                work.watch()
                if stop is not None and stop.reasons:
                    work.ask(stop.reasons[0])  # again: a process that just starts hears nothing
        if failure is not None:
            n = policy.stop_after_same_error
            raise RepeatedError(f"the first {n} runs failed with {failure.error}")
    finally:
        for work in working.values():
            work.process.kill()
        for work in working.values():
            work.process.join()
        reader.close()
        writer.close()


def _imported() -> list[str]:
    """What this process has of ours: each child would import it again with the main module."""
    return [name for name in sys.modules if name.startswith("scaling_study.")]


def _start_server() -> None:
    """Start the server deaf to requests to stop: a scheduler signals every process of a job."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in REQUESTS}
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _patience(policy: Policy, stop: Stop | None) -> float | None:
    """Seconds until runs are looked at again; None if there are no limits nor requests."""
    limited = policy.timeout_min is not None or policy.memory_gb is not None
    return LOOK_S if limited or (stop is not None and stop.reasons) else None


def _limit_threads(threads: int) -> None:
    """Set what OpenMP reads when torch is loaded; the server inherits it."""
    for name in THREAD_LIMITS:
        os.environ[name] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"
