"""The grids that come with the program: the paper's counts and costs, and missing images."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.made_up_times import NOTHING
from scaling_study.common.format import engineering
from scaling_study.common.paths import data_dir
from scaling_study.config.hydra_app import composed
from scaling_study.cost.step_memory import devices_needed
from scaling_study.grid.cells import ancestors
from scaling_study.planning.labels import labelled_by
from scaling_study.planning.plan import plan, planned_cells
from scaling_study.planning.plan_table import table
from scaling_study.study.store import Store

# Grids whose header has the FLOPs of training and evaluation together; see test_default_grid.py.
BUDGETS = (
    *("depth_vs_width", "depth_vs_width_fashion", "depth_vs_width_icons"),
    *("slow_resolution", "slow_resolution_fashion", "slow_resolution_icons"),
    *("weight_decay", "pitfalls"),
)
COUNTS = {
    "paper/fig3_depth_vs_width": 72,
    "paper/fig2_scaling_grid": 175,
    "paper/table1_additive": 11,
    "paper/table2_weight_decay": 12,
    "paper/table7_resnet_rs": 11,
    "paper/efficientnet": 8,
    "paper/efficientnet_rs": 8,
    "paper/slow_resolution": 24,
    "paper/transfer": 84,
    "paper/semi_supervised": 39,
    "paper/published_resnet_rs_50": 5,
    "cifar10_published": 5,
    "slow_resolution": 64,
    "slow_resolution_fashion": 64,
    "slow_resolution_icons": 64,
    "weight_decay": 84,
    "pitfalls": 128,
    "transfer": 126,
    "semi_supervised": 90,
    "semi_supervised_fashion": 45,
    "transfer_fractals": 126,
    "transfer_fashion": 126,
    "additive_study": 30,
    "depth_vs_width": 16,
    "depth_vs_width_adaptive": 60,
    "depth_vs_width_fashion": 14,
    "depth_vs_width_icons": 14,
    "depth_vs_width_large": 30,
    "family_comparison": 30,
    "one_trunk": 44,
    "smoke": 4,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_grids_have_the_papers_counts_and_say_what_they_cost(name: str) -> None:
    values = composed("sweep", [f"+grid={name}"])
    _, cells, left = planned_cells(values, [f"+grid={name}"], NOTHING)
    rows = plan([*ancestors(cells), *cells], Store(Path("none")), {}, NOTHING)
    assert len(rows) == COUNTS[name]
    assert not any(point.infeasible for point in left)
    text = (data_dir("sweeps") / "grid" / f"{name}.yaml").read_text(encoding="utf-8")
    for word in ("question: ", "Cost:", f"python -m scaling_study.sweep +grid={name}"):
        assert word in text, word
    if name not in ("smoke", *BUDGETS):
        assert "Source: " in text
        said = re.search(r"Cost: (\d+) runs, ([\d.e+]+) training FLOPs", text)
        assert said, text
        flops = sum(row.cost.own_train_flops for row in rows)
        assert (int(said[1]), said[2]) == (len(rows), f"{flops:.2g}")
    if name.startswith("paper/"):
        largest = max(rows, key=lambda row: row.cost.memory_bytes)
        assert f"largest step needs {devices_needed(largest.run)} GPUs of" in text
        assert f"({engineering(largest.cost.memory_bytes)}B in all)" in text
        assert {row.columns["n_train"] for row in rows} <= {1_281_167, 1_255_544, 50_000}
        assert {row.run.precision for row in rows} == {"bf16"}


def test_the_additive_study_adds_up() -> None:
    values = composed("sweep", ["+grid=paper/table1_additive"])
    _, cells, _ = planned_cells(values, [], NOTHING)
    records = [vars(c.run.train) | vars(c.run.model) | vars(c.run.data) for c in cells]
    changed = [{k for k in before if before[k] != after[k]} for before, after in pairwise(records)]
    assert changed[0] == {"schedule"}
    assert changed[1] == {"epochs"}
    assert changed[8] == {"se_ratio"}
    assert all(changed)
    assert cells[0].run.model.depth == 200
    rows = plan(cells, Store(Path("none")), {}, NOTHING)
    columns = table(rows, values["grid"])
    assert [c["variant"] for c in columns][:3] == ["baseline", "cosine", "longer training"]
    assert columns[8]["train.weight_decay"] == 4e-5


def test_a_grid_without_its_images_is_planned_and_not_launched(
    sweep_here: Command, tmp_path: Path
) -> None:
    name = "+grid=paper/efficientnet_rs"
    dry = sweep_here(name, "dry_run=true", "plan.out=plan.csv")
    assert dry.returncode == 0, dry.stderr
    assert "8 runs: 8 planned" in dry.stdout
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert (
            int(row["memory_bytes_low"]) < int(row["memory_bytes"]) < int(row["memory_bytes_high"])
        )
        assert row["forecast_s"] == row["gpu_hours"] == row["forecast_step_time_s_low"] == ""
        assert int(row["data_bytes"]) == (1_281_167 + 50_000) * 3 * int(row["resolution"]) ** 2
    done = sweep_here(name, "device=cpu")
    assert done.returncode == 2
    assert "data.root=imagenet: no such folder" in done.stderr
    assert not list((tmp_path / "results").glob("*/plan.csv"))


@pytest.mark.slow
def test_the_grids_of_transfer_share_their_parents_and_cost_what_a_laptop_has() -> None:
    parents, evaluated = [], []
    for name in ("transfer", "transfer_fractals", "transfer_fashion"):
        values = composed("sweep", [f"+grid={name}"])
        _, cells, _ = planned_cells(values, [f"+grid={name}"], NOTHING)
        parents.append({cell.run.run_id for cell in ancestors(cells)})
        rows = plan([*ancestors(cells), *cells], Store(Path("none")), {}, NOTHING)
        evaluated.append(sum(r.cost.train_flops + r.columns["eval_flops"] for r in rows))
    assert parents[0] == parents[1] == parents[2]
    assert len(parents[0]) == 18
    assert max(evaluated) <= 4e13


@pytest.mark.slow
@pytest.mark.parametrize("name", ["semi_supervised", "semi_supervised_fashion"])
def test_the_arm_without_a_pool_has_the_flops_of_teacher_labels_and_student(name: str) -> None:
    values = composed("sweep", [f"+grid={name}"])
    _, cells, _ = planned_cells(values, [f"+grid={name}"], NOTHING)
    assert not ancestors(cells)  # the teachers are cells of the grid
    rows = plan(cells, Store(Path("none")), {}, NOTHING)
    labels = labelled_by(rows)
    every = sum(row.cost.train_flops + row.cost.eval_flops for row in rows)
    assert every + sum(one.flops for one in labels.values()) <= 4e13
    assert len(labels) == sum(row.run.teacher is not None for row in rows)
    pools = {row.columns["config_id"]: row for row in rows if row.run.teacher}
    by_shape = {(row.run.model.depth, row.run.model.width, row.cell.variant): row for row in rows}
    largest = max(row.labelling.flops / row.cost.flops for row in pools.values())
    for (depth, width, variant), row in by_shape.items():
        if row.run.teacher is None or row.labelling.flops / row.cost.flops < largest:
            continue
        own, twice, as_all = (
            by_shape[depth, width, other].cost.train_flops
            for other in ("supervised", "twice the epochs", "as many FLOPs as all")
        )
        assert row.cost.train_flops == twice == 2 * own, variant
        together = own + row.cost.train_flops + row.labelling.flops
        assert together <= as_all < together + own / row.run.train.epochs
