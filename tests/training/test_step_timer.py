"""Times of steps."""

import pytest

from scaling_study.training.step_timer import StepTimes


def test_step_times_leave_out_warm_up_and_what_was_disturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Seven steps of 9, 9, 9, 1, 2, 50 and 6 seconds; half of each waits for images.
    times = timed(monkeypatch, [9, 9, 9, 1, 2, 50, 6], 0.5)
    found = times.columns(batch_size=8, workers=None)
    assert found == {
        "step_time_s": 2,
        "step_time_mean_s": 3,
        "step_time_cv": pytest.approx(7**0.5 / 3),
        "images_per_s": 4,
        "bound": "data",
        "workers_needed": None,
    }


@pytest.mark.parametrize(
    ("waits", "workers", "needed"),
    [
        (0.75, 3, 12),  # a batch takes one worker 12 s, a step 1 s without waiting
        (0.75, 0, 3),  # this process made the batch in 3 s, and did nothing else meanwhile
        (0.5, 1, 2),
        (0.625, 2, 6),  # 5.33 workers would do
        (0.125, 2, None),  # not bound by data
    ],
)
def test_workers_are_needed_until_a_batch_is_made_in_a_step(
    monkeypatch: pytest.MonkeyPatch, waits: float, workers: int, needed: int | None
) -> None:
    found = timed(monkeypatch, [4] * 7, waits).columns(batch_size=8, workers=workers)
    assert found["workers_needed"] == needed
    assert found["bound"] == ("compute" if needed is None else "data")


def test_a_gpu_that_computes_while_its_process_waits_needs_no_more_than_it_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0.0
    monkeypatch.setattr("scaling_study.training.step_timer.time.perf_counter", lambda: clock)

    class Event:
        """A GPU is at once where this process is, but computes until 3 s after a batch came."""

        def __init__(self, enable_timing: bool) -> None:
            self.at = 0.0

        def record(self) -> None:
            self.at = clock

        def elapsed_time(self, end: "Event") -> float:
            return 3000.0

    monkeypatch.setattr("torch.cuda.Event", Event)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr("scaling_study.training.step_timer.synchronize", lambda device: None)
    times = StepTimes("cuda")
    for step in range(80):
        if step % 20 == 0:
            times.start()
        clock += 3.5
        times.got_batch()
        clock += 0.5
        times.end_step(step, last=False, disturbed=False)
    assert times.columns(batch_size=8, workers=3)["workers_needed"] == 4


def timed(monkeypatch: pytest.MonkeyPatch, steps: list[float], waits: float) -> StepTimes:
    """Steps of these seconds, with this share of each waiting for images; 50 s is disturbed."""
    clock = 0.0
    monkeypatch.setattr("scaling_study.training.step_timer.time.perf_counter", lambda: clock)
    times = StepTimes("cpu")
    for step, seconds in enumerate(steps):
        times.start()
        clock += seconds * waits
        times.got_batch()
        clock += seconds * (1 - waits)
        assert times.end_step(step, last=False, disturbed=seconds == 50)
    return times
