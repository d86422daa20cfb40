"""Studies as a sweep leaves them, made without training."""

import json
from dataclasses import asdict
from pathlib import Path

import yaml

from scaling_study.cost import describe
from scaling_study.plan import Planned, write_csv
from scaling_study.results import Result, write_result
from tiny import tiny

EPOCHS = 4


def finished_run(run_dir: Path, seed: int) -> Planned:
    """The folder of a run with one line an epoch, one within, the evaluation, and a result."""
    run = tiny(seed=seed, **{"train.epochs": EPOCHS})
    run_dir = run_dir / run.run_id
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.yaml").write_text(yaml.safe_dump(asdict(run)), encoding="utf-8")
    rows = [{"step": 8 * e, "epoch": e, "loss": 2.0 / e, "lr": 0.1} for e in range(1, EPOCHS + 1)]
    rows.insert(1, {"step": 12, "epoch": 1.5, "loss": 1.5, "lr": 0.1})
    rows.append({"step": 8 * EPOCHS, "epoch": EPOCHS, "val_error": 0.25, "train_error": 0.125})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (run_dir / "metrics.jsonl").write_text(lines, encoding="utf-8")
    columns = describe(run)
    write_result(
        run_dir,
        Result(**columns, status="ok", val_error=0.25, train_error=0.125, step_time_s=0.01),
    )
    return Planned(run, columns, None, "ok")


def study(results_dir: Path, name: str, runs: int) -> Path:
    """A study of that many finished runs that differ in their seed."""
    rows = [finished_run(results_dir / "runs", seed) for seed in range(runs)]
    write_csv(rows, results_dir / name / "plan.csv")
    return results_dir / name
