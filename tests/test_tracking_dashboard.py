"""`python -m analysis.dashboard` against a server that speaks W&B's protocol."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tracked import call, secrets_in, server
from wandb_server import Server

from analysis import dashboard
from analysis_data import runs, write_study

__all__ = ["server"]


def panels(spec: dict[str, Any], section: str) -> list[dict[str, Any]]:
    (found,) = [s for s in spec["section"]["panelBankConfig"]["sections"] if s["name"] == section]
    return [{"type": p["viewType"], **p["config"]} for p in found["panels"]]


def table(server: Server, name: str) -> list[dict[str, Any]]:
    """The last table of that name in the analysis run, as it was uploaded."""
    (row,) = server.runs["analysis-demo"].history
    stored = json.loads(server.runs["analysis-demo"].files[row[name]["path"]])
    return [dict(zip(stored["columns"], line, strict=True)) for line in stored["data"]]


@pytest.mark.slow
def test_a_study_becomes_a_workspace_and_one_analysis_run(server: Server, tmp_path: Path) -> None:
    study = write_study(tmp_path, runs({4: -0.05, 20: 0.08}))
    arguments = (str(study), "--entity", "me", "--project", "lab")
    code, output = call("analysis.dashboard", *arguments, cwd=tmp_path)
    assert code == 0, output
    figures = tmp_path / "figures/demo"
    run = server.runs["analysis-demo"]
    assert (run.group, run.job_type, run.tags, run.exit_code) == ("demo", "analysis", ["demo"], 0)

    (row,) = run.history
    for png in figures.glob("*.png"):
        assert run.files[row[f"figures/{png.stem}"]["path"]] == png.read_bytes()
    with (figures / "frontier.csv").open() as file:
        expected = list(csv.DictReader(file))
    assert [r["config_id"] for r in table(server, "frontier")] == [r["config_id"] for r in expected]
    assert [r["error"] for r in table(server, "frontier")] == [float(r["error"]) for r in expected]
    verdicts = json.loads((figures / "verdicts.json").read_text())["verdicts"]
    assert {r["rule"]: r["verdict"] for r in table(server, "verdicts")} == {
        name: verdict["verdict"] for name, verdict in verdicts.items()
    }
    assert run.summary["verdict/R1-long"] == "supported"

    ((name, view),) = server.views.items()
    spec = json.loads(view["spec"])
    frontiers = panels(spec, "Frontiers")
    assert frontiers[0]["xAxis"] == "config:flops.value"
    assert {panel["yAxis"] for panel in frontiers} == {"summary:val_error"}
    assert [panel["stringSettings"]["title"] for panel in panels(spec, "Arms by regime")] == [
        "Arms at 4 epochs",
        "Arms at 20 epochs",
    ]
    assert panels(spec, "All axes")[0]["type"] == "Parallel Coordinates Plot"
    (runset,) = spec["section"]["runSets"]
    assert [key["name"] for key in runset["grouping"]] == ["epochs.value", "config_id.value"]
    assert runset["filters"]["filters"][0]["value"] == ["demo"]

    # Again: the same workspace, and the analysis is there already.
    code, _ = call("analysis.dashboard", *arguments, cwd=tmp_path)
    assert code == 0
    assert list(server.views) == [name]
    assert server.views[name]["id"] == f"id-{name}"
    assert len(run.history) == 1
    assert server.unknown <= {"ServerFeaturesQuery"}
    assert secrets_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("results/none",), "no study in results/none"),
        (("results/demo", "-o", "other"), "-o other: that is the analysis of x, not of demo"),
        (("results/demo", "-o", "broken"), "-o broken: holds no analysis"),
        (("results/demo", "-o", "whole"), "W&B: nothing answers at http://127.0.0.1:"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...],
    message: str,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    write_study(tmp_path, runs({4: 0.0}))
    texts = [f'{{"study": "{name}", "verdicts": {{}}}}' for name in ("x", "demo")]
    for folder, text in zip(("other", "whole", "broken"), (*texts, "{"), strict=True):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "verdicts.json").write_text(text, encoding="utf-8")
    server.stop()
    assert dashboard.main(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
    assert server.requests == []
