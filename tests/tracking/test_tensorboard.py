"""TensorBoard files."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirrored_runs import tracked, train
from helpers.tiny import NOT_TRACKED
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import check
from scaling_study.tracking.payload import rows_of


def scalars(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return {k: [(e.step, e.value) for e in events.Scalars(k)] for k in events.Tags()["scalars"]}


@pytest.mark.slow
def test_tensorboard_shows_a_resumed_run_once(execution: ExecutionConfig) -> None:
    from scaling_study.tracking.tensorboard import EventFiles

    run_dir, outcome = train(tracked(execution, name="tensorboard"))
    assert outcome.status == "ok"
    shown = scalars(run_dir)
    assert [step for step, _ in shown["loss"]] == [8, 16, 24, 32]
    assert shown["val_error"] == [(32, pytest.approx(outcome.val_error))]
    again = EventFiles(run_dir, 16)
    for step in (24, 32):
        again.write(step=step, loss=7.0)
    assert [step for step, _ in scalars(run_dir)["loss"]] == [8, 16, 24, 32]
    assert [value for _, value in scalars(run_dir)["loss"][2:]] == [7.0, 7.0]


@pytest.mark.slow
def test_tensorboard_and_wandb_get_the_learning_curve(execution: ExecutionConfig) -> None:
    curve = {"train.evaluate_every": 2}
    run_dir, outcome = train(tracked(execution, name="tensorboard"), **curve)
    assert outcome.status == "ok"
    shown, rows = scalars(run_dir), rows_of(run_dir)
    for name in ("curve_val_error", "curve_val_error_raw", "curve_train_error"):
        mirrored = [(step, row[name]) for step, row in rows if name in row]
        assert [step for step, _ in mirrored] == [16, 32]
        assert shown[name] == [(step, pytest.approx(value)) for step, value in mirrored]


def test_tensorboard_shows_a_run_that_starts_anew_once(tmp_path: Path) -> None:
    from scaling_study.tracking.tensorboard import EventFiles

    for loss, steps in ((1.0, (8, 16, 24)), (2.0, (8, 16))):
        files = EventFiles(tmp_path, 0)
        for step in steps:
            files.write(step=step, loss=loss)
    assert scalars(tmp_path) == {"loss": [(8, 2.0), (16, 2.0)]}


def test_tensorboard_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"scaling-study\[tensorboard\]"):
        check(replace(NOT_TRACKED, name="tensorboard"))
