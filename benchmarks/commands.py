"""`python benchmarks/commands.py`: how long a user waits for help, a status and a plan.

CPU seconds of whole processes, the least of some rounds in which the commands take turns, so that
what else the machine does changes little. The ratio is the target over that: above 1 is within it.
`--against PATH` runs a checkout of another version beside, with its `python -m` spellings.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from scaling_study.common.paths import PACKAGE
from scaling_study.study.axes import AXES
from scaling_study.study.result import Result

# Seconds on an idle machine.
TARGETS = {"help": 0.5, "help of a command": 0.5, "status of 30 runs": 0.5, "plan": 1.2}
STATUS = ("results/bench",)
PLAN = ("+grid=depth_vs_width",)
COMMANDS = {
    "help": ("scaling_study", "--help"),
    "help of a command": ("scaling_study", "report", "--help"),
    "status of 30 runs": ("scaling_study", "status", *STATUS),
    "plan": ("scaling_study", "plan", *PLAN),
}
BEFORE = {
    "help": ("scaling_study.sweep", "--help"),
    "help of a command": ("analysis", "--help"),
    "status of 30 runs": ("scaling_study.status", *STATUS),
    "plan": ("scaling_study.sweep", *PLAN, "dry_run=true"),
}
RUNS = 30


def write_study(folder: Path) -> None:
    """A finished study of `RUNS` made-up runs."""
    run = Result(
        **{"run_id": "", "config_id": "made-up", "status": "ok", "data": "none", "family": "none"},
        **{"depth": 14.0, "width": 1.0, "resolution": 16, "epochs": 4, "seed": 0},
        **{"recipe": "none", "batch_size": 32, "lr": 0.1, "params": 10, "flops": 10},
        **{"activations": 10, "train_flops": 100, "precision": "fp32", "n_train": 10, "n_val": 10},
        eval_split="test",
        val_error=0.5,
        wall_s=1.0,
    )
    study = folder / "results" / "bench"
    study.mkdir(parents=True)
    columns = ("run_id", "train_flops", *(axis.name for axis in AXES))
    with (study / "plan.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for seed in range(RUNS):
            this = replace(run, run_id=f"made-up-s{seed}", seed=seed)
            writer.writerow([getattr(this, name) for name in columns])
            run_dir = study.parent / "runs" / this.run_id
            run_dir.mkdir(parents=True)
            (run_dir / "result.json").write_text(json.dumps(asdict(this)))


def cpu_seconds(command: Sequence[str], folder: Path, code: Path) -> float:
    """CPU seconds of one process, the start of Python included."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(
    versions: Mapping[str, tuple[Mapping[str, Sequence[str]], Path]], rounds: int
) -> dict[str, dict[str, float]]:
    """Least CPU seconds of every command of every version."""
    found: dict[str, dict[str, list[float]]] = {version: {} for version in versions}
    with tempfile.TemporaryDirectory() as name:
        write_study(Path(name))
        for _ in range(rounds + 1):  # the first compiles modules
            for version, (commands, code) in versions.items():
                for what, command in commands.items():
                    seconds = cpu_seconds(command, Path(name), code)
                    found[version].setdefault(what, []).append(seconds)
    return {v: {what: min(s[1:]) for what, s in times.items()} for v, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    args = parser.parse_args()
    versions: dict[str, tuple[Mapping[str, Sequence[str]], Path]]
    versions = {"now": (COMMANDS, PACKAGE.parent)}
    if args.against:
        versions["other"] = (BEFORE, args.against.resolve())
    found = least(versions, args.rounds)
    for what, target in TARGETS.items():
        now = found["now"][what]
        line = f"{what:18} {now:.2f} s of CPU, target {target:g} s: ratio {target / now:.1f}"
        if args.against:
            before = found["other"][what]
            line += f"; the other version {before:.2f} s, ratio {before / now:.1f}"
        print(line)


if __name__ == "__main__":
    main()
