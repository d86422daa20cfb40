"""A pool of slots on this machine: one fresh process per run, forked from a server with torch.

A slot is a GPU, a share of one, or a CPU core. A run that crashes, or is killed for its memory,
takes nothing else with it.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import wait

from scaling_study.common.device import CORES_OF_SLOT, cpu_cores
from scaling_study.launch.job import Job
from scaling_study.launch.local.fork_server import start, start_fork_server
from scaling_study.launch.local.process import RunProcess, run_process_main
from scaling_study.launch.options import UNLIMITED, Policy
from scaling_study.launch.outcome import Outcome, PoolError, RepeatedError, SameError
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop_signals import Stop
from scaling_study.study.parents import BLOCKED, blocked_by

# How often limits of time and memory are checked.
LOOK_S = 0.2


def launch(
    jobs: Sequence[Job], slots: Sequence[Slot], policy: Policy = UNLIMITED, stop: Stop | None = None
) -> Iterator[Outcome]:
    """Outcomes as the runs end. Leaving the iterator kills the runs at work.

    A run waits for those among `jobs` that it starts from; one that cannot start, because such a
    run failed or is elsewhere, has the outcome `blocked`. A request at `stop` lets runs write
    checkpoints and starts no others; a second one kills them.

    Raises:
        PoolError: the server that starts the runs was killed.
        RepeatedError: see `Policy.stop_after_same_error`; the runs at work have ended.
        OSError: what became of a run cannot be written down; the others have ended, with
            checkpoints where the disk takes them.
    """
    if not jobs:
        return
    with closing(_Pool(jobs, slots, policy, stop)) as pool:
        while pool.queue or pool.working:
            pool.fill()
            yield from pool.give_up_blocked()
            for ready in pool.wait() if pool.working or pool.queue else ():
                if (outcome := pool.finish(ready)) is not None:
                    yield outcome
            pool.watch()
    if pool.no_disk is not None:
        raise pool.no_disk
    if pool.failure is not None:
        n = policy.stop_after_same_error
        raise RepeatedError(f"the first {n} runs failed with {pool.failure.error}")


class _Pool:
    """Jobs in a queue, and those at work by the sentinel of their process.

    `failure` is that of the first runs, if they all failed alike; `no_disk` is what kept a failure
    from being recorded.
    """

    def __init__(
        self, jobs: Sequence[Job], slots: Sequence[Slot], policy: Policy, stop: Stop | None
    ) -> None:
        self.queue, self.working = deque(jobs), dict[int, RunProcess]()
        self._needs = {job.run.run_id: job.run.parents for job in jobs if job.run.parents}
        self.failure: Outcome | None = None
        self.no_disk: OSError | None = None
        assert slots, "a pool without slots would wait forever"
        self._policy, self._stop = policy, stop
        cores = {CORES_OF_SLOT: str(max(1, cpu_cores() // len(slots)))}
        self._free = [replace(s, environment={**s.environment, **cores}) for s in slots]
        self._retried = Counter[tuple[str, str | None]]()
        self._same = SameError(policy.stop_after_same_error)
        self._context = start_fork_server(jobs[0].execution.threads)
        # Runs hold the reading end; it reports the end of file when this process is gone.
        self._reader, self._writer = self._context.Pipe(duplex=False)

    def fill(self) -> None:
        """Start runs in all free slots, unless a stop was requested."""
        while self._free and not self._stopping and (job := self._next()) is not None:
            slot = self._free.pop()
            arguments = (job, slot, self._reader)
            process = self._context.Process(target=run_process_main, args=arguments, name=slot.name)
            try:
                start(process)
            except (EOFError, ConnectionError) as error:
                raise PoolError("because the server of the runs is gone") from error
            self.working[process.sentinel] = RunProcess(process, slot, job, self._policy)

    def _next(self) -> Job | None:
        """Take the first job in the queue that can start now."""
        open_: set[str] | None = None  # only for jobs with parents: queues may be long
        for place, job in enumerate(self.queue):
            if job.run.parents and open_ is None:
                open_ = self._open
            if not open_ or (open_.isdisjoint(job.run.parents) and not job.blocked_by()):
                del self.queue[place]
                return job
        return None

    @property
    def _open(self) -> set[str]:
        """The runs that this pool will yet train."""
        jobs = (*self.queue, *(work.job for work in self.working.values()))
        return {job.run.run_id for job in jobs}

    def give_up_blocked(self) -> Iterator[Outcome]:
        """Take the jobs out of the queue that start from a run which is not going to be there."""
        while blocked := self._blocked():
            for job in blocked:
                self.queue.remove(job)
                why = blocked_by(job.run.parents, job.store, self._needs)
                outcome = job.outcome()
                yield replace(outcome, error=why) if outcome.status == BLOCKED else outcome

    def _blocked(self) -> list[Job]:
        needing = [job for job in self.queue if job.run.parents]
        open_ = self._open if needing else set[str]()
        return [job for job in needing if open_.isdisjoint(job.run.parents) and job.blocked_by()]

    def wait(self) -> list[int]:
        """Sleep until runs have ended, a request has come, or limits have to be checked."""
        asked = [self._stop.fileno()] if self._stop else []
        limited = self._policy.timeout_min is not None or self._policy.memory_gb is not None
        ready = wait([*self.working, *asked], LOOK_S if limited or self._stopping else None)
        return [end for end in ready if isinstance(end, int)]

    def finish(self, ready: int) -> Outcome | None:
        """The outcome of a run that has ended, unless it is retried or `ready` is a request."""
        if self._stop is not None and ready == self._stop.fileno():
            self.queue.clear()
            if self._stop.handle():  # a second request
                for work in self.working.values():
                    work.interrupt()
            return None
        work = self.working.pop(ready)
        self._free.append(work.slot)
        try:
            outcome = work.end()
        except OSError as error:
            self.no_disk = self.no_disk or error
            self.queue.clear()
            return None
        if self.failure is not None or self._stopping:
            return outcome
        key = outcome.run_id, outcome.cause
        retry = self._retried[key] < self._policy.retry.get(outcome.cause or "", 0)
        if self._same.stops(outcome):
            self.failure = outcome
            self.queue.clear()
        elif retry and outcome.status == "failed":
            self._retried[key] += 1
            print(f"again, after {outcome.cause}: {outcome.run_id}", flush=True)
            self.queue.append(work.job)
            return None
        return outcome

    def watch(self) -> None:
        """Enforce limits and requests. A process that just starts misses signals: ask again."""
        for work in self.working.values():
            work.watch()
            if self._stopping:
                asked = self._stop.reasons if self._stop is not None else []
                work.ask(next(iter(asked), "interrupted"))

    def close(self) -> None:
        """Kill the runs at work."""
        for work in self.working.values():
            work.process.kill()
        for work in self.working.values():
            work.process.join()
        self._reader.close()
        self._writer.close()

    @property
    def _stopping(self) -> bool:
        asked = self._stop is not None and bool(self._stop.reasons)
        return asked or self.no_disk is not None
