"""`python benchmarks/plan.py`: how fast plans are, beside Hydra's own multirun composition.

Expanding, costing, hashing and matching with the store are timed in this process; a sweep that has
nothing left to do is timed as a user starts it, process start included. Stores are filled with
made-up results in a temporary folder. `--quick` leaves out the largest sizes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
import yaml

from scaling_study.common.paths import data_dir
from scaling_study.config.hydra_app import composed
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.planning.plan import plan, planned_cells
from scaling_study.study.result import Result
from scaling_study.study.store import Store

# Values of width, resolution, epochs and seed beside the five depths, by number of cells.
SIZES = {1000: (10, 5, 4, 1), 10_000: (10, 10, 5, 4), 100_000: (20, 10, 10, 10)}
DEPTHS = [14, 26, 38, 50, 101]
# Hydra's multirun is extrapolated from this many compositions: a thousand take minutes.
COMPOSED = 30


def grid(cells: int) -> dict[str, Any]:
    """A grid of so many cells."""
    widths, resolutions, epochs, seeds = SIZES[cells]
    axes = {
        "depth": DEPTHS,
        "width": [0.125 * (i + 1) for i in range(widths)],
        "resolution": [16 * (i + 1) for i in range(resolutions)],
        "epochs": [5 * (i + 1) for i in range(epochs)],
        "seed": list(range(seeds)),
    }
    return {"name": f"bench{cells}", "axes": axes}


def timed_plan(values: dict[str, Any], cells: int, store: Store) -> tuple[float, list[Cell]]:
    """Seconds to expand, cost, hash and match a grid."""
    start, cpu = time.perf_counter(), time.process_time()
    times = Times([], 1)
    _, found, _ = planned_cells({**values, "grid": grid(cells)}, [], times)
    rows = plan(found, store, store.read(), times)
    assert len(rows) == cells
    print(f"[{time.process_time() - cpu:.2f} s of CPU]", end=" ")
    return time.perf_counter() - start, found


def fill(store: Store, cells: Sequence[Cell]) -> None:
    """Give every cell a finished result."""
    for number, cell in enumerate(cells):
        result = Result(
            **describe(cell.run),
            status="ok",
            device="cpu: made up",
            threads=1,
            world_size=1,
            val_error=0.5,
            train_error=0.4,
            val_loss=1.0,
            step_time_s=0.01 + 1e-6 * number,
            wall_s=10.0,
            versions={"torch": "made up"},
        )
        folder = store.run_dir(cell.run.run_id)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(asdict(result), indent=1), "utf-8")


def no_op(cells: int, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the sweep's command when all of its runs are finished."""
    file = folder / "grids" / "grid" / "bench.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\n" + yaml.safe_dump({"grid": grid(cells)}), "utf-8")
    command = [sys.executable, "-m", "scaling_study.sweep", "+grid=bench", f"results_dir={folder}"]
    command += [f"cache_dir={folder}/cache", f"hydra.searchpath=[file://{folder}/grids]"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_before = before.ru_utime + before.ru_stime
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    assert f"{cells} ok" in done.stdout, done.stdout[-2000:]
    return seconds, used.ru_utime + used.ru_stime - cpu_before


def hydras_multirun() -> float:
    """Seconds that Hydra takes to compose one job's config, as its multirun does for each."""
    from hydra.core.global_hydra import GlobalHydra

    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        loader = GlobalHydra.instance().hydra
        assert loader is not None
        start = time.perf_counter()
        for number in range(COMPOSED):
            loader.compose_config(
                config_name="sweep",
                overrides=[f"model.width={0.125 * (number + 1)}", f"seed={number}"],
                run_mode=hydra.types.RunMode.MULTIRUN,
            )
        return (time.perf_counter() - start) / COMPOSED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest sizes")
    quick = parser.parse_args().quick
    values = composed("sweep", [])
    with tempfile.TemporaryDirectory() as folder:
        for cells in (1000,) if quick else (1000, 10_000):
            store = Store(Path(folder) / str(cells))
            seconds, found = timed_plan(values, cells, store)
            print(f"{cells:,} cells expanded, costed, hashed, matched: {seconds:.2f} s")
            fill(store, found)
            wall, cpu = no_op(cells, store.root.parent)
            print(f"finished {cells:,}-run sweep, process start included: {wall:.2f} s", end=" ")
            print(f"({cpu:.2f} s of CPU)")
        if not quick:
            seconds, _ = timed_plan(values, 100_000, store)
            print(f"100,000 cells beside a store of 10,000 runs: {seconds:.2f} s")
    per_job = hydras_multirun()
    print(
        f"Hydra's multirun composes a job in {1e3 * per_job:.1f} ms: 1,000 in {1e3 * per_job:.0f} s"
    )


if __name__ == "__main__":
    main()
