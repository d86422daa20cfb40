"""How fast the analysis is: `python benchmarks/analysis.py [-o FILE.json]`.

Frontiers of a million points, ours beside moocore (and pymoo, where it can be imported), all in
one run and interleaved; then the whole report of a synthetic study of 500 runs that lie on disk
as a sweep leaves them, in a process of its own. Medians of repeats; nothing is asserted.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# This file bears the name of the package it measures.
sys.path[:] = [str(ROOT), str(ROOT / "tests"), *(p for p in sys.path if p != str(HERE))]

import numpy as np  # noqa: E402

POINTS = 1_000_000
TARGET_FRONTIER_S, TARGET_REPORT_S = 0.3, 30.0
Finder = Callable[[Any], Any]


def clouds(points: int) -> dict[str, tuple[Any, Any]]:
    """Cost and error: scattered above a power law, uniform, and all on one frontier."""
    generator = np.random.default_rng(0)
    cost = np.exp(generator.normal(0, 1.5, points))
    above = np.exp(np.abs(generator.normal(0, 0.1, points)))
    x = generator.random(points)
    return {
        "cloud like ours": (cost, (0.1 + 0.5 * cost**-0.2) * above),
        "uniform": (generator.random(points), generator.random(points)),
        "all non-dominated": (x, 1 - x),
    }


def finders() -> dict[str, Finder]:
    """Each library's way to the frontier of two columns; each gets them laid out as it likes."""
    import moocore

    from analysis.stats.pareto import on_frontier

    found: dict[str, Finder] = {
        "ours": lambda points: on_frontier(*points),
        "moocore": lambda points: moocore.is_nondominated(points, keep_weakly=True),
    }
    try:
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
    except ImportError:
        print("pymoo cannot be imported: not measured")
    else:
        sort = NonDominatedSorting()
        found["pymoo"] = lambda points: sort.do(points, only_non_dominated_front=True)
    return found


def frontiers(points: int, repeats: int) -> list[dict[str, Any]]:
    """Median seconds of each library on each cloud; libraries take turns."""
    libraries, rows = finders(), []
    for name, columns in clouds(points).items():
        matrix = np.column_stack(columns)
        times: dict[str, list[float]] = {}
        sizes: dict[str, int] = {}
        for _ in range(repeats):
            for library, find in libraries.items():
                start = time.perf_counter()
                result = find(columns if library == "ours" else matrix)
                times.setdefault(library, []).append(time.perf_counter() - start)
                sizes[library] = int(np.sum(result)) if result.dtype == bool else len(result)
        if sizes["ours"] != sizes["moocore"]:
            raise SystemExit(f"{name}: frontiers of different size {sizes}")
        seconds = {library: median(t) for library, t in times.items()}
        ratios = {k: v / seconds["ours"] for k, v in seconds.items() if k != "ours"}
        rows.append({"points": name, "front": sizes["ours"], "median_s": seconds, "ratio": ratios})
    return rows


def write_runs(root: Path) -> Path:
    """A study of 100 cells and 5 seeds: depth x width x epochs around a power law."""
    from dataclasses import replace

    from helpers.made_up_results import run
    from helpers.study import write_study

    generator = np.random.default_rng(1)
    results = []
    for depth in (14, 26, 50, 74, 98):
        for width in (0.25, 0.5, 0.75, 1.0, 1.5):
            for epochs in (5, 10, 20, 40):
                for seed in range(5):
                    first = run(depth, width, epochs, seed, 0.5)
                    error = 0.05 + 0.4 * (first.flops / 1e7) ** -0.2 * epochs**-0.15
                    error *= 1 - 0.01 * np.log(depth / 14) * np.log(epochs / 15)
                    error = float(error + generator.normal(0, 0.003))
                    results.append(replace(first, val_error=error, train_error=error / 2))
    return write_study(root, results)


def report(repeats: int) -> dict[str, Any]:
    """Wall time and peak memory of `python -m analysis` on the synthetic study."""
    with tempfile.TemporaryDirectory() as folder:
        study, figures = write_runs(Path(folder)), Path(folder) / "figures"
        command = [sys.executable, "-m", "analysis", str(study), "-o", str(figures)]
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            times.append(time.perf_counter() - start)
            if done.returncode:
                raise SystemExit(f"the report failed ({done.returncode}): {done.stderr[-2000:]}")
        files = sorted(path.name for path in figures.iterdir())
    # Kibibytes on Linux, bytes on macOS; the largest of the children.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "runs": 500,
        "median_s": median(times),
        "times_s": times,
        "peak_bytes": peak,
        "files": files,
    }


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in ("numpy", "moocore")}
        | {"python": platform.python_version()},
    }


def processor() -> str:
    """The processor's name where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "unknown")


def show(rows: list[dict[str, Any]], study: dict[str, Any] | None) -> None:
    """The table, with how much longer others take than ours."""
    others = list(rows[0]["ratio"])
    head = "".join(f"{name + ' s':>12}{'/ ours':>8}" for name in others)
    print(f"{'2-D frontier of ' + f'{POINTS:,}':<32}{'front':>9}{'ours s':>9}{head}")
    for row in rows:
        seconds = row["median_s"]
        rest = "".join(f"{seconds[k]:>12.3f}{row['ratio'][k]:>8.2f}" for k in others)
        print(f"{row['points']:<32}{row['front']:>9}{seconds['ours']:>9.3f}{rest}")
    print(f"target: ours at most {TARGET_FRONTIER_S} s, ratios at least 1")
    if study:
        print(
            f"report of {study['runs']} runs: {study['median_s']:.1f} s, peak "
            f"{study['peak_bytes'] / 2**20:.0f} MiB (target: under {TARGET_REPORT_S:.0f} s)"
        )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="How fast the analysis is, beside its peers.")
    parser.add_argument("--repeats", type=int, default=7, help="of each frontier (default 7)")
    parser.add_argument("--reports", type=int, default=3, help="of the report; 0 skips it")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    rows = frontiers(POINTS, args.repeats)
    study = report(args.reports) if args.reports else None
    show(rows, study)
    if args.output:
        content = {"machine": machine(), "frontiers": rows, "report": study}
        args.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
