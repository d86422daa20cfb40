"""The grids for vision transformers and ConvNeXts plan, train and are analysed, cut short."""

from pathlib import Path

import pytest

from helpers.commands import Command
from scaling_study.study.result import read_result


@pytest.mark.parametrize(("grid", "runs"), [("vit_small", 24), ("convnext_small", 20)])
@pytest.mark.slow
def test_a_grid_plans_what_its_header_says(grid: str, runs: int, sweep_here: Command) -> None:
    done = sweep_here(f"+grid={grid}", "dry_run=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{runs} runs: {runs} planned" in done.stdout
    assert "depth or width" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "cells"), [("vit_small", 6), ("convnext_small", 5)])
def test_a_grid_trains_and_is_analysed(
    grid: str, cells: int, command: Command, tmp_path: Path
) -> None:
    short = ("grid.axes.epochs=[1]", "grid.axes.seed=[0]", "train.warmup_epochs=0")
    done = command("scaling_study.sweep", f"+grid={grid}", *short)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [read_result(path) for path in tmp_path.glob("results/runs/*/result.json")]
    assert len(results) == cells
    assert {result.status for result in results} == {"ok"}
    done = command("analysis", f"results/{grid}", "-o", "figures")
    # One epoch may leave every network near chance, which the analysis says.
    excluded = "is excluded (hardly better than chance" in done.stderr
    assert done.returncode == 2 if excluded else done.returncode in (0, 1), (
        done.stdout + done.stderr
    )
    assert "Traceback" not in done.stderr
