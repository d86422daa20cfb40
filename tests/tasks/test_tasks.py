"""Tasks: what runs train for is one value, the project's own or a user's in one file."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.study.cells import cells_of
from analysis.study.noise import noise_of
from analysis.study.table import Table, table_of
from helpers import ordinal_task
from helpers.made_up_results import run
from helpers.study import write_study
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.closed_form import run_cost
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.launch.job import Job
from scaling_study.models import family
from scaling_study.planning.plan import plan
from scaling_study.study.store import Store
from scaling_study.study.table import read_study
from scaling_study.sweep import decisions
from scaling_study.tasks import task_of
from scaling_study.tasks.classification import TASK as CLASSIFICATION
from scaling_study.training import loop
from scaling_study.training.optimizers import optimizer_of

ORDINAL = "helpers.ordinal_task"
LEARNS = {"train.epochs": 8, "train.ema_decay": 0.0, "train.lr_per_256": 0.2}


@pytest.mark.slow
def test_a_task_of_ones_own_is_trained_scored_and_stored(execution: ExecutionConfig) -> None:
    config = tiny(task=ORDINAL, **LEARNS)
    outcome = Job(config, execution)()
    assert outcome.status == "ok", outcome.error
    run_dir = Path(execution.results_dir) / "runs" / config.run_id
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    # Better than the best constant, so the task's own loss was what was minimised.
    assert 0 < result["val_loss"] < 0.9 * ordinal_task.variance(4)
    assert result["val_error"] is None
    assert result["train_error"] is None
    last = json.loads((run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last == {"step": 64, "epoch": 8, "val_loss": result["val_loss"]}


def test_families_and_tasks_say_what_is_not_decayed_and_what_recipes_suit_them(
    execution: ExecutionConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(task=ORDINAL, **{"train.weight_decay": 0.1, "train.epochs": 1})
    task = replace(ordinal_task.TASK, undecayed=("9.weight",), recipes=["deit"])
    of_family = replace(
        family(run.model.family), undecayed=("0.*", "[3-6].*"), recipes=["paper", "other"]
    )
    monkeypatch.setattr(ordinal_task, "TASK", task)
    for module in (loop, decisions):
        monkeypatch.setattr(module, "family", lambda _: of_family)
    groups: list[list[dict[str, Any]]] = []

    def spied(*arguments: Any) -> torch.optim.Optimizer:
        optimizer = optimizer_of(*arguments)
        groups.append([dict(group) for group in optimizer.param_groups])
        return optimizer

    monkeypatch.setattr(loop, "optimizer_of", spied)
    loop.train(run, tmp_path, execution)
    # Of nn.Sequential: 9 is the head, the others are convolutions.
    weights = [g for g in groups[0] if any(parameter.ndim > 1 for parameter in g["params"])]
    assert [group["weight_decay"] for group in weights] == [0.0]
    rows = plan([Cell(run, {})], Store(Path(execution.results_dir)), {}, Times([], 1))
    assert decisions.unsuited(rows) == [
        f"recipe {run.train.recipe}: {ORDINAL} names deit as those that suit it",
        f"recipe {run.train.recipe}: {run.model.family} names paper, other as those that suit it",
    ]


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


def study_of(tmp_path: Path, task: str) -> Table:
    """The table of a study of two runs, the second of which has learned nothing."""
    own = task == ORDINAL
    results: list[Any] = [
        replace(
            run(14, 0.25, 4, seed, 0.9),
            **{"val_loss": loss} | ({"val_error": None, "train_error": None} if own else {}),
        )
        for seed, loss in enumerate([20.0, 85.0])
    ]
    named = "" if task == "classification" else f"task: {task}\n"
    return table_of(read_study(write_study(tmp_path, results, f"n_classes: 32\n{named}")), {})


def test_the_analysis_reads_outcome_chance_and_noise_prior_from_the_task(tmp_path: Path) -> None:
    table = study_of(tmp_path / "ordinal", ORDINAL)
    assert [row["seed"] for row in table.rows] == [0]
    assert list(table.left_out.values()) == [
        "hardly better than chance: loss 85 squared classes with 32 classes"
    ]
    assert table.chance == ordinal_task.variance(32)
    (cell,) = cells_of(table.rows)
    assert cell.errors == (20.0,)
    assert noise_of([cell]) is None  # the prior of error rates does not hold for it
    plain = study_of(tmp_path / "plain", "classification")
    assert len(plain.rows) == 2
    assert plain.chance == 31 / 32
    (cell,) = cells_of(plain.rows[:1])
    noise = noise_of([cell])
    assert noise is not None
    assert noise.kind == "prior"


def test_the_page_about_tasks_shows_the_task_that_is_tested_here() -> None:
    page = (data_dir("conf").parent / "docs" / "tasks.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert shown == Path(ordinal_task.__file__).read_text(encoding="utf-8")
