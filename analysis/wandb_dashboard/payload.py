"""What the dashboard sends of an analysis, read from the folder that it wrote."""

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from analysis.study.columns import ALL_COST_NAMES, Record
from analysis.study.measure import Measure

VERDICT_COLUMNS = ("rule", "verdict", "claim", "estimate", "ci_low", "ci_high", "epochs", "cost")
# Under which the analysis run logs the page, and what its files are called as an artifact.
PAGE_KEY = "report"
# Files of an analysis that go along with its figures and their numbers.
FILES = ("report.html", "answer.json", "verdicts.json", "fits.json")
FORMATS = ("csv", "pdf", "png", "svg")


@dataclass(frozen=True)
class Chart:
    """Outcome over cost, a line for each name, as the analysis run logs it under `key`."""

    key: str
    title: str
    cost: str
    lines: Mapping[str, Sequence[Record]]


def images(output: Path) -> dict[str, Path]:
    """The figures, by the key under which the analysis run logs them."""
    return {f"figures/{path.stem}": path for path in sorted(output.glob("*.png"))}


def charts(output: Path, measure: Measure) -> list[Chart]:
    """The frontiers over each cost, a line for each length of training, then the arms at each."""
    records = [row for row in frontier(output) if row["on_frontier"] == "True"]
    found = []
    for cost in dict.fromkeys(str(row["cost_axis"]) for row in records):
        points = [row for row in records if row["cost_axis"] == cost]
        lines = _grouped(points, lambda row: measure.at(int(row["epochs"])))
        words = _cost(cost)
        found.append(Chart(f"frontiers/{cost}", f"Frontiers over {words}", words, lines))
    paths = sorted(output.glob("arms_*.csv"))[:1]
    cells = [row for path in paths for row in _records(path) if row["kind"] == "cell"]
    for epochs in sorted({int(row["epochs"]) for row in cells}):
        rows = [row for row in cells if row["epochs"] == epochs]
        lines = _grouped(rows, lambda row: f"{row['arm']}, {row['resolution']:g} px")
        title, words = f"Arms at {measure.at(epochs)}", _cost(str(rows[0]["cost_axis"]))
        found.append(Chart(f"arms/{epochs} epochs", title, words, lines))
    return found


def frontier(output: Path) -> list[Record]:
    """A record for every configuration, replicates together, at each cost: those on a frontier
    and the others."""
    return _records(output / "frontier.csv")


def _cost(name: str) -> str:
    return ALL_COST_NAMES.get(name, name.replace("_", " "))


def _records(path: Path) -> list[Record]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: _number(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def digest(output: Path) -> str:
    """SHA-256 of all numbers and figures that are sent, and of what else is: the page repeats
    them, and has the time at which it was written."""
    paths = [output / "verdicts.json", *sorted(output.glob("*.csv")), *images(output).values()]
    digest = hashlib.sha256(PAGE_KEY.encode())
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def files(output: Path) -> dict[str, Path]:
    """The page, verdicts, fits, figures in every format and their numbers, by name."""
    paths = [output / name for name in FILES]
    for kind in FORMATS:
        paths += sorted(output.glob(f"*.{kind}"))
    return {path.name: path for path in paths if path.is_file()}


def content(
    output: Path, verdicts: Mapping[str, Any], shown: Sequence[Chart], measure: Measure
) -> dict[str, Any]:
    """Page, figures, tables and charts, as W&B's own values."""
    import wandb

    content: dict[str, Any] = {
        key: wandb.Image(str(path), caption=_title(path)) for key, path in images(output).items()
    }
    content[PAGE_KEY] = wandb.Html(str(output / "report.html"), inject=False)
    if records := frontier(output):
        content["frontier"] = _table(records)
    rows = [{"rule": name, **verdict} for name, verdict in verdicts.items()]
    content["verdicts"] = _table([{k: row.get(k) for k in VERDICT_COLUMNS} for row in rows])
    for chart in shown:
        content[chart.key] = wandb.plot.line_series(
            xs=[[row["cost"] for row in rows] for rows in chart.lines.values()],
            ys=[[row["error"] for row in rows] for rows in chart.lines.values()],
            keys=list(chart.lines),
            title=f"{chart.title}: {measure.label}",
            xname=chart.cost,
        )
    return content


def _title(png: Path) -> str:
    """The caption that is in a figure's file."""
    with Image.open(png) as image:
        return str(image.info.get("Title") or png.stem.replace("_", " "))


def _grouped(records: Sequence[Record], name: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Records of one name together, each group in the order of its costs."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record["cost"]):
        groups.setdefault(name(record), []).append(record)
    return groups


def _table(records: Sequence[Record]) -> Any:
    import wandb

    columns: list[str | int] = list(records[0])
    return wandb.Table(columns=columns, data=[list(record.values()) for record in records])
