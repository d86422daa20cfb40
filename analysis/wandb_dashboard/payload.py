"""What the dashboard sends of an analysis, read from the folder that it wrote."""

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.study.columns import Record
from analysis.wandb_dashboard import workspace

VERDICT_COLUMNS = ("rule", "verdict", "claim", "estimate", "ci_low", "ci_high", "epochs", "cost")


def images(output: Path) -> dict[str, Path]:
    """The figures, by the key under which the analysis run logs them."""
    return {f"figures/{path.stem}": path for path in sorted(output.glob("*.png"))}


def _frontier(output: Path) -> list[Record]:
    """The configurations on the frontiers, each once for every cost and regime."""
    return [row for row in _records(output / "frontier.csv") if row["on_frontier"] == "True"]


def costs(output: Path) -> list[str]:
    return list(dict.fromkeys(str(row["cost_axis"]) for row in _frontier(output)))


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
    """SHA-256 of everything that is sent."""
    paths = [output / "verdicts.json", *sorted(output.glob("*.csv")), *images(output).values()]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def content(output: Path, verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Figures, tables, charts of frontiers by cost and arms by regime, as W&B's own values."""
    import wandb

    content: dict[str, Any] = {
        key: wandb.Image(str(path), caption=path.stem.replace("_", " "))
        for key, path in images(output).items()
    }
    content["frontier"] = _table(_records(output / "frontier.csv"))
    rows = [{"rule": name, **verdict} for name, verdict in verdicts.items()]
    content["verdicts"] = _table([{k: row.get(k) for k in VERDICT_COLUMNS} for row in rows])
    for cost in costs(output):
        points = [row for row in _frontier(output) if row["cost_axis"] == cost]
        lines = _grouped(points, lambda row: f"{row['epochs']:g} epochs")
        content[workspace.FRONTIER_KEY.format(cost)] = _chart(lines, f"Frontiers over {cost}", cost)
    arms_csv = sorted(output.glob("arms_*.csv"))[:1]
    cells = [row for path in arms_csv for row in _records(path) if row["kind"] == "cell"]
    for epochs in sorted({int(row["epochs"]) for row in cells}):
        rows = [row for row in cells if row["epochs"] == epochs]
        arms = _grouped(rows, lambda row: f"{row['arm']}, {row['resolution']:g} px")
        title, cost = f"Arms at {epochs} epochs", str(rows[0]["cost_axis"])
        content[workspace.ARMS_KEY.format(epochs)] = _chart(arms, title, cost)
    return content


def _grouped(records: Sequence[Record], name: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Records of one name together, each group in the order of its costs."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record["cost"]):
        groups.setdefault(name(record), []).append(record)
    return groups


def _chart(lines: Mapping[str, Sequence[Record]], title: str, cost: str) -> Any:
    """Error over cost, a line for each name."""
    import wandb

    return wandb.plot.line_series(
        xs=[[row["cost"] for row in rows] for rows in lines.values()],
        ys=[[row["error"] for row in rows] for rows in lines.values()],
        keys=list(lines),
        title=title,
        xname=cost,
    )


def _table(records: Sequence[Record]) -> Any:
    import wandb

    columns: list[str | int] = list(records[0]) if records else []
    return wandb.Table(columns=columns, data=[list(record.values()) for record in records])
