"""A family without convolutions, from the plan over two sweeps to the analysis."""

import csv
import json
from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.own_modules import MODEL, write_mlp
from scaling_study.study.result import read_result


@pytest.mark.slow
def test_a_sweep_is_planned_trained_forecast_and_analysed(
    command_here: Command, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mlp(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    conf = tmp_path / "conf" / "model"
    conf.mkdir(parents=True)
    lines = [f"family: {MODEL['family']}", "depth: 2", "width: 1.0"]
    (conf / "mlp.yaml").write_text("\n".join(lines), encoding="utf-8")
    arguments = (
        *("--config-dir", str(tmp_path / "conf"), "+grid=smoke", "model=mlp", "grid.name=mlp"),
        *("launcher=inline", "grid.axes.depth=[1,2]", "grid.axes.seed=[0]"),
    )
    trained = command_here("scaling_study.sweep", *arguments)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    results = [read_result(path) for path in tmp_path.glob("results/runs/*/result.json")]
    assert [(r.status, r.activations) for r in results] == [("ok", None)] * 2
    # A first measurement makes the next dry run a forecast.
    plan = command_here(
        "scaling_study.sweep", *arguments, "train.epochs=3", "dry_run=true", "plan.out=p.csv"
    )
    assert plan.returncode == 0, plan.stdout + plan.stderr
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()))
    assert all(float(row["forecast_s"]) > 0 for row in rows)
    assert {row["activations"] for row in rows} == {""}
    done = command("analysis", "results/mlp", "-o", "figures")
    assert done.returncode == 0, done.stdout + done.stderr
    frontier = (tmp_path / "figures" / "frontier.csv").read_text(encoding="utf-8")
    assert frontier.count("\n") >= 2
    json.loads((tmp_path / "figures" / "verdicts.json").read_text(encoding="utf-8"))
