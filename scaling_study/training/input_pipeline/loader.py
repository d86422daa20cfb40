"""Batches made off the critical path: by worker processes, or by a thread beside a GPU."""

import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from scaling_study.training.input_pipeline.make_batch import BatchSpec, LoadedBatch

# Batches that wait ready for the training loop, of each worker or of the thread.
AHEAD = 2
# Signals by which a scheduler asks the training process for a checkpoint: not its workers' affair.
PARENTS_SIGNALS = (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

Maker = Callable[[BatchSpec], LoadedBatch]


def stream(
    make: Maker, tasks: Iterator[BatchSpec], workers: int | None, cuda: bool
) -> Iterator[LoadedBatch]:
    """What `make` makes of each task, in order.

    By `workers` processes (0: this one); with None by no process: images in memory are ready
    before another process could have sent them, and only beside a GPU has a thread a core to spare.
    """
    if workers is not None:
        return _from_workers(make, tasks, workers, cuda)
    if cuda:
        return _from_thread(make, tasks)
    return map(make, tasks)


class _Tasks(Dataset[LoadedBatch]):
    """Tasks as items of a data set, so that torch's loader deals them out to its workers."""

    def __init__(self, make: Maker) -> None:
        self._make = make

    def __getitem__(self, task: BatchSpec) -> LoadedBatch:
        return self._make(task)


def _from_workers(
    make: Maker, tasks: Iterator[BatchSpec], workers: int, cuda: bool
) -> Iterator[LoadedBatch]:
    loader: DataLoader[LoadedBatch] = DataLoader(
        _Tasks(make),
        batch_size=None,
        sampler=tasks,
        num_workers=workers,
        # A run of a local pool has the pool's start method, whose workers would outlive the run.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=cuda,
        worker_init_fn=_begin_worker,
        # Without it the loader would draw from torch's own generator.
        generator=torch.Generator(),
    )
    yield from loader


def _begin_worker(number: int) -> None:
    for name in PARENTS_SIGNALS:
        signal.signal(name, signal.SIG_IGN)


def _from_thread(make: Maker, tasks: Iterator[BatchSpec]) -> Iterator[LoadedBatch]:
    ready: queue.Queue[LoadedBatch | BaseException | None] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: LoadedBatch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for task in tasks:
                pixels, labels, corrupt = make(task)
                put((pixels.contiguous().pin_memory(), labels.pin_memory(), corrupt))
                if stopped.is_set():
                    return
            put(None)
        except Exception as error:  # it belongs to the thread that waits for batches
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
