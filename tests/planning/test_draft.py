"""A study that is drafted again: times that it began with, runs of its store, other studies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.rules.check_grid import check
from helpers.commands import Command
from helpers.made_up_times import NOTHING, SOLVED, made_up
from helpers.study import write_plan, write_run
from scaling_study.config.hydra_app import composed
from scaling_study.cost.closed_form import describe
from scaling_study.cost.timings import keep_probes
from scaling_study.planning.draft import draft, freeze, orphans
from scaling_study.planning.plan import planned_cells
from scaling_study.study.result import Result


def test_unknown_runs_of_the_store_are_reported_and_kept(
    sweep_here: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "results/runs/d14-w1-r16-e1-s0-0123456789"
    folder.mkdir(parents=True)
    done = sweep_here("+grid=smoke", "dry_run=true")
    assert "1 runs in the store are in no study's plan: d14-w1-r16-e1-s0-0123456789" in done.stdout
    assert folder.is_dir()
    study = tmp_path / "results/other"
    write_plan(study, [{"run_id": folder.name, "epochs": 1}])
    assert "in no study" not in sweep_here("+grid=smoke", "dry_run=true").stdout


def test_grids_share_one_store(execution: Any) -> None:
    values = composed("sweep", ["+grid=smoke"])
    found, _ = draft(values, [], execution, None, check)
    run = found.rows[0].run
    result = Result(**describe(run), status="ok", wall_s=3.0)
    write_run(Path(execution.results_dir) / "runs", result)
    other = composed("sweep", ["+grid=smoke", "grid.name=other", "grid.axes.depth=[14]"])
    shared, _ = draft(other, [], execution, None, check)
    assert [(row.state, row.actual_s) for row in shared.rows] == [("ok", 3.0), ("planned", None)]
    assert orphans(shared, Path(execution.results_dir)) == []


@pytest.mark.slow
def test_a_study_whose_cells_depend_on_times_trains_only_what_is_missing(
    sweep_here: Command, tmp_path: Path
) -> None:
    """What its own runs measure would lead to other widths."""
    run = planned_cells(composed("sweep", ["+grid=smoke", "precision=fp32"]), [], NOTHING)[1][0].run
    cache = f"cache_dir={tmp_path / 'probes'}"
    keep_probes(tmp_path / "probes", [made_up(0.005, run)])
    first = sweep_here(*SOLVED, cache)
    assert first.returncode == 0, first.stderr
    assert "4 ok" in first.stdout
    keep_probes(tmp_path / "probes", [made_up(0.05, run)])
    again = sweep_here(*SOLVED, cache)
    assert again.returncode == 0, again.stderr
    assert "4 runs: 4 ok" in again.stdout
    assert "[1/" not in again.stdout
    assert "cells go by the times that the study began with" in again.stdout
    assert len([p for p in (tmp_path / "results/runs").iterdir() if p.is_dir()]) == 4
    # More targets are met by the same times; only on request by others.
    more = [text.replace("0.02]", "0.02, 0.03]") for text in SOLVED]
    assert "6 runs: 4 ok, 2 planned" in sweep_here(*more, cache, "dry_run=true").stdout
    anew = sweep_here(*SOLVED, cache, "plan.resolve=true", "dry_run=true")
    assert "4 runs: 4 ok" not in anew.stdout


def test_conditions_on_times_stay_as_they_were(execution: Any, tmp_path: Path) -> None:
    values = composed("sweep", ["+grid=smoke", "precision=fp32"])
    values["results_dir"] = execution.results_dir
    own = replace(execution, cache_dir=str(tmp_path / "probes"))
    (cell, *_) = planned_cells(values, [], NOTHING)[1]
    keep_probes(tmp_path / "probes", [made_up(0.01, cell.run)])
    everything, _ = draft(values, [], own, None, check)
    limit = sum(row.forecast_s or 0 for row in everything.rows) / 4
    values["grid"]["where"] = [f"gpu_hours < {limit / 3600}"]
    first, _ = draft(values, [], own, None, check)
    assert 0 < len(first.rows) < 4
    study = Path(execution.results_dir) / "smoke"
    study.mkdir(parents=True)
    freeze(first, study)
    keep_probes(tmp_path / "probes", [made_up(1e-5, cell.run)])
    second, said = draft(values, [], own, None, check)
    assert [row.run.run_id for row in second.rows] == [row.run.run_id for row in first.rows]
    assert second.rows[0].forecast_s != first.rows[0].forecast_s  # what is shown is what is known
    assert any("plan.resolve=true" in line for line in said)
    values["plan"]["resolve"] = True
    assert len(draft(values, [], own, None, check)[0].rows) == 4


def test_a_study_without_times_freezes_none(execution: Any, tmp_path: Path) -> None:
    found, _ = draft(composed("sweep", ["+grid=smoke"]), [], execution, None, check)
    freeze(found, tmp_path)
    assert list(tmp_path.iterdir()) == []
