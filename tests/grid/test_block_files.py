"""Blocks that choose files of groups: several families, or recipes, in one study."""

from pathlib import Path
from typing import Any

import pytest

from analysis.report.command import command
from helpers.commands import Command
from helpers.judged import verdicts
from helpers.made_up_times import NOTHING
from helpers.study import read_plan
from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.grid.cell import Cell
from scaling_study.grid.cells import ancestors, cells_of
from scaling_study.grid.declared import declared_grid
from scaling_study.grid.explain import described

EFFICIENT = {"model": "efficientnet", "points": [{"depth": 1.0, "width": 0.5}]}
PLAIN = {"axes": {"depth": [14, 26]}}
SETTINGS = TINY | {"data": TINY["data"] | {"resolution": 32}}


def planned(*blocks: dict[str, Any], **grid: Any) -> list[Cell]:
    return cells_of({"name": "g", "blocks": [*blocks], **grid}, SETTINGS, NOTHING)[0]


def test_cells_of_a_block_have_its_files_and_the_rest_of_the_command() -> None:
    cells = planned(PLAIN, EFFICIENT, axes={"seed": [0, 1]})
    families = [cell.run.model.family for cell in cells]
    assert families == ["resnet"] * 4 + ["efficientnet"] * 2
    file = composed("sweep", ["model=efficientnet"])["model"]
    for cell in cells[4:]:
        own = {k: v for k, v in vars(cell.run.model).items() if k not in ("depth", "width")}
        assert own == {k: v for k, v in file.items() if k not in ("depth", "width")}
        assert cell.run.train == cells[0].run.train
        assert cell.run.data == cells[0].run.data
    # The same run as a command with that family has.
    same = tiny(**{"model.width": 0.5, "data.resolution": 32}, model=file | {"width": 0.5})
    assert cells[4].run.run_id == same.run_id


def test_values_of_a_block_are_those_that_its_files_have() -> None:
    cells = planned(EFFICIENT | {"axes": {"model.stem": ["imagenet", "small"]}})
    assert [cell.run.model.stem for cell in cells] == ["imagenet", "small"]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"blocks\[0\].axes.model.zero_gamma: no such axis"):
        planned(EFFICIENT | {"axes": {"model.zero_gamma": [True]}})
    (cell, _) = planned(EFFICIENT, {"points": [{"depth": 14}]})
    assert described(cell.point) == "model=efficientnet, depth=1, width=0.5"


def test_a_block_may_choose_a_recipe() -> None:
    small = {"train.batch_size": [16], "train.drop_path": [0.0]}
    plain, other = planned({}, {"train": "convnext", "axes": small})
    file = composed("sweep", ["train=convnext"])["train"]
    assert other.run.train.optimizer == file["optimizer"] != plain.run.train.optimizer
    assert other.run.model == plain.run.model


def test_conditions_and_solves_are_about_the_blocks_own_networks() -> None:
    solved = {"width": {"flops": [4e6], "tolerance": 0.3}}
    depths = [{"points": [{"depth": 14}]}, {"model": "efficientnet", "points": [{"depth": 1.0}]}]
    cells = planned(*depths, solve=solved, where=["params < 1e8", "width > 0"])
    assert {cell.run.model.family for cell in cells} == {"resnet", "efficientnet"}
    for cell in cells:
        assert cell.solved is not None
        assert abs(cell.solved.off) <= 0.3


def test_a_parent_has_its_childs_family_and_its_own_data() -> None:
    parents = {"long": {"epochs": 4, "data.classes": 6}}
    cells = planned(PLAIN, EFFICIENT, parents=parents, axes={"init": ["run(long)"]})
    found = {p.run.run_id: p.run for p in ancestors(cells)}
    for cell in cells:
        (parent,) = cell.run.parents
        assert found[parent].model == cell.run.model
        assert (found[parent].data.classes, found[parent].train.epochs) == (6, 4)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"model": "efficientnets"}, "model=efficientnets: no such file .*efficientnet"),
        ({"model": {"family": "resnet"}}, r"blocks\[0\].model=.* must name a file of conf/model"),
        ({"model": ""}, r"blocks\[0\].model='': must name a file of conf/model"),
        ({"data": "digits"}, r"blocks\[0\].data: no such part of a grid"),
    ],
)
def test_what_names_no_file_is_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned(block)


def test_the_top_of_a_grid_chooses_files_by_its_defaults() -> None:
    with pytest.raises(InputError, match=r"grid.model: no such part of a grid"):
        cells_of({"name": "g", "model": "efficientnet"}, SETTINGS, NOTHING)


@pytest.mark.parametrize("override", ["model=vit", "model.dropout=0.1", "+model.x=1"])
def test_an_override_that_blocks_would_not_follow_is_refused(override: str) -> None:
    grid = {"name": "g", "blocks": [PLAIN, EFFICIENT]}
    with pytest.raises(InputError, match="blocks of the grid g choose files of model"):
        declared_grid(grid, [override])
    assert declared_grid(grid, ["train.epochs=3"]) == grid


FILE = """# @package _global_
defaults:
  - override /data: fractals_small
data: {resolution: 16, train_per_class: 64, val_per_class: 50}
train: {batch_size: 16, warmup_epochs: 0}
grid:
  name: two_families
  axes: {epochs: [3], seed: [0, 1, 2]}
  blocks:
    - model: resnet_rs_small
      variants: {independent: {ResNet-RS: {}}}
      points: [{depth: 14, width: 0.125}, {depth: 14, width: 0.25}]
    - model: resnet
      variants: {independent: {ResNet: {model.stem: small}}}
      points: [{depth: 14, width: 0.125}, {depth: 14, width: 0.25}]
  rules:
    rules:
      R5: {along: variant, levels: [ResNet-RS, ResNet]}
      forward:
        {kind: speed, along: variant, levels: [ResNet-RS, ResNet], cost: inference_time_s}
"""


@pytest.mark.slow
def test_families_are_trained_timed_and_judged_in_one_study(
    sweep_here: Command, tmp_path: Path
) -> None:
    (tmp_path / "site/grid").mkdir(parents=True)
    (tmp_path / "site/grid/two_families.yaml").write_text(FILE, encoding="utf-8")
    words = ("+grid=two_families", f"hydra.searchpath=[file://{tmp_path}/site]")
    refused = sweep_here(*words, "model.dropout=0.1", "dry_run=true")
    assert refused.returncode == 2
    assert "model.dropout=0.1: blocks of the grid two_families choose files of" in refused.stderr
    done = sweep_here(*words, "measure.at_end=true", "launcher.slots=2")
    assert done.returncode == 0, done.stderr
    assert "results/two_families: 12 ok" in done.stdout
    study = tmp_path / "results/two_families"
    gates = {row["variant"]: row["model.se_ratio"] for row in read_plan(study)}
    assert gates == {"ResNet-RS": "0.25", "ResNet": "0.0"}
    lines = command(study, tmp_path / "figures", [], formats="png", details=True)
    found = verdicts(tmp_path / "figures")
    for name in ("R5", "forward"):
        why = found[name]["reason"]
        assert found[name]["verdict"] != "not_testable" or "share no range" in why, why
    # What the files of the blocks have is compared; it is no confounder.
    assert not [line for line in lines if "model." in line]
