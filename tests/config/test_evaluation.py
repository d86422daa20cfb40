"""When runs are evaluated while they train, what that costs, and what of it is part of an id."""

from itertools import product
from typing import Any

import pytest

from helpers.tiny import composed, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.evaluation import evaluation_plan
from scaling_study.cost.closed_form import run_cost
from scaling_study.cost.time_model import amounts
from scaling_study.data.splits import DataInfo


def plan(every: Any, epochs: int = 20, n_train: int = 128, n_val: int = 64, ema: float = 0.99):
    run = tiny(**{"train.evaluate_every": every, "train.epochs": epochs, "train.ema_decay": ema})
    return evaluation_plan(run, DataInfo(4, n_train, n_val, "test"))


def test_points_are_after_every_so_many_epochs_or_those_of_a_list() -> None:
    assert plan("end").epochs == ()
    assert plan(5).epochs == (5, 10, 15, 20)
    assert plan(8).epochs == (8, 16, 20)
    assert plan(99).epochs == (20,)
    assert plan([1, 7, 50]).epochs == (1, 7)
    assert (plan(5).val, plan(5).train) == (64, 64)
    assert (plan(5).weights, plan(5, ema=0.0).weights) == (2, 1)


def test_auto_costs_at_most_three_percent_of_training_and_uses_what_it_may() -> None:
    for epochs, n_train, n_val in product((1, 7, 350), (128, 1281, 1_281_167), (64, 50_000)):
        found = plan("auto", epochs, n_train, n_val)
        trained = n_train // 16 * 16
        share = found.images / (3 * epochs * trained)
        assert share <= 0.03
        assert found.epochs[-1:] == (epochs,)
        assert list(found.epochs) == sorted(set(found.epochs))
        # One image more in each split would cost too much, unless there is none.
        more = len(found.epochs) * found.weights * (found.val + found.train + 2)
        assert more > 0.03 * 3 * epochs * trained or n_val in (found.val, found.train)
    assert plan("auto", 350, 1_281_167, 50_000).val == 50_000


@pytest.mark.parametrize(
    "words",
    [
        "train.batch_size=768",  # of 1,280: an incomplete batch is 40 % of an epoch
        "data.resolution=32 train.resolutions=[16,24,32]",
        "data.resolution=32 data.test_resolution=33",
        "data.resolution=32 data.test_resolution=16",
        pytest.param(  # attention costs more than the area
            "model=vit model.depth=2 model.width=1 model.patch=2 data.test_resolution=64",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_auto_counts_what_training_and_evaluation_really_cost(words: str) -> None:
    cost = run_cost(composed(*words.split(), "train.evaluate_every=auto", "train.epochs=20"))
    assert cost.curve_flops
    assert cost.train_flops
    assert cost.curve_flops <= 0.03 * cost.train_flops


def test_evaluations_are_a_column_of_the_plan_and_count_in_forecasts() -> None:
    once, often = tiny(), tiny(**{"train.evaluate_every": 1})
    flops = run_cost(once).flops
    # 64 validation and 128 training images at the end; then 64 of each, twice, by two weights.
    assert run_cost(once).eval_flops == flops * (64 + 128)
    assert run_cost(often).eval_flops == flops * (64 + 128 + 2 * 2 * (64 + 64))
    assert (run_cost(once).curve_flops, run_cost(often).curve_flops) == (0, flops * 512)
    columns = {"batch_size": 16, "n_train": 128, "n_val": 64, "epochs": 2, "flops": flops}
    columns["train_flops"] = run_cost(once).train_flops
    assert amounts(columns) == (16, 12)
    assert amounts(columns | {"eval_flops": run_cost(often).eval_flops}) == (16, 44)
    assert amounts(columns | {"stopped_epoch": 1})[0] == 8


def test_when_a_run_is_evaluated_is_part_of_its_id_only_if_it_may_stop_it() -> None:
    held_out = {"data.split": "minival"}
    plain = tiny(**held_out).run_id
    every: Any = ("end", "auto", 1, [1, 2])
    assert {tiny(**held_out, **{"train.evaluate_every": e}).run_id for e in every} == {plain}
    ids = {
        tiny(**held_out, **{"train.evaluate_every": e, "train.early_stopping": n}).run_id
        for e in every[1:]
        for n in (1, 2)
    }
    assert len(ids | {plain}) == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluate_every": "often"}, "must be end, auto, a whole number of epochs"),
        ({"evaluate_every": 0}, "must be end, auto, a whole number"),
        ({"evaluate_every": [2, 1]}, "must be end, auto, a whole number"),
        ({"evaluate_every": []}, "must be end, auto, a whole number"),
        ({"evaluate_every": 1.5}, "must be a name or a whole number or a list of numbers"),
        ({"early_stopping": -1}, "must be 0 .off. or more"),
        ({"early_stopping": 2}, "give train.evaluate_every=1 or auto"),
        ({"early_stopping": 2, "evaluate_every": 1}, "give data.split=minival"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tiny(**{f"train.{key}": value for key, value in changes.items()})
