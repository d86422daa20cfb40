"""Learning curves of cells: errors while training, means over the seeds that measured them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.study.arms import arm_of
from analysis.study.columns import TABLE_AXES, Record
from analysis.study.study_cells import StudyCells
from scaling_study.study.learning_curves import curve_in

# What is shown of a curve; `gap` is validation minus training error.
SHOWN = ("val_error", "val_error_raw", "train_error", "train_error_raw")


def curve_records(
    cells: StudyCells, rows: Iterable[Mapping[str, Any]], runs_dir: Path
) -> list[Record]:
    """A record per cell and epoch that all of its seeds have evaluated, shortest regime first.

    Errors are fractions, of averaged weights and, where these differ, of raw ones. A seed that was
    stopped early ends the curve of its cell. Empty where no run was evaluated while it trained.
    """
    seeds: dict[str, list[dict[float, Record]]] = defaultdict(list)
    for row in rows:
        found = curve_in(runs_dir / str(row["run_id"]))
        seeds[str(row["config_id"])].append({point["epoch"]: point for point in found})
    base, records = cells.base(), list[Record]()
    for cell in cells:
        curves = seeds.get(cell.config_id) or [{}]
        for at in sorted(set.intersection(*(set(curve) for curve in curves))):
            points = [curve[at] for curve in curves]
            means = {
                name: float(np.mean([p[name] for p in points]))
                for name in SHOWN
                if all(name in p for p in points)
            }
            if "train_error" in means:
                means["gap"] = means["val_error"] - means["train_error"]
            records.append(
                {axis.name: getattr(cell, axis.name) for axis in TABLE_AXES}
                | {"arm": arm_of(cell, base) or "neither", "config_id": cell.config_id}
                | {"seeds": len(points), "at_epoch": at, **means}
            )
    return records
