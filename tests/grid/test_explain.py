"""What a grid says of its cells: why each is in or out, and what is the same run."""

from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.made_up_times import NOTHING
from helpers.tiny import TINY
from scaling_study.grid.cells import cells_of
from scaling_study.grid.explain import explained


@pytest.mark.slow
def test_explanations_and_differences(sweep_here: Command, tmp_path: Path) -> None:
    said = sweep_here("+grid=smoke", "++grid.where=['depth<20 or seed==0']", "explain=true")
    assert said.returncode == 0, said.stderr
    assert "3 cells in, 1 points out" in said.stdout
    assert "out  width=0.125, depth=26, seed=1: where 'depth<20 or seed==0' is false" in said.stdout
    diff = sweep_here("+grid=smoke", "++grid.axes.seed=[1,2]", "diff=smoke")
    assert diff.returncode == 0, diff.stderr
    assert diff.stdout.count("only in smoke: 2") == 2
    assert "in both: 2, shared by one store" in diff.stdout
    bad = sweep_here("+grid=smoke", "diff=smock")
    assert bad.returncode == 2
    assert "neither a grid (did you mean smoke?) nor the folder of a study" in bad.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_twice_is_explained() -> None:
    cells, left = cells_of(
        {"name": "g", "points": [{"depth": 14}, {"width": 0.125}]}, TINY, NOTHING
    )
    lines = list(explained(cells, left))
    assert lines[-1] == "1 cells in, 1 points out"
    assert f"the same run as {cells[0].run.run_id}" in lines[1]


def test_a_variant_that_changes_nothing_is_named(sweep_here: Command) -> None:
    rows = "{baseline: {}, cosine: {train.schedule: cosine}, smooth: {train.label_smoothing: 0.2}}"
    done = sweep_here("+grid=smoke", f"++grid.variants.cumulative={rows}", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "variant cosine is the same run as baseline\n" in done.stdout
    assert "variant smooth" not in done.stdout


def test_infeasible_targets_are_told_once_for_all_seeds(sweep_here: Command) -> None:
    targets = ", ".join(f"{n}e30" for n in range(100, 130))
    solve = f"++grid.solve={{width: {{flops: [2.e6, {targets}], tolerance: 0.9}}}}"
    done = sweep_here("+grid=smoke", "grid.points=[{}]", solve, "dry_run=true")
    assert done.returncode == 2
    done = sweep_here(
        "+grid=smoke", "grid.points=[{}]", solve.replace("e30", "e20"), "dry_run=true"
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("infeasible: ")]
    assert len(lines) == 20
    assert all(line.endswith("(2 points)") for line in lines)
    assert "… and 40 more; explain=true lists them" in done.stdout


@pytest.mark.slow
def test_an_axis_of_the_other_grid_is_told_as_such(sweep_here: Command) -> None:
    done = sweep_here("+grid=smoke", "train.epochs=3", "diff=depth_vs_width")
    assert done.returncode == 2
    assert "diff=depth_vs_width: the other grid cannot be planned: train.epochs=3" in done.stderr
    assert "epochs is an axis of the grid depth_vs_width" in done.stderr
