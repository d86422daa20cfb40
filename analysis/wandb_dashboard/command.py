"""What `python -m analysis.dashboard` does: analyse a study, and send what was found to W&B."""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.report.command import command as analyse
from analysis.study.columns import own_axes
from analysis.study.measure import description_of, measure_of
from analysis.wandb_dashboard import payload, workspace
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.reading import read_json
from scaling_study.config.tracking import require_key, tag_of
from scaling_study.study.table import read_grid, read_plan
from scaling_study.tracking import wandb_client
from scaling_study.tracking.payload import DIGEST
from scaling_study.tracking.wandb_client import Target, TrackingError, Upload

TIMEOUT_S = 60


def command(args: argparse.Namespace) -> list[str]:
    """Analyse a study, send what was found, and save the workspace; the lines to print.

    It is analysed anew every time: the runs on disk may be more than those of the last analysis.

    Raises:
        InputError: no study, no key, an analysis of another study, or W&B takes nothing.
    """
    results: Path = args.results
    plan, study = read_plan(results), results.resolve().name
    output = args.output or Path("figures") / study
    wandb_client.quiet_environment()
    require_key("dashboard")
    if (found := _read(output / "verdicts.json").get("study", study)) != study:
        raise InputError(f"-o {output}: that is the analysis of {found}, not of {study}")
    epochs = sorted({int(row["epochs"]) for row in plan})
    try:
        wandb_client.require_answer()
        entity, project = args.entity or wandb_client.default_entity(), args.project
        names = ("with_halved", "anchor", "details", "formats")
        more = {name: getattr(args, name) for name in names}
        lines = analyse(results, output, args.where, args.published, **more)
        if not (verdicts := _read(output / "verdicts.json").get("verdicts")):
            raise InputError(f"{results}: nothing to send; {lines[-1]}")
        url = _send(output, verdicts, Target(project, entity, study, (tag_of(study),), "analysis"))
        grid = read_grid(results)
        column, own = description_of(grid).outcome, own_axes(grid)
        costs, images = payload.costs(output), [*payload.images(output)]
        panels = workspace.sections(epochs, costs, images, own, (column, measure_of(grid)))
        built = workspace.build(entity, project, study, tag_of(study), panels, own, column)
        saved = _save(results, built)
    except TrackingError as error:
        raise InputError(f"W&B: {error}") from None
    return [*lines, f"analysis of {study}: {url}", f"workspace: {saved}"]


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; empty if there is none that can be read."""
    return dict(read_json(path, {}))


def _send(output: Path, verdicts: Mapping[str, Any], target: Target) -> str:
    """The analysis as one run, unless W&B has this very one; where it can be seen."""
    run_id = f"analysis-{target.tags[0]}"
    digest = payload.digest(output)
    url = f"{wandb_client.app_url()}/{target.entity}/{target.project}/runs/{run_id}"
    found = wandb_client.stored_runs([run_id], target.project, target.entity).get(run_id)
    if found is not None and found.digest == digest:
        return url
    with tempfile.TemporaryDirectory(prefix="scaling_study_") as folder:
        upload = Upload.open(run_id, {"study": target.group}, target, Path(folder), TIMEOUT_S)
        upload.run.log(payload.content(output, verdicts))
        values = {f"verdict/{name}": verdict["verdict"] for name, verdict in verdicts.items()}
        upload.run.summary.update({**values, DIGEST: digest})
        upload.close(exit_code=0)
    return url


def _save(results: Path, built: Any) -> str:
    """Save the workspace, over the one that an earlier call saved; its address."""
    path = results / "workspace.json"
    url = wandb_client.save_workspace(built, _read(path).get("url"))
    replace_file(path, json.dumps({"url": url}) + "\n")
    return url
