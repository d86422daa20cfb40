"""`python -m analysis.dashboard` against a server that speaks W&B's protocol."""

import csv
import html
import json
from pathlib import Path
from typing import Any

import pytest

from analysis import dashboard
from analysis.study.columns import ALL_COST_NAMES
from helpers.made_up_results import runs
from helpers.study import add_run, write_study
from helpers.tracked import call, secrets_in, server
from helpers.wandb_server import Server
from scaling_study.config.tracking import tag_of
from scaling_study.study.result import Result

__all__ = ["server"]


def panels(spec: dict[str, Any], section: str) -> list[dict[str, Any]]:
    (found,) = [s for s in spec["section"]["panelBankConfig"]["sections"] if s["name"] == section]
    return [{"type": p["viewType"], **p["config"]} for p in found["panels"]]


def table(server: Server, name: str) -> list[dict[str, Any]]:
    """The last table of that name in the analysis run, as it was uploaded."""
    row = server.runs["analysis-demo"].history[-1]
    stored = json.loads(server.runs["analysis-demo"].files[row[name]["path"]])
    return [dict(zip(stored["columns"], line, strict=True)) for line in stored["data"]]


def few(results: list[Result]) -> list[Result]:
    """The runs of three networks: with fewer costs than laws are fitted to, it is analysed soon."""
    return [r for r in results if (r.depth, r.width) in ((14, 0.25), (50, 0.25), (14, 1.0))]


@pytest.mark.slow
def test_a_study_becomes_a_workspace_and_one_analysis_run(server: Server, tmp_path: Path) -> None:
    results = runs({4: -0.05, 20: 0.08}, seeds=9)  # more runs than W&B groups or shows by itself
    assert len(results) > 100
    study = write_study(tmp_path, results)
    arguments = (str(study), "--entity", "me", "--project", "lab", "--formats", "png")
    code, output = call("analysis.dashboard", *arguments, cwd=tmp_path)
    assert code == 0, output
    assert f"W&B: project at {server.url}/me/lab\n" in output
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
    costs = list(dict.fromkeys(row["cost_axis"] for row in expected))
    drawn = [panel["stringSettings"]["title"] for panel in panels(spec, "Frontiers and arms")]
    arms = ["Arms at 4 epochs", "Arms at 20 epochs"]
    assert drawn == [f"Frontiers over {ALL_COST_NAMES[cost]}" for cost in costs] + arms
    for cost in costs:
        check_frontiers(
            table(server, f"frontiers/{cost}_table"),
            [r for r in expected if r["cost_axis"] == cost and r["on_frontier"] == "True"],
        )
    scatter = panels(spec, "Runs")
    assert scatter[0]["xAxis"] == "config:flops.value"
    assert {(p["yAxis"], p["zAxis"]) for p in scatter} == {
        ("summary:val_error", "config:epochs.value")
    }
    assert not any(panel.get("showMinYAxisLine") for panel in scatter)  # it would pool the regimes
    assert [p["chartTitle"] for p in scatter] == [
        *("Error over FLOPs per image", "Error over parameters", "Error over training FLOPs"),
        "Error over step time, s",
    ]
    assert [p["mediaKeys"] for p in panels(spec, "What the study says")] == [["report"]]
    assert "Training" not in [s["name"] for s in spec["section"]["panelBankConfig"]["sections"]]
    assert panels(spec, "All axes")[0]["type"] == "Parallel Coordinates Plot"
    (runset,) = spec["section"]["runSets"]
    assert [key["name"] for key in runset["grouping"]] == ["epochs.value", "config_id.value"]
    assert runset["filters"]["filters"][0]["value"] == ["demo"]
    assert [key["key"]["name"] for key in runset["sort"]["keys"]] == ["jobType", "val_error"]
    assert spec["section"]["settings"]["maxRuns"] == len(results) + 1
    assert {r["seeds"] for r in table(server, "frontier")} == {9}

    page = (figures / "report.html").read_bytes()
    assert run.files[row["report"]["path"]] == page
    sent = server.artifacts.named["analysis-demo"]
    kept = {p.name for p in figures.iterdir() if p.suffix in (".html", ".png", ".csv", ".json")}
    assert set(sent) == {*kept, "manifest.json"}
    assert sent["report.html"] == page
    captions = [row[f"figures/{path.stem}"]["caption"] for path in figures.glob("*.png")]
    assert "Pareto frontier of error and FLOPs" in captions

    check_report(server, page.decode(), tmp_path)

    # Again: the same workspace, and the analysis is there already.
    code, _ = call("analysis.dashboard", *arguments, cwd=tmp_path)
    assert code == 0
    assert list(server.views) == [name]
    assert server.views[name]["id"] == f"id-{name}"
    assert len(run.history) == 1
    assert len(server.reports) == 1
    assert server.unknown <= {"ServerFeaturesQuery"}
    assert secrets_in(tmp_path) == []


def check_report(server: Server, page: str, folder: Path) -> None:
    """The W&B Report says what the page says, in its order, with the picture that opens it."""
    ((key, report),) = server.reports.items()
    assert report["displayName"] == "Study demo"
    stored = json.loads((folder / "results/demo/workspace.json").read_text())
    assert stored["report"].endswith(f"--{key}")
    blocks = json.loads(report["spec"])["blocks"]
    texts = [text for block in blocks for text in texts_in(block)]
    heads = [
        "Verdicts",
        "Our reading beside the paper's",
        "Explore",
        "Runs",
        "Figures",
        "Ten words",
    ]
    assert [text for text in texts if text in heads] == heads
    said = json.loads((folder / "figures/demo/answer.json").read_text())
    answer = f"Supported: {said['sentence']}"
    assert texts.index(answer) < texts.index("Verdicts")
    assert "depth beats width" in answer
    assert html.escape(said["sentence"]).split(" by ")[0] in page
    assert all(text in texts for text in said["reading"])
    grids = [block for block in blocks if block["type"] == "panel-grid"]
    first = grids[0]["metadata"]["panelBankSectionConfig"]["panels"]
    assert [panel["config"]["mediaKeys"] for panel in first] == [[f"figures/{said['picture']}"]]


def texts_in(block: dict[str, Any]) -> list[str]:
    """The text of a block, or of each of its items."""
    children = block.get("children", [])
    if block["type"] == "list":
        return [text for item in children for text in texts_in(item)]
    parts = [c["text"] for c in children if "text" in c]
    nested = [text for child in children if "children" in child for text in texts_in(child)]
    return ["".join(parts), *nested] if parts else nested


def check_frontiers(drawn: list[dict[str, Any]], expected: list[dict[str, str]]) -> None:
    """A falling line for each regime, through the points of its own frontier and no others."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in drawn:
        lines.setdefault(point["lineKey"], []).append((point["step"], point["lineVal"]))
    assert {len({x for x, _ in line}) for line in lines.values()} != {1}
    for name, line in lines.items():
        regime = [r for r in expected if f"{r['epochs']} epochs" == name]
        assert line == sorted((float(r["cost"]), float(r["error"])) for r in regime)
        assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)
    assert len(lines) == len({r["epochs"] for r in expected}) == 2


@pytest.mark.slow
def test_a_study_that_grew_is_analysed_and_sent_anew(server: Server, tmp_path: Path) -> None:
    results = few(runs({4: -0.05, 20: 0.08}))
    study = write_study(tmp_path, [r for r in results if r.epochs == 4])
    (tmp_path / "figures/demo").mkdir(parents=True)
    (tmp_path / "figures/demo/verdicts.json").write_text("{", encoding="utf-8")  # it is no matter
    arguments = (str(study), "--entity", "me", "--project", "lab", "--formats", "none")
    code, output = call("analysis.dashboard", *arguments, cwd=tmp_path)
    assert code == 0, output
    run = server.runs["analysis-demo"]
    assert run.summary["verdict/R1-long"] == "not_testable"
    for result in results:
        if result.epochs == 20:
            add_run(study, result)
    code, output = call("analysis.dashboard", *arguments, "--where", "resolution=32", cwd=tmp_path)
    assert code == 0, output
    assert f"{len(results)} runs with resolution=32 in " in output
    assert run.summary["verdict/R1-long"] == "supported"
    assert len(run.history) == 2
    assert {row["epochs"] for row in table(server, "frontier")} == {4, 20}


@pytest.mark.slow
def test_a_long_name_is_cut_to_the_tag_that_its_runs_carry(server: Server, tmp_path: Path) -> None:
    name = "n" * 70
    study = write_study(tmp_path, few(runs({4: -0.05})))
    study = study.rename(study.with_name(name))
    code, output = call(
        "analysis.dashboard", str(study), "--entity", "me", "--formats", "none", cwd=tmp_path
    )
    assert code == 0, output
    (run,) = server.runs.values()
    assert (run.group, run.tags) == (name, [tag_of(name)])
    (view,) = server.views.values()
    (runset,) = json.loads(view["spec"])["section"]["runSets"]
    assert runset["filters"]["filters"][0]["value"] == [tag_of(name)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("results/none",), "no study in results/none"),
        (("results/demo", "-o", "other"), "-o other: that is the analysis of x, not of demo"),
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
    for folder, name in (("other", "x"), ("whole", "demo")):
        (tmp_path / folder).mkdir()
        text = f'{{"study": "{name}", "verdicts": {{}}}}'
        (tmp_path / folder / "verdicts.json").write_text(text, encoding="utf-8")
    server.stop()
    assert dashboard.main(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
    assert server.requests == []
