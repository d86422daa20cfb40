"""Studies side by side: numbers are those of their own analyses."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.__main__ import main as analyse
from analysis.compare import main
from helpers.made_up_results import renamed, runs
from helpers.quick_analysis import verdicts_alone
from helpers.study import make_study, write_plan

DEEP = [replace(r, wall_s=60.0) for r in runs({4: -0.05, 20: 0.08})]
FLAT = [
    replace(renamed(r, "x"), data="digits", wall_s=90.0) for r in runs({8: 0.01, 20: 0.0}, seeds=5)
]
GRID = "name: demo\nn_classes: 10\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    make_study(tmp_path / "deep", DEEP, GRID)
    make_study(tmp_path / "flat", FLAT, GRID)
    return tmp_path


def compared(results: Path, capsys: pytest.CaptureFixture[str], *names: str) -> list[str]:
    assert main([*names, "--results", str(results)]) == 0
    return capsys.readouterr().out.splitlines()


def row(lines: list[str], label: str) -> tuple[str, str]:
    (line,) = (line for line in lines if line[:20].rstrip() == label)
    return line[21:50].strip(), line[51:].strip()


@pytest.mark.slow
def test_effects_are_those_of_each_studys_own_analysis(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts_alone(monkeypatch)
    lines = compared(results, capsys, "deep", "flat")
    for name, at in (("deep", 0), ("flat", 1)):
        assert (
            analyse([str(results / name), "-o", str(results / "figures"), "--formats", "none"]) == 0
        )
        verdicts = json.loads((results / "figures/verdicts.json").read_text())["verdicts"]
        r1 = verdicts["R1-long"]
        estimate, low, high = (100 * r1[key] for key in ("estimate", "ci_low", "ci_high"))
        assert row(lines, "R1-long")[at] == f"{estimate:+.1f} % [{low:.1f}, {high:.1f}]"
        below = lines[lines.index(next(t for t in lines if t.startswith("R1-long "))) + 1]
        assert (below[21:50], below[51:])[at].strip() == r1["verdict"]
    capsys.readouterr()


def test_facts_and_cost(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = compared(results, capsys, "deep", "flat")
    assert row(lines, "data") == ("synthetic", "digits")
    assert row(lines, "runs in cells") == ("36 in 12", "60 in 12")
    assert row(lines, "run time") == ("36:00 min", "1.5 h")
    flops = [sum(r.train_flops for r in side) / 1e12 for side in (DEEP, FLAT)]
    assert row(lines, "training FLOPs") == tuple(f"{value:.3g}T" for value in flops)
    assert max(map(len, lines)) <= 80


def test_cells_have_their_means_with_intervals(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = compared(results, capsys, "deep", "flat")
    cell = [r for r in DEEP if (r.depth, r.width, r.epochs) == (26, 0.25, 20)]
    # The noise of a regime is pooled: its variance by hand.
    cells: dict[str, list[float]] = {}
    for r in DEEP:
        if r.epochs == 20:
            cells.setdefault(r.config_id, []).append(r.val_error or 0.0)
    pooled = np.mean([np.var(errors, ddof=1) for errors in cells.values()])
    half = stats.t.ppf(0.975, 2 * len(cells)) * math.sqrt(pooled / 3)
    mean = np.mean([r.val_error for r in cell])
    assert row(lines, "d26-w0.25-r32-e20")[0] == f"{100 * mean:.4g} ± {100 * half:.2g} % (3)"
    assert row(lines, "d26-w0.25-r32-e20")[1].endswith("(5)")
    assert "only in deep, 6 cells:" in "\n".join(lines)


def test_three_studies_fit_beside_each_other(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(results / "third", [renamed(r, "y") for r in FLAT], GRID)
    two, three = (compared(results, capsys, "deep", "flat", *more) for more in ((), ("third",)))
    assert max(map(len, three)) <= 80
    effects = [line for line in three if line.startswith("R1-long ")]
    alone = [text for line in two if line.startswith("R1-long ") for text in (line[21:],)]
    columns = [effects[0][at : at + 20].strip() for at in (21, 41, 61)]
    assert columns[:2] == [alone[0][:30].strip(), alone[0][30:].strip()]
    assert columns[2] == columns[1], "the third has the second's numbers"
    assert "60 runs are in more than one study" not in "\n".join(three)
    assert main(["deep", "flat", "third", "deep", "--results", str(results)]) == 2
    assert "studies=4: at most 3 fit" in capsys.readouterr().err


def test_nothing_is_written(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "deep" / "prereg.yaml").unlink()
    (results / "deep" / "freeze.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    lines = compared(results, capsys, "deep", "flat")
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    assert row(lines, "verdicts")[0] == "exploratory"


def test_shared_runs_and_other_rules_are_said(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = f"{GRID}rules: {{rules: {{R1-long: {{margin: 0.02}}}}}}\n"
    make_study(results / "same", DEEP, grid)
    text = "\n".join(compared(results, capsys, "deep", "same"))
    assert "36 runs are in both studies" in text
    assert "R1-long *" in text
    assert "R1-short *" not in text
    assert "36 runs" not in "\n".join(compared(results, capsys, "deep", "flat"))


def test_two_of_one_name_are_told_apart(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_study(results / "elsewhere" / "deep", DEEP, GRID)
    lines = compared(results, capsys, "deep", str(results / "elsewhere" / "deep"))
    assert lines[0].split("  ")[-1].strip() == "deep (B)"
    assert lines[0].strip().startswith("deep (A)")


def test_missing_runs_are_counted(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = [*(r.run_id for r in DEEP), "never-1", "never-2"]
    write_plan(results / "deep", [{"run_id": run_id, "epochs": 4} for run_id in planned])
    assert row(compared(results, capsys, "deep", "flat"), "without a result") == ("2", "0")


@pytest.mark.parametrize("names", [("deep", "flt"), ("nowhere", "flat")])
def test_a_study_that_is_not_there_is_named(
    results: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    assert main([*names, "--results", str(results)]) == 2
    told = capsys.readouterr().err
    assert told.endswith("has deep, flat\n")
    assert len(told.splitlines()) == 1
