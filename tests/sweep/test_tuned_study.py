"""The study of docs/rules.md with a tuned rule: planned, trained, analysed."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import Command
from helpers.judged import verdicts
from helpers.pages import blocks

SAID = ("Robust to tuning: ", "Not robust to tuning: ", "This is with each arm", "Tuning decides")
# Half of its seeds and a part of its images, to be quick.
SMALLER = (
    *("grid.axes.seed=[0,1]", "++grid.rules.min_df=2"),
    *("data.classes=8", "data.train_per_class=40", "data.val_per_class=40"),
)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """What adds the page's grid to a command."""
    (text,) = (text for kind, text in blocks("rules.md") if "name: tuned_arms" in text)
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "tuned_arms.yaml").write_text(text, encoding="utf-8")
    return ["+grid=tuned_arms", f"hydra.searchpath=[file://{tmp_path}]"]


@pytest.mark.slow
def test_the_dry_run_says_what_other_rates_cost(sweep_here: Command, words: list[str]) -> None:
    done = sweep_here(*words, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "36 runs: 36 planned" in done.stdout
    assert "grid.tuned: 18 runs at other learning rates, " in done.stdout
    assert " training FLOPs (57 % of the study's)" in done.stdout
    assert done.stdout.count("learning rate x 0.5") == 9
    assert "not the same in all runs" not in done.stdout
    assert "At 4 epochs depth or width" in done.stdout
    without = sweep_here(*words, "grid.tuned=null", "dry_run=true")
    assert "the rule is `tuned: lr`, and the base was not" in without.stdout
    unused = sweep_here(*words, "grid.rules.rules.R1-long.tuned=null", "dry_run=true")
    assert "; no rule is `tuned: lr`, so none uses them" in unused.stdout


@pytest.mark.slow
def test_it_is_trained_and_judged(command: Command, tmp_path: Path, words: list[str]) -> None:
    swept = command("scaling_study.sweep", *words, *SMALLER)
    assert swept.returncode == 0, swept.stderr
    assert "24 ok" in swept.stdout
    done = command("analysis", "results/tuned_arms", "-o", "out", "--details")
    assert done.returncode == 0, done.stderr
    assert "12 runs in 6 cells" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert any(text in page for text in SAID)
    found = verdicts(tmp_path / "out")["R1-long"]
    assert not found["exploratory"]
    assert "at the recipe's learning rate" in done.stdout
    ends = found["tuning"]["ends"]
    assert len(ends) == 3
    for end, (depth, width) in zip(ends, ((14, 0.125), (26, 0.125), (14, 0.25)), strict=True):
        assert end["best_factor"] == pytest.approx(best(tmp_path, depth, width), rel=0.02)


def best(folder: Path, depth: int, width: float) -> float:
    """The best of the rates by a parabola through the means of the runs' results."""
    errors: dict[float, list[float]] = {}
    with (folder / "results/tuned_arms/plan.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["epochs"], row["depth"], row["width"]) == ("4", str(depth), str(width)):
                text = (folder / "results/runs" / row["run_id"] / "result.json").read_text("utf-8")
                errors.setdefault(float(row["lr_factor"]), []).append(json.loads(text)["val_error"])
    assert sorted(errors) == [0.5, 1, 2]
    x = np.log(list(errors))
    parabola = np.polyfit(x, np.log([np.mean(values) for values in errors.values()]), 2)
    grid = np.linspace(-math.log(2), math.log(2), 2001)
    return math.exp(grid[np.argmin(np.polyval(parabola, grid))])
