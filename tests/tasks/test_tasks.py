"""Tasks: what runs train for is one value, the project's own or a user's in one file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers import ordinal_task
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.closed_form import run_cost
from scaling_study.launch.job import Job
from scaling_study.tasks import task_of
from scaling_study.tasks.classification import TASK as CLASSIFICATION

ORDINAL = "helpers.ordinal_task"
LEARNS = {"train.epochs": 8, "train.ema_decay": 0.0, "train.lr_per_256": 0.2}


def test_a_task_of_ones_own_is_trained_scored_and_stored(execution: ExecutionConfig) -> None:
    run = tiny(task=ORDINAL, **LEARNS)
    outcome = Job(run, execution)()
    assert outcome.status == "ok", outcome.error
    run_dir = Path(execution.results_dir) / "runs" / run.run_id
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    # Better than the best constant, so the task's own loss was what was minimised.
    assert 0 < result["val_loss"] < 0.9 * ordinal_task.variance(4)
    assert result["val_error"] is None
    assert result["train_error"] is None
    last = json.loads((run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last == {"step": 64, "epoch": 8, "val_loss": result["val_loss"]}


def test_the_plan_counts_the_head_of_the_task() -> None:
    plain, ordinal = run_cost(tiny()), run_cost(tiny(task=ORDINAL))
    features = plain.flops - ordinal.flops
    assert features == 2 * (plain.params - ordinal.params - 3)  # 3 of 4 logits, without biases
    assert features > 0


def test_a_task_is_part_of_the_id_unless_it_is_classification() -> None:
    assert tiny(task="classification").run_id == tiny().run_id
    assert tiny(task=ORDINAL).run_id != tiny().run_id
    assert tiny(task=ORDINAL).config_id != tiny().config_id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("regression", "task='regression': unknown task; known: classification, or the import pat"),
        ("base", "declares no TASK"),
        ("helpers.tiny", "declares no TASK"),
        ("nowhere.at_all", "unknown task"),
    ],
)
def test_a_task_that_is_none_is_named(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tiny(task=name)


def test_a_task_declares_an_outcome_that_it_fills_and_that_is_minimised() -> None:
    with pytest.raises(InputError, match=r"task\.outcome=accuracy: must be one of its columns"):
        replace(CLASSIFICATION, outcome="accuracy")
    with pytest.raises(InputError, match="declare 1 - accuracy"):
        replace(CLASSIFICATION, direction="higher")


def test_classification_scores_top_1_and_cross_entropy() -> None:
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 0])
    sums = {name: float(m(logits, labels)) for name, m in CLASSIFICATION.metrics.items()}
    right = float(torch.log1p(torch.exp(torch.tensor(-2.0))))
    assert sums == {"error": 1, "loss": pytest.approx(2 * right + 2)}
    assert float(CLASSIFICATION.loss(logits, labels, 0.0)) == pytest.approx(right + 1)
    assert CLASSIFICATION.chance(4) == 0.75
    assert task_of("classification") is CLASSIFICATION
