"""Statements for venues: sums by hand, what error bars cover, and blanks."""

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.statement import main
from helpers.made_up_results import runs
from helpers.study import make_study, read_plan, write_plan, write_run

STUDIES = Path(__file__).resolve().parents[3] / "studies"
GRID = "name: demo\nn_classes: 10\nquestion: Does depth pay?\n"
RUNS = [replace(r, wall_s=60.0 + r.seed, world_size=2) for r in runs({4: -0.05, 20: 0.08})]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    on_gpus = [
        replace(r, device="cuda: NVIDIA H100", eval_flops=10**6, shared_flops=10**3) for r in RUNS
    ]
    return make_study(tmp_path / "demo", on_gpus, GRID)


def stated(study: Path, capsys: pytest.CaptureFixture[str], form: str) -> dict[str, str]:
    """The answers of a form by their headings."""
    assert main([str(study), "--form", form]) == 0
    parts = capsys.readouterr().out.split("\n## ")[1:]
    return {head: body.strip() for head, _, body in (part.partition("\n") for part in parts)}


def test_compute_seeds_and_hardware_are_sums_of_the_results(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = stated(study, capsys, "cvpr")
    hours = sum((r.wall_s or 0) * 2 for r in RUNS) / 3600
    flops = sum((r.train_flops or 0) - 10**3 for r in RUNS)  # others have trained the rest
    compute = found["Total compute"].splitlines()
    assert compute[0].startswith(f"{hours:.4g} GPU-hours for {len(RUNS)} finished runs")
    assert compute[1].startswith(f"{float(flops):.4g} FLOPs of training")
    assert compute[2].startswith(f"{1e6 * len(RUNS):.4g} FLOPs of evaluation")
    assert "Devices: cuda: NVIDIA H100." in found["Hardware"]
    cells = {r.config_id for r in RUNS}
    each = len(RUNS) // len(cells)
    assert (
        found["Runs and seeds"] == f"{len(cells)} configurations, each trained with {each} seeds."
    )
    assert found["Energy and emissions"] == ""


def test_flops_of_runs_that_ended_early_are_at_most_those_of_whole_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = replace(RUNS[0], status="diverged", val_error=None, train_error=None, val_loss=None)
    some = [lost, replace(RUNS[1], stopped_epoch=2), *RUNS[2:]]
    found = stated(make_study(tmp_path / "demo", some, GRID), capsys, "cvpr")["Total compute"]
    flops = float(sum(r.train_flops or 0 for r in RUNS))
    assert f"At most {flops:.4g} FLOPs of training" in found
    assert "FLOPs are those of whole runs; 2 ended before their last epoch." in found


def test_a_cpu_has_no_gpu_hours_and_an_unknown_part_leaves_the_sum_blank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [replace(r, eval_flops=10**6 if r.seed else None) for r in RUNS]
    found = stated(make_study(tmp_path / "demo", some, GRID), capsys, "cvpr")["Total compute"]
    assert "hours of a process on a CPU" in found
    assert "GPU-hours" not in found
    assert "of evaluation" not in found


def test_what_error_bars_cover_is_what_the_rules_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = "rules: {alpha: 0.1, looks: [3, 5], generalise: images}\n"
    plain = make_study(tmp_path / "plain", RUNS, GRID)
    other = make_study(tmp_path / "demo", RUNS, GRID.replace("demo", "other") + rules)
    head = "Experiment statistical significance: error bars"
    found = stated(plain, capsys, "neurips")
    assert "level of 95 %" in found[head]
    assert "evaluated are the same in all runs" in found[head]
    assert "Holm's correction covers" in found[head]
    assert {found[h] for h in ("Limitations", "New assets", "Licences of existing assets")} == {""}
    found = stated(other, capsys, "neurips")
    assert "level of 90 %" in found[head]
    assert "other images of the same kind" in found[head]
    assert "read at 3, 5 seeds a cell" in found[head]
    assert "share a trunk" not in found[head]
    write_plan(other, [row | {"trunk": "t"} for row in read_plan(other)])
    assert "that share a trunk are taken together" in stated(other, capsys, "neurips")[head]


def test_exclusions_failed_attempts_and_parents(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that failed is named and its time counts; a parent costs and is no configuration."""
    lost, *_ = RUNS
    folder = study.parent / "runs" / lost.run_id
    write_run(study.parent / "runs", replace(lost, status="failed", error="disk full", wall_s=None))
    note = {"began": 1000.0, "ended": 1090.0, "attempts": [{"began": 0.0, "ended": 30.0}]}
    (folder / "job.json").write_text(json.dumps(note), encoding="utf-8")
    parent = replace(RUNS[-1], run_id="parent-1", config_id="parent", wall_s=7200.0)
    write_run(study.parent / "runs", replace(parent, device="cuda: NVIDIA H100", eval_flops=1))
    rows = [{"run_id": r["run_id"], "epochs": r["epochs"], "stage": ""} for r in read_plan(study)]
    write_plan(study, [*rows, {"run_id": "parent-1", "epochs": 1, "stage": "before"}])
    found = stated(study, capsys, "cvpr")
    hours = (sum((r.wall_s or 0) * 2 for r in RUNS[1:]) + 2 * 7200.0) / 3600
    assert f"{hours:.4g} GPU-hours" in found["Total compute"]
    assert "Attempts without a result: 2:00 min more" in found["Total compute"]
    assert f"- {lost.run_id}: failed: disk full" in found["Failed and excluded runs"]
    assert "1 failed" in found["Failed and excluded runs"]
    assert f"{len({r.config_id for r in RUNS})} configurations" in found["Runs and seeds"]


def test_a_summary_has_the_verdicts_and_goes_to_a_file(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = stated(study, capsys, "mlrc")["Results"]
    assert "R1-long: At 20 epochs depth beats width" in results
    out = study.parent / "texts" / "all.md"
    assert main([str(study), "-o", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert text.count("\n# ") == 2
    assert text.startswith("# NeurIPS paper checklist: demo\n")
    assert main([str(study.parent / "nowhere")]) == 2


@pytest.mark.parametrize("name", sorted(path.parent.name for path in STUDIES.glob("*/plan.csv")))
def test_a_study_in_a_table_is_stated_by_its_results(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sums of results.csv, which alone is there of the runs."""
    with (STUDIES / name / "results.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] in ("ok", "diverged")]
    found = stated(STUDIES / name, capsys, "cvpr")
    seconds = sum(float(row["wall_s"]) * int(row["world_size"]) for row in rows)
    own = sum(int(row["train_flops"]) - int(row.get("shared_flops") or 0) for row in rows)
    compute = found["Total compute"].splitlines()
    assert compute[0].startswith(
        f"{seconds / 3600:.4g} hours of a process on a CPU for {len(rows)}"
    )
    assert compute[1].startswith(f"{float(own):.4g} FLOPs of training")
    assert {row["device"] for row in rows} == {found["Hardware"].splitlines()[0][9:-1]}
    planned = found["Failed and excluded runs"].splitlines()[0]
    states = Counter(row["status"] for row in rows)
    assert planned == f"Planned runs: {', '.join(f'{n} {s}' for s, n in states.items())}."
    # Its runs have no folders, and so no config.yaml.
    assert "config.yaml" not in found["Training settings"]
