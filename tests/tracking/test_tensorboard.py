"""TensorBoard files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.mirrored_runs import left_behind, tracked, train, wait_for
from helpers.tiny import NOT_TRACKED
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.outcome import Outcome
from scaling_study.tracking.payload import rows_of
from scaling_study.tracking.registry import check
from scaling_study.tracking.trackers.tensorboard import EventFiles


def scalars(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return {k: [(e.step, e.value) for e in events.Scalars(k)] for k in events.Tags()["scalars"]}


def tracked_here(execution: ExecutionConfig, **changes: Any) -> tuple[Path, Outcome]:
    """A run whose event files are complete."""
    run_dir, outcome = train(
        tracked(execution, name="tensorboard", finish_timeout_s=60.0), **changes
    )
    wait_for(lambda: not left_behind(run_dir))
    assert (run_dir / "tracking.txt").read_text().splitlines()[-1] == "complete"
    return run_dir, outcome


@pytest.mark.slow
def test_tensorboard_shows_every_record_of_a_run(execution: ExecutionConfig) -> None:
    run_dir, outcome = tracked_here(execution)
    assert outcome.status == "ok"
    shown = scalars(run_dir)
    assert [step for step, _ in shown["loss"]] == [8, 16, 24, 32]
    assert shown["val_error"] == [(32, pytest.approx(outcome.val_error))]


@pytest.mark.slow
def test_tensorboard_and_wandb_get_the_learning_curve(execution: ExecutionConfig) -> None:
    curve = {"train.evaluate_every": 2}
    run_dir, outcome = tracked_here(execution, **curve)
    assert outcome.status == "ok"
    shown, rows = scalars(run_dir), rows_of(run_dir)
    for name in ("curve_val_error", "curve_val_error_raw", "curve_train_error"):
        mirrored = [(step, row[name]) for step, row in rows if name in row]
        assert [step for step, _ in mirrored] == [16, 32]
        assert shown[name] == [(step, pytest.approx(value)) for step, value in mirrored]


def losses(files: EventFiles, records: dict[int, float]) -> None:
    for step, loss in records.items():
        files.write(step, {"step": step, "loss": loss})


def test_a_run_that_goes_on_from_an_earlier_checkpoint_is_shown_once(tmp_path: Path) -> None:
    files = EventFiles(tmp_path / "tensorboard")
    losses(files, {8: 1.0, 16: 1.0, 24: 1.0})
    losses(files, {16: 7.0, 24: 7.0})
    files.finish({})
    assert scalars(tmp_path) == {"loss": [(8, 1.0), (16, 7.0), (24, 7.0)]}


def test_a_run_that_starts_anew_is_shown_once(tmp_path: Path) -> None:
    for loss, steps in ((1.0, (8, 16, 24)), (2.0, (8, 16))):
        files = EventFiles(tmp_path / "tensorboard")
        losses(files, dict.fromkeys(steps, loss))
    assert scalars(tmp_path) == {"loss": [(8, 2.0), (16, 2.0)]}


def test_tensorboard_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"scaling-study\[tensorboard\]"):
        check(replace(NOT_TRACKED, name="tensorboard"))
