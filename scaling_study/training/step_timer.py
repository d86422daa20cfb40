"""Times of training steps, their waits for data, and the peak memory of a run."""

import math
import resource
import statistics
import sys
import time
from typing import Any

import torch

from scaling_study.training.gpu_queue import queues, synchronize

# The first steps of a process allocate and choose kernels; they say nothing about speed.
WARMUP_STEPS = 3
# On a GPU steps are queued: only a window that ends in a synchronisation can be timed.
GPU_WINDOW = 20
# Steps that wait longer than this share of their time for images are bound by data.
DATA_BOUND_SHARE = 0.2


class StepTimes:
    """Times of steps, or on a GPU of windows of steps: from asking for a batch to the update.

    On a GPU the count of `peak_memory_bytes` begins with it.
    """

    def __init__(self, device: str) -> None:
        self.seconds: list[float] = []
        self.waits: list[float] = []
        # What a step of this process would take without waiting.
        self._computed: list[float] = []
        self._device = device
        self._window, self._skip = (GPU_WINDOW, 1) if queues(device) else (1, WARMUP_STEPS)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()  # a process may train several runs in turn

    def start(self) -> None:
        """A window begins now."""
        self._ended, self._wait = 0, 0.0
        self._marks: list[torch.cuda.Event] = []
        self._begin = self._asked = time.perf_counter()

    def got_batch(self) -> None:
        self._wait += time.perf_counter() - self._asked
        self._mark()

    def _mark(self) -> None:
        """Have a GPU note when it gets here: it may still compute while this process waits."""
        if self._device == "cuda":
            self._marks.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
            self._marks[-1].record()

    def end_step(self, step: int, last: bool, disturbed: bool) -> bool:
        """Whether a window ends with 0-based `step`, where losses can be read; `last` ends one.

        The time of a window that something else `disturbed` is not kept.
        """
        self._ended += 1
        self._mark()
        if (step + 1) % self._window and not last:
            self._asked = time.perf_counter()
            return False
        synchronize(self._device)
        self.latest_s = (time.perf_counter() - self._begin) / self._ended
        if self._skip:
            self._skip -= 1
        elif not disturbed:
            self.seconds.append(self.latest_s)
            self.waits.append(self._wait / self._ended)
            self._computed.append(self._compute_s())
        return True

    def _compute_s(self) -> float:
        """Seconds that a step of the window computed."""
        if not self._marks:
            return self.latest_s - self._wait / self._ended
        begins, ends = self._marks[::2], self._marks[1::2]
        computed_ms = (a.elapsed_time(b) for a, b in zip(begins, ends, strict=True))
        return float(sum(computed_ms)) / 1000 / self._ended

    def columns(self, batch_size: int, workers: int | None) -> dict[str, Any]:
        """The result columns about speed; none where fewer than two windows were timed.

        `workers` processes made the images: 0 is this one, None that no other could.
        """
        if len(self.seconds) < 2:
            return {}
        median, mean = statistics.median(self.seconds), statistics.mean(self.seconds)
        waited = statistics.median(self.waits)
        by_data = waited > DATA_BOUND_SHARE * median
        needed = self._needed(workers) if by_data and workers is not None else None
        return {
            "step_time_s": median,
            "step_time_mean_s": mean,
            "step_time_cv": statistics.stdev(self.seconds) / mean,
            "images_per_s": batch_size / median,
            "bound": "data" if by_data else "compute",
            "workers_needed": needed,
        }

    def _needed(self, workers: int) -> int | None:
        """Workers that make a batch in the time that a step computes.

        A batch takes one worker as long as all of them wait for it together: the loader is behind.
        """
        if not self._computed:  # by an earlier attempt
            return None
        one_s = workers * statistics.median(self.seconds) or statistics.median(self.waits)
        computed = max(statistics.median(self._computed), sys.float_info.min)
        return max(1, math.ceil(one_s / computed))


def peak_memory_bytes(device: str) -> int:
    """Most memory held so far: by torch's allocator on a GPU, else by this process.

    Apple's GPUs share the memory of the processor.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
