"""Evaluations while a run trains, early stopping, and which images a run gets right."""

import json
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, lines, same, stopped, trained, weights
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch.job import Job
from scaling_study.models import network
from scaling_study.models.modules import build
from scaling_study.study.image_outcomes import read_image_outcomes
from scaling_study.training.input_pipeline.batches import TrainingData, to_input
from scaling_study.training.loop import train

EACH = {"train.evaluate_every": 1}
# Enough epochs at a rate that is too high for the error to fall in each of them.
STOPPING = {"data.split": "minival", "train.epochs": 12, "train.early_stopping": 2, **EACH}


def curve(run_dir: Path) -> list[dict[str, float]]:
    """The learning curve in a run's records."""
    return [line for line in lines(run_dir) if "curve_val_error" in line]


@torch.no_grad()
def scored(
    run: RunConfig, execution: ExecutionConfig, run_dir: Path, part: str, split: str
) -> tuple[float, float, torch.Tensor]:
    """Error, loss and right or wrong of the weights in a checkpoint, by a plain pass."""
    data = TrainingData.of(run, execution, run_dir)
    module = build(network(run.model, data.info.n_classes)).eval()
    module.load_state_dict(torch.load(run_dir / "checkpoint.pt", weights_only=True)[part])
    batches = data.evaluation(split, most=data.info.n_val)
    pixels, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    logits = module(to_input(pixels, data.mean, data.std))
    right = logits.argmax(1) == labels
    return float((~right).double().mean()), float(cross_entropy(logits, labels)), right


@pytest.mark.slow
def test_evaluating_changes_nothing_of_the_training(execution: ExecutionConfig) -> None:
    plain, plain_dir = trained(tiny(), execution, "plain")
    often, often_dir = trained(tiny(**EACH), execution, "often")
    assert [often[k] for k in MEASURED] == [plain[k] for k in MEASURED]
    assert same(weights(often_dir), weights(plain_dir))
    assert tiny(**EACH).run_id == tiny().run_id
    assert not curve(plain_dir)
    kept = [{k: v for k, v in x.items() if not k.startswith("curve_")} for x in lines(often_dir)]
    assert kept == lines(plain_dir)


def test_the_curve_has_the_scores_of_raw_and_averaged_weights(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, run_dir = tiny(**EACH), Path(execution.results_dir) / "one"
    run_dir.mkdir(parents=True)
    stopped(run, run_dir, execution, monkeypatch, 7)  # the last step of the first epoch
    (first,) = curve(run_dir)
    for part, suffix in (("ema", ""), ("model", "_raw")):
        error, loss, _ = scored(run, execution, run_dir, part, "val")
        assert first[f"curve_val_error{suffix}"] == pytest.approx(error, abs=1e-12)
        assert first[f"curve_val_loss{suffix}"] == pytest.approx(loss, rel=1e-5)
        error, _, _ = scored(run, execution, run_dir, part, "train")
        assert first[f"curve_train_error{suffix}"] == pytest.approx(error, abs=1e-12)
    assert first["curve_val_loss"] != first["curve_val_loss_raw"]


def test_without_an_average_the_curve_has_one_set_of_weights(execution: ExecutionConfig) -> None:
    _, run_dir = trained(tiny(**EACH, **{"train.ema_decay": 0.0}), execution, "one")
    (*_, last), final = curve(run_dir), lines(run_dir)[-1]
    assert not any(name.endswith("_raw") for name in last)
    assert last["curve_val_error"] == final["val_error"]


def stops_after(outcomes: list[float], patience: int) -> int | None:
    """How many evaluations there are when early stopping ends a run; the definition."""
    for n in range(1, len(outcomes) + 1):
        best = min(range(n), key=lambda i: (outcomes[i], i))
        if n - 1 - best >= patience:
            return n
    return None


@pytest.mark.slow
def test_a_run_stops_early_by_its_curve_and_records_it(execution: ExecutionConfig) -> None:
    measured, run_dir = trained(tiny(**STOPPING), execution, "one")
    errors = [record["curve_val_error"] for record in curve(run_dir)]
    assert len(errors) < 12
    assert stops_after(errors, 2) == len(errors) == measured["stopped_epoch"]
    steps = lines(run_dir)[-1]["step"]
    assert steps == len(errors) * (lines(run_dir)[0]["step"])
    assert lines(run_dir)[-1]["epoch"] == len(errors)
    longer, _ = trained(tiny(**STOPPING | {"train.early_stopping": 12}), execution, "longer")
    assert "stopped_epoch" not in longer


@pytest.mark.slow
def test_a_run_that_is_killed_stops_early_where_an_uninterrupted_one_does(
    execution: ExecutionConfig,
) -> None:
    run = tiny(**STOPPING, **{"train.accumulation": 2})
    whole, whole_dir = trained(run, execution, "whole")
    assert 3 <= int(whole["stopped_epoch"]) < 12  # type: ignore[call-overload]
    job = Job(run, execution)
    run_dir = job.store.run_dir(run.run_id)
    program = "import pickle, sys; pickle.load(sys.stdin.buffer)()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(job))
        process.stdin.close()
        while not (run_dir / "checkpoint.prev.pt").exists() or not curve(run_dir):
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert job.store.state(run.run_id) == "planned"
    again = train(run, run_dir, execution)
    for name in (*MEASURED, "stopped_epoch"):
        assert again[name] == whole[name]
    assert same(weights(run_dir), weights(whole_dir))
    assert lines(run_dir) == lines(whole_dir)
    # Once more: the run has ended, though not all of its steps are done.
    assert train(run, run_dir, execution)["val_error"] == whole["val_error"]
    assert lines(run_dir) == lines(whole_dir)


def test_the_images_that_are_right_take_about_a_bit_each(execution: ExecutionConfig) -> None:
    run = tiny()
    measured, run_dir = trained(run, execution, "one")
    found = read_image_outcomes(run_dir)
    assert found is not None
    labels = TrainingData.of(run, execution, run_dir).labels("val")
    _, _, right = scored(run, execution, run_dir, "ema", "val")
    by_class = [right.numpy()[labels == k] for k in range(4)]
    np.testing.assert_array_equal(found.right, np.concatenate(by_class))
    assert found.classes.tolist() == [16, 16, 16, 16]
    assert 1 - found.right.mean() == pytest.approx(measured["val_error"], abs=1e-12)
    text = (run_dir / "images.json").read_text(encoding="utf-8")
    assert len(json.loads(text)["right"]) <= 4 * -(-64 // (8 * 3))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 9}', '{"schema": 1, "classes": [9], "right": "AA=="}',
     '{"schema": 1, "classes": [-9, 17], "right": "AA=="}',
     '{"schema": 1, "classes": [8], "right": "*"}', '{"schema": 1, "classes": 8, "right": "AA=="}'],
)  # fmt: skip
def test_a_file_that_says_nothing_of_images_is_none(tmp_path: Path, text: str) -> None:
    assert read_image_outcomes(tmp_path) is None
    (tmp_path / "images.json").write_text(text, encoding="utf-8")
    assert read_image_outcomes(tmp_path) is None
    (tmp_path / "images.json").write_text(
        '{"schema": 1, "classes": [3, 5], "right": "gQ=="}', encoding="utf-8"
    )
    found: Any = read_image_outcomes(tmp_path)
    assert found.right.tolist() == [True, *[False] * 6, True]
