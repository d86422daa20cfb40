"""Learning rates at the ends of arms, and rates that follow an axis: which runs a grid has."""

from typing import Any

import pytest

from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import cells_of
from scaling_study.grid.tuned import TRANSFERS

SHAPES = ((14, 0.125), (26, 0.125), (50, 0.125), (14, 0.25))
ARMS: dict[str, Any] = {
    "name": "g",
    "points": [{"depth": d, "width": w} for d, w in SHAPES],
    "axes": {"epochs": [2, 4], "seed": [0, 1]},
}
RATE = TINY["train"]["lr_per_256"]


def cells(settings: dict[str, Any] = TINY, **more: Any) -> list[Cell]:
    return cells_of({**ARMS, **more}, settings, Times([], 1))[0]


def others(found: list[Cell]) -> list[tuple[int, float, int, int, float]]:
    """Depth, width, epochs, seed and rate of the runs at other rates than their arms'."""
    runs = [cell.run for cell in found if cell.lr_factor != 1]
    return sorted(
        (r.model.depth, r.model.width, r.train.epochs, r.seed, r.train.lr_per_256) for r in runs
    )


def test_only_the_ends_of_the_arms_get_two_more_rates() -> None:
    found = cells(tuned={})
    assert others(found) == sorted(
        (depth, width, 4, seed, RATE * factor)
        for depth, width in ((14, 0.125), (50, 0.125), (14, 0.25))
        for seed in (0, 1)
        for factor in (0.5, 2)
    )


def test_all_other_runs_and_their_order_stay_as_they_were() -> None:
    plain = [cell.run.run_id for cell in cells()]
    assert [cell.run.run_id for cell in cells(tuned={})][: len(plain)] == plain


def test_ids_are_those_of_the_same_runs_configured_by_hand() -> None:
    ids = {cell.run.run_id for cell in cells(tuned={}) if cell.lr_factor == 2}
    by_hand = tiny(**{"model.depth": 50, "train.epochs": 4, "train.lr_per_256": 2 * RATE}, seed=1)
    assert by_hand.run_id in ids
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("regime", "epochs"), [("longest", {4}), ("shortest", {2}), ("every", {2, 4})]
)
def test_the_regime_says_which_ends(regime: str, epochs: set[int]) -> None:
    assert {run[2] for run in others(cells(tuned={"regime": regime}))} == epochs


def test_factors_and_arms_are_the_users() -> None:
    found = others(cells(tuned={"lr": [0.25, 1, 3], "arms": ["width", "resolution"]}))
    assert sorted({run[-1] / RATE for run in found}) == pytest.approx([0.25, 3])
    # Along width at one resolution: each depth is a setting of its own, and one has two widths.
    assert {run[:2] for run in found} == {(14, 0.125), (14, 0.25)}


def test_arms_start_at_the_declared_base() -> None:
    found = cells(tuned={}, rules={"base": {"depth": 26, "width": 0.125}})
    assert {run[:2] for run in others(found)} == {(26, 0.125), (50, 0.125)}


def test_each_variant_and_each_setting_has_ends_of_its_own() -> None:
    decay = {"train.weight_decay": [1e-4, 4e-5]}
    found = cells(tuned={}, axes={**ARMS["axes"], **decay})
    assert len(others(found)) == 2 * len(others(cells(tuned={})))
    variants = {"independent": {"plain": {}, "tall": {"model.dropout": 0.2}}}
    named = [c.variant for c in cells(tuned={}, variants=variants) if c.lr_factor != 1]
    assert (named.count("plain"), named.count("tall")) == (12, 12)


def test_a_transfer_rule_scales_rates_from_the_base_on() -> None:
    found = cells(tuned={"transfer": "depth^-3/2"})
    for cell in found:
        run = cell.run
        factor = (run.model.depth / 14) ** -1.5
        assert cell.lr_recipe == RATE * run.train.batch_size / 256
        expected = RATE * factor * cell.lr_factor
        assert run.train.lr_per_256 == pytest.approx(expected, rel=1e-5)
        # Six digits: ids must not depend on how a machine rounds a power.
        assert run.train.lr_per_256 == float(f"{run.train.lr_per_256:.6g}")
    ends = {(14, 0.125), (50, 0.125), (14, 0.25)}
    assert {run[:2] for run in others(found)} == ends


def test_mup_is_for_optimizers_whose_hidden_layers_follow_width() -> None:
    with pytest.raises(InputError, match=r"train.optimizer=sgd .* \(arXiv 2203.03466\)"):
        cells(tuned={"transfer": ["mup"]})
    settings = {**TINY, "train": {**TINY["train"], "optimizer": "rmsprop"}}
    found = cells(settings, tuned={"transfer": ["mup", "depth^-3/2"]})
    wide = {cell.run.train.lr_per_256 for cell in found if cell.run.model.width == 0.25}
    assert wide == {RATE * factor for factor in (0.25, 0.5, 1)}


def test_every_transfer_rule_has_a_source() -> None:
    assert all("arXiv" in transfer.source for transfer in TRANSFERS.values())


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        ({"lr": [1, 2]}, r"grid.tuned.lr=\[1, 2\]: must be three rising factors with 1 in the mid"),
        ({"lr": [2, 1, 0.5]}, r"grid.tuned.lr=.* as in \[0.5, 1, 2\]"),
        ({"lr": [0.5, True, 2]}, "grid.tuned.lr="),
        ({"regime": "long"}, "grid.tuned.regime='long': must be of longest, shortest, every"),
        ({"arms": ["depth", "lr"]}, "grid.tuned.arms=.*: must be two of depth, width, resolution"),
        ({"transfer": "depth"}, r"grid.tuned.transfer='depth': must be of depth\^-3/2, mup"),
        ({"transfer": 3}, "grid.tuned.transfer=3: must be a list of names"),
        ({"rates": [1]}, "grid.tuned.rates: no such part of a grid"),
        ([0.5, 1, 2], "grid.tuned=.*: must be a mapping"),
    ],
)
def test_what_makes_no_sense_is_refused(tuned: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        cells(tuned=tuned)


def test_a_grid_that_varies_the_learning_rate_itself_is_refused() -> None:
    axes = {**ARMS["axes"], "train.lr_per_256": [0.1, 0.2]}
    with pytest.raises(InputError, match=r"the grid varies train\.lr_per_256 itself"):
        cells(tuned={}, axes=axes)


def test_without_arms_it_is_refused() -> None:
    with pytest.raises(InputError, match="no arm of depth or width has two cells"):
        cells(tuned={}, points=[{"depth": 14, "width": 0.125}])
