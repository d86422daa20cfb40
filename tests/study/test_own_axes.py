"""Axes that only a grid's YAML declares: train.batch_size and a setting of a user's family.

They stand wherever depth and width do: in the plan, the status map, and the report.
"""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.figures.drawing.arm_plots import arms
from analysis.figures.drawing.frontiers import frontier
from analysis.figures.drawing.style import style
from analysis.figures.records import arm_records, frontier_records
from analysis.report.command import command as analyse
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.commands import Command
from helpers.planned_study import finished
from helpers.tiny import plain_execution
from scaling_study.config.run import RunConfig
from scaling_study.status.overview import overview
from scaling_study.status.view import view
from scaling_study.study.table import read_study

MODEL = {"family": "helpers.stack_family", "depth": 1.0, "width": 1.0, "my_setting": 3}
YAML = """# @package _global_
defaults:
  - override /model: stack
data: {resolution: 16, classes: 4, train_per_class: 32, val_per_class: 50}
precision: fp32
grid:
  name: own
  axes:
    depth: [1, 1.5]
    model.my_setting: [1, 3]
    train.batch_size: [16, 128]
  labels: {model.my_setting: kernel (px)}
"""
SIZES = [{"depth": d, "width": w} for d, w in ((1, 0.5), (2, 0.5), (4, 0.5), (1, 1), (1, 2))]
GRID = {
    "name": "own",
    "points": SIZES,
    "axes": {"model.my_setting": [1, 3], "train.batch_size": [16, 128], "seed": [0, 1]},
    "labels": {"model.my_setting": "kernel (px)"},
}
SETTINGS = {f"kernel (px) {kernel}, batch size {batch}" for kernel in (1, 3) for batch in (16, 128)}


@pytest.fixture
def plan_of(tmp_path: Path, sweep_here: Command) -> Command:
    """A dry run of a grid file with this text, beside a YAML for the user's family."""

    def call(text: str, *arguments: str) -> Any:
        for name, content in {"grid/own": text, "model/stack": json.dumps(MODEL)}.items():
            path = tmp_path / "yaml" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        path = f"hydra.searchpath=[file://{tmp_path / 'yaml'}]"
        return sweep_here(path, "+grid=own", "dry_run=true", *arguments)

    return call


def error_of(run: RunConfig) -> float:
    size, batch = run.model.depth * run.model.width**1.5, run.train.batch_size
    scatter = 0.001 * ((run.seed + size) % 2)
    return 0.5 * size**-0.2 * (batch / 16) ** 0.02 * 0.9 ** vars(run.model)["my_setting"] + scatter


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    execution = plain_execution(folder / "results", folder / "cache")
    return finished(execution, GRID, error_of, model=MODEL)


@pytest.fixture(scope="module")
def report(study: Path) -> Path:
    """The folder of the study's analysis, without pictures."""
    folder = study.parent / "figures"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.report.analyse.figures", lambda *_: [])
        analyse(study, folder, [])
    return folder


def test_the_plan_names_every_run_by_its_axes(plan_of: Command, tmp_path: Path) -> None:
    done = plan_of(YAML, "plan.out=plan.csv")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()[:9]
    assert head.split()[:3] == ["run", "name", "params"]
    names = [line.split()[1] for line in lines]
    assert len(set(names)) == 8
    assert names[0].endswith("-ms1-bs16-s0")
    assert names[-1] == names[0].replace("d1-", "d1.5-").replace("ms1-bs16", "ms3-bs128")
    rows = rows_of(tmp_path / "plan.csv")
    found = [(row["depth"], row["model.my_setting"], row["train.batch_size"]) for row in rows]
    assert found == [(d, k, b) for d in ("1.0", "1.5") for k in "13" for b in ("16", "128")]
    # A run's id is that of its config, in whichever grid it is.
    other = plan_of(YAML.replace("[1, 3]", "[3]").replace("labels", "# labels"))
    assert {line.split()[0] for line in other.stdout.splitlines()[1:5]} == {
        row["run_id"] for row in rows if row["model.my_setting"] == "3"
    }


def test_a_grid_without_own_axes_has_no_names(plan_of: Command) -> None:
    lines = [line for line in YAML.splitlines() if "[1, 3]" not in line and "batch" not in line]
    done = plan_of("\n".join(line for line in lines if "labels" not in line))
    assert done.stdout.split()[:2] == ["run", "params"], done.stderr


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("{depth: layers}", "grid.labels.depth='layers': must be about model.my_setting, train"),
        ("{train.batch_size: 3}", "grid.labels.train.batch_size=3: must be a text"),
        ("[a]", "grid.labels=['a']: must map axes to texts"),
    ],
)
def test_labels_that_are_refused(plan_of: Command, labels: str, said: str) -> None:
    done = plan_of(YAML.replace("{model.my_setting: kernel (px)}", labels))
    assert done.returncode == 2
    assert said in done.stderr


def test_the_map_of_a_studys_runs_tells_the_axes_apart(study: Path) -> None:
    seen = overview(study)
    console = Console(width=200, record=True, file=StringIO())
    console.print(view(seen))
    head, *rows = [line.rstrip() for line in console.export_text().splitlines()]
    assert head.split("  ")[0] == "depth × width × kernel (px)"
    assert head.split("  ")[-2:] == ["16 px, 2 ep, bs16", "16 px, 2 ep, bs128"]
    assert rows[0].split() == ["1", "×", "0.5", "×", "1", "●●", "●●"]
    assert rows[1].split()[:5] == ["1", "×", "0.5", "×", "3"]
    told = json.loads(seen.as_json())
    assert told["axes"] == {"model.my_setting": "kernel (px)", "train.batch_size": "batch size"}
    assert told["runs"][0]["settings"] == {"model.my_setting": "1", "train.batch_size": "16"}


@pytest.mark.slow
def test_the_report_has_the_axes(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    (line,) = (part for part in text.split("<script") if 'id="data"' in part)
    data = json.loads(line.partition(">")[2].partition("</script>")[0])
    assert data["own"] == [
        {"name": "model.my_setting", "label": "kernel (px)", "values": ["1", "3"]},
        {"name": "train.batch_size", "label": "batch size", "values": ["16", "128"]},
    ]
    headings = [axis["heading"] for axis in data["run_axes"]]
    assert headings == ["epochs", "px", "depth", "width", "kernel (px)", "batch size", "seed"]
    cell, run = data["cells"][0], data["runs"][0]
    assert cell["name"] == f"d{cell['depth']:g}-w{cell['width']:g}-r16-e2-ms{kernel(cell)}"
    assert run["name"].startswith("d1-w0.5-r16-e2-ms1-bs16-s")
    assert {(c["model.my_setting"], c["train.batch_size"]) for c in data["curves"]["flops"]} == {
        (k, b) for k in "13" for b in ("16", "128")
    }
    selections = {"all", "16", *(f"train.batch_size={b}" for b in (16, 128))}
    selections |= {f"model.my_setting={k}" for k in (1, 3)}
    assert set(data["frontiers"]["flops"]["2"]) == selections
    assert "<th>kernel (px)</th><th>batch size</th>" in text
    assert {row["setting"] for row in rows_of(report / "frontier.csv")} == SETTINGS


def test_figures_tell_the_axes_apart(study: Path) -> None:
    cells = StudyCells.of(table_of(read_study(study), {}).rows, {"depth": 1.0, "width": 0.5})
    with style():
        drawn = frontier(frontier_records(cells, "flops"))
        curves = arms(arm_records(cells, "flops"), {})
    (legend,) = drawn.legends
    assert {text.get_text() for text in legend.get_texts()} >= SETTINGS
    names = {text.get_text() for text in drawn.axes[0].texts}
    assert any(name.endswith((" ms1 bs16", " ms3 bs16")) for name in names)
    # An arm is a line at each setting, and the base of each says which.
    lines = [line for line in curves.axes[0].lines if len(line.get_xdata()) > 10]
    assert len(lines) == 2 * len(SETTINGS)
    assert {text.get_text() for text in curves.axes[0].texts} == SETTINGS


def kernel(cell: dict[str, Any]) -> str:
    return f"{cell['model.my_setting']}-bs{cell['train.batch_size']}"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
