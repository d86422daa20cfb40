"""`python -m analysis.dashboard RESULTS --entity E --project P`: a study's workspace in W&B.

The workspace shows the runs that tracking or `scaling_study.sync` sent. Figures, the frontier
table and verdicts go there as one run, `analysis-STUDY`.
"""

import argparse
import csv
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis import workspace
from analysis.__main__ import command as analyse
from analysis.cli import run
from analysis.records import Record
from scaling_study.errors import InputError
from scaling_study.results import read_plan, replace_file
from scaling_study.tracking import client
from scaling_study.tracking.client import Target, TrackingError, Upload
from scaling_study.tracking.mirror import DIGEST
from scaling_study.tracking.options import require_key, study_parser

TIMEOUT_S = 60
VERDICT_COLUMNS = ("rule", "verdict", "claim", "estimate", "ci_low", "ci_high", "epochs", "cost")


def _parser() -> argparse.ArgumentParser:
    parser = study_parser(
        "analysis.dashboard", "A W&B workspace for a study, and its analysis as one W&B run."
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="what `python -m analysis` wrote, or is to write; default: figures/STUDY",
    )
    return parser


def command(results: Path, output: Path | None, project: str, entity: str | None) -> list[str]:
    """Send the analysis and save the workspace; the lines to print.

    Raises:
        InputError: no study, no key, an analysis of another study, or W&B takes nothing.
    """
    plan = read_plan(results)
    study = results.resolve().name
    client.quiet_environment()
    require_key("dashboard")
    output = output or Path("figures") / study
    lines = [] if (output / "verdicts.json").is_file() else analyse(results, output, [])
    verdicts = _verdicts(output, study)
    epochs = sorted({int(row["epochs"]) for row in plan})
    try:
        client.require_answer()
        entity = entity or client.default_entity()
        url = _send(output, verdicts, Target(project, entity, study, (study,), "analysis"))
        images = [_image_key(path) for path in _figures(output)]
        saved = _save(results, workspace.build(entity, project, study, epochs, images))
    except TrackingError as error:
        raise InputError(f"W&B: {error}") from None
    return [*lines, f"analysis of {study}: {url}", f"workspace: {saved}"]


def _verdicts(output: Path, study: str) -> dict[str, Any]:
    try:
        content = json.loads((output / "verdicts.json").read_text(encoding="utf-8"))
        found, verdicts = content["study"], dict(content["verdicts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"-o {output}: holds no analysis ({error!r})") from None
    if found != study:
        raise InputError(f"-o {output}: that is the analysis of {found}, not of {study}")
    return verdicts


def _figures(output: Path) -> list[Path]:
    return sorted(output.glob("*.png"))


def _image_key(path: Path) -> str:
    return f"figures/{path.stem}"


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


def _digest(output: Path) -> str:
    """SHA-256 of everything that is sent."""
    paths = [output / "verdicts.json", *sorted(output.glob("*.csv")), *_figures(output)]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _send(output: Path, verdicts: Mapping[str, Any], target: Target) -> str:
    """The analysis as one run, unless W&B has this very one; where it can be seen."""
    run_id = f"analysis-{target.group}"
    digest = _digest(output)
    url = f"{client.app_url()}/{target.entity}/{target.project}/runs/{run_id}"
    found = client.known([run_id], target.project, target.entity).get(run_id)
    if found is not None and found.digest == digest:
        return url
    with tempfile.TemporaryDirectory(prefix="scaling_study_") as folder:
        upload = Upload.open(run_id, {"study": target.group}, target, Path(folder), TIMEOUT_S)
        upload.run.log(_content(output, verdicts))
        said = {f"verdict/{name}": verdict["verdict"] for name, verdict in verdicts.items()}
        upload.run.summary.update({**said, DIGEST: digest})
        upload.close(exit_code=0)
    return url


def _content(output: Path, verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Figures, tables, and a chart of the arms per regime, as W&B's own values."""
    import wandb

    content: dict[str, Any] = {
        _image_key(path): wandb.Image(str(path), caption=path.stem.replace("_", " "))
        for path in _figures(output)
    }
    content["frontier"] = _table(_records(output / "frontier.csv"))
    rows = [{"rule": name, **verdict} for name, verdict in verdicts.items()]
    content["verdicts"] = _table([{k: row.get(k) for k in VERDICT_COLUMNS} for row in rows])
    cells = [
        row
        for path in sorted(output.glob("arms_*.csv"))[:1]
        for row in _records(path)
        if row["kind"] == "cell"
    ]
    for epochs in sorted({int(row["epochs"]) for row in cells}):
        arms: dict[str, list[Record]] = {}
        for row in cells:
            if row["epochs"] == epochs:
                arms.setdefault(f"{row['arm']}, {row['resolution']:g} px", []).append(row)
        content[workspace.arms_key(epochs)] = wandb.plot.line_series(
            xs=[[row["cost"] for row in rows] for rows in arms.values()],
            ys=[[row["error"] for row in rows] for rows in arms.values()],
            keys=list(arms),
            title=f"Arms at {epochs} epochs",
            xname=str(cells[0]["cost_axis"]),
        )
    return content


def _table(records: Sequence[Record]) -> Any:
    import wandb

    columns: list[str | int] = list(records[0]) if records else []
    return wandb.Table(columns=columns, data=[list(record.values()) for record in records])


def _save(results: Path, built: Any) -> str:
    """Save the workspace, over the one that an earlier call saved; its address."""
    mark = results / "workspace.json"
    try:
        earlier = json.loads(mark.read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = None
    url = client.save_workspace(built, earlier)
    replace_file(mark, json.dumps({"url": url}) + "\n")
    return url


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    args = _parser().parse_args(arguments)
    return run(lambda: command(args.results, args.output, args.project, args.entity))


if __name__ == "__main__":
    sys.exit(main())
