"""A pool of slots on this machine: one fresh process per run, forked from a server with torch.

A slot is a GPU, or a CPU core with one thread. The server imports torch once, so a run starts in
milliseconds, and a run that crashes, or is killed for its memory, takes nothing else with it.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

from scaling_study.device import cpu_cores, visible_gpus
from scaling_study.errors import InputError
from scaling_study.launch.job import Job, Outcome

# Spinning threads of one run would take the core of another (OpenMP's default is to spin).
THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# What the server imports once: the trainer, and what our entry points import, because every child
# imports the main module again.
PRELOAD = ["scaling_study.training.loop", "hydra"]


@dataclass(frozen=True)
class Slot:
    """A place for one run at a time: the environment that confines the run to it."""

    name: str
    environment: Mapping[str, str]


class PoolError(RuntimeError):
    """The server that starts the runs is gone."""


def slots_for(devices: Sequence[str], wanted: int, threads: int) -> list[Slot]:
    """`wanted` slots for runs on `devices` (cpu, cuda); if that is negative, as many as fit.

    Raises:
        InputError: a run wants a GPU, and none is visible here.
    """
    if "cuda" in devices:
        if not (gpus := visible_gpus()):
            raise InputError("device=cuda: no GPU is visible here; device=cpu trains on the CPU")
        return gpu_slots(gpus[:wanted] if wanted > 0 else gpus)
    return cpu_slots(wanted if wanted > 0 else max(1, cpu_cores() // threads))


def cpu_slots(n: int) -> list[Slot]:
    """`n` slots of one CPU thread (or more, by the job's setting) without a GPU."""
    return [Slot(f"cpu{i}", {"CUDA_VISIBLE_DEVICES": ""}) for i in range(n)]


def gpu_slots(gpus: Sequence[str]) -> list[Slot]:
    """A slot for each GPU index or UUID."""
    return [Slot(f"gpu{gpu}", {"CUDA_VISIBLE_DEVICES": gpu}) for gpu in gpus]


def launch(jobs: Sequence[Job], slots: Sequence[Slot]) -> Iterator[Outcome]:
    """Outcomes as the runs end. Leaving the iterator, by Ctrl-C too, stops the runs in work.

    Raises:
        PoolError: the server that starts the runs was killed.
    """
    if not jobs:
        return
    _limit_threads(jobs[0].setting.threads)
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    # Runs hold the reading end; it reports the end of file when this process is gone.
    reader, writer = context.Pipe(duplex=False)
    queue, free = list(reversed(jobs)), list(slots)
    working: dict[int, tuple[ForkServerProcess, Slot, Job]] = {}
    try:
        while queue or working:
            while queue and free:
                job, slot = queue.pop(), free.pop()
                process = context.Process(target=_work, args=(job, slot, reader), name=slot.name)
                try:
                    process.start()
                except (EOFError, ConnectionError) as error:
                    raise PoolError("because the server of the runs is gone") from error
                working[process.sentinel] = process, slot, job
            for sentinel in wait(list(working)):
                assert isinstance(sentinel, int)
                process, slot, job = working.pop(sentinel)
                process.join()
                free.append(slot)
                yield _outcome(job, process.exitcode)
    finally:
        for process, _, _ in working.values():
            process.terminate()
        for process, _, _ in working.values():
            process.join()
        reader.close()
        writer.close()


def _limit_threads(threads: int) -> None:
    """Set what OpenMP reads when torch is loaded; the server inherits it."""
    for name in THREAD_LIMITS:
        os.environ[name] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"


def _work(job: Job, slot: Slot, parent: Connection) -> None:
    """Body of a run's process: output to the run's log, then the job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C does
    os.environ.update(slot.environment)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    run_dir = job.store.run_dir(job.run.run_id)
    run_dir.mkdir(parents=True, exist_ok=True)
    log = os.open(run_dir / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    job()


def _leave_with(parent: Connection) -> None:
    """End this process when the parent is gone, however it ended."""
    try:
        parent.recv()
    except EOFError:
        os._exit(1)


def _outcome(job: Job, exit_code: int | None) -> Outcome:
    """The job's outcome; a worker that died without a result gets a failure written for it."""
    outcome = job.outcome()
    if outcome.status == "planned" or (exit_code != 0 and outcome.status == "failed"):
        job.write_failure(_cause(exit_code))
        return job.outcome()
    return outcome


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"the process ended with exit code {exit_code} and left no result"
    name = signal.Signals(-exit_code).name
    hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{hint}"
