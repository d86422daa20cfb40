"""Writes the store and the outputs that test_old_store.py compares with; see README.md."""

import argparse
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
USER, STORE, OUTPUTS = HERE / "user", HERE / "store.tar.gz", HERE / "outputs"
GRIDS = ("arms", "methods")
COMPARED = ("verdicts.json", "frontier.csv", "fits.json")
# Of the last digits of a sum the instruction set decides: only what every x86-64 machine of ten
# years has is used, by numpy, and by the OpenBLAS of numpy and scipy.
SAME_ARITHMETIC = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
}
# One cell each of the grid arms: as overrides that plan it alone.
INTERRUPTED = ("grid.points=[{depth: 14, width: 0.0625}]", "grid.axes.epochs=[8]")
FAILED = ("grid.points=[{depth: 26, width: 0.0625}]", "grid.axes.epochs=[4]")
PLANNED = ("grid.points=[{depth: 14, width: 0.125}]", "grid.axes.epochs=[4]")
# Not the study's own name: a study is what its last sweep planned.
ALONE = (
    "grid.name=alone",
    "grid.axes.seed=[2]",
    "~grid.planning",
    "~grid.rules",
    "launcher.slots=1",
    "checkpoint.every_s=0",
)


def sweep(grid: str, *overrides: str) -> list[str]:
    """The command that plans or trains a grid of `user/conf`."""
    start = [sys.executable, "-m", "scaling_study.sweep", "--config-dir", "conf"]
    return [*start, f"+grid={grid}", *overrides]


def status(grid: str) -> list[str]:
    """The command that says how a study stands."""
    return [sys.executable, "-m", "scaling_study.status", f"results/{grid}", "--json"]


def run(folder: Path, command: list[str], code: int = 0) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it did not end with `code`.
    """
    done = subprocess.run(
        command, cwd=folder, env=os.environ | SAME_ARITHMETIC, capture_output=True, text=True
    )
    if done.returncode != code:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def run_dir(folder: Path, cell: tuple[str, ...]) -> Path:
    """The folder of a cell's run in the store."""
    run(folder, sweep("arms", *cell, *ALONE, "dry_run=true", "plan.out=alone.csv"))
    (row,) = (folder / "alone.csv").read_text(encoding="utf-8").splitlines()[1:]
    return folder / "results/runs" / row.split(",")[0]


def epochs_done(run: Path) -> int:
    """Epochs in a run's metrics; none before there is a checkpoint."""
    metrics = run / "metrics.jsonl"
    there = metrics.exists() and (run / "checkpoint.pt").exists()
    return len(metrics.read_text(encoding="utf-8").splitlines()) if there else 0


def interrupt(folder: Path) -> None:
    """Train a cell again and stop it half-way, as Ctrl-C does."""
    lost = run_dir(folder, INTERRUPTED)
    shutil.copy(lost / "result.json", OUTPUTS / "not_interrupted.json")
    shutil.rmtree(lost)
    process = subprocess.Popen(
        sweep("arms", *INTERRUPTED, *ALONE), cwd=folder, start_new_session=True
    )
    while epochs_done(lost) < 4:
        if process.poll() is not None:
            sys.exit("the run ended before it could be interrupted; try again")
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    if process.wait() != 130 or (lost / "result.json").exists():
        sys.exit("the run was not interrupted in time; try again")
    (lost / "checkpoint.prev.pt").unlink(missing_ok=True)


def write_results(folder: Path) -> None:
    """Both studies, trained; then one run lost, one failed, one interrupted."""
    for grid in GRIDS:
        run(folder, sweep(grid))
    shutil.rmtree(run_dir(folder, PLANNED))
    shutil.rmtree(run_dir(folder, FAILED))
    run(folder, sweep("arms", *FAILED, *ALONE, "launcher.memory_gb=0.01"), code=1)
    interrupt(folder)
    shutil.rmtree(folder / "results/alone")
    for path in folder.glob("results/runs/*/job.json"):
        note = json.loads(path.read_text(encoding="utf-8"))
        for attempt in (note, *note["attempts"]):
            attempt |= {key: "host" for key in ("host", "node") if key in attempt}
        path.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def pack(folder: Path, store: Path) -> None:
    """The results in a folder as a file that is the same whoever writes it."""
    with (
        store.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        tar.add(folder / "results", "results", filter=without_owner)


def device(folder: Path) -> str:
    """The device of the store's results, as an override: plans go by its times everywhere."""
    path = next(folder.glob("results/runs/*/result.json"))
    return f"plan.device='{json.loads(path.read_text(encoding='utf-8'))['device']}'"


def write_plan(folder: Path, grid: str) -> None:
    run(folder, sweep(grid, device(folder), "dry_run=true", "plan.out=plan.csv"))
    (OUTPUTS / grid).mkdir(exist_ok=True)
    shutil.copy(folder / "plan.csv", OUTPUTS / grid / "plan.csv")


def write_outputs(folder: Path) -> None:
    """What this version makes of the store: analyses, plans, status."""
    for grid in GRIDS:
        out = OUTPUTS / grid
        out.mkdir(exist_ok=True)
        run(folder, [sys.executable, "-m", "analysis", f"results/{grid}", "-o", "figures"])
        for name in COMPARED:
            shutil.copy(folder / "figures" / name, out / name)
        write_plan(folder, grid)
        (out / "status.json").write_text(run(folder, status(grid)), encoding="utf-8")
    write_plan(folder, "own_family")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder to work in")
    parser.add_argument("--outputs", action="store_true", help="keep the store, write its outputs")
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.copytree(USER, folder, dirs_exist_ok=True)
    OUTPUTS.mkdir(exist_ok=True)
    if options.outputs:
        with tarfile.open(STORE) as tar:
            tar.extractall(folder, filter="data")
    else:
        write_results(folder)
        pack(folder, STORE)
    write_outputs(folder)


if __name__ == "__main__":
    main()
