"""Times of steps."""

import pytest

from scaling_study.training.step_timer import StepTimes


def test_step_times_leave_out_warm_up_and_what_was_disturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Seven steps of 9, 9, 9, 1, 2, 50 and 6 seconds; half of each waits for images.
    clock = 0.0
    monkeypatch.setattr("scaling_study.training.step_timer.time.perf_counter", lambda: clock)
    times = StepTimes("cpu")
    for step, seconds in enumerate([9, 9, 9, 1, 2, 50, 6]):
        times.start()
        clock += seconds / 2
        times.got_batch()
        clock += seconds / 2
        assert times.end_step(step, last=False, disturbed=seconds == 50)
    found = times.columns(batch_size=8)
    assert found == {
        "step_time_s": 2,
        "step_time_mean_s": 3,
        "step_time_cv": pytest.approx(7**0.5 / 3),
        "images_per_s": 4,
        "bound": "data",
    }
