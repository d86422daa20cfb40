"""What common random numbers do to contrasts: `python benchmarks/common_random_numbers.py`.

Trains grids twice, with `train.common_random_numbers` off and on, and prints for each contrast of
the grid's rules the variance between seeds of the contrast itself over that of independent cells,
which is the sum over cells of squared weights times each cell's own variance. A ratio below 1 says
that pairing by seed narrows the contrast; without common random numbers it is 1 but for chance.
A ratio from n seeds scatters: its 90 % interval, by the F distribution, stands beside it, and the
ratios of all contrasts are pooled. Cells that share much in one contrast share it in others too.

Words with `=` go to the sweeps, as 'grid.axes.epochs=[2,6]'. Nothing is asserted.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2, f

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if p != str(HERE))]

from analysis.rules.evidence import Evidence  # noqa: E402
from analysis.rules.preregistration import load_rules  # noqa: E402
from analysis.rules.registry import find_kind  # noqa: E402
from analysis.stats.contrast import Estimand  # noqa: E402
from analysis.study.errors import PreconditionError  # noqa: E402
from analysis.study.study_cells import StudyCells  # noqa: E402
from analysis.study.table import table_of  # noqa: E402
from scaling_study.common.device import device_name  # noqa: E402
from scaling_study.study.table import read_study  # noqa: E402

GRIDS = ("depth_vs_width", "additive_study")
# FLOPs do not depend on the load of the machine.
COST = "flops"


def swept(grid: str, common: bool, seeds: int, slots: int, more: Sequence[str]) -> Path:
    """The study of a grid, trained where results are still missing."""
    name = f"{grid}_{'common' if common else 'independent'}"
    numbers = ",".join(map(str, range(seeds)))
    command = [
        *(sys.executable, "-m", "scaling_study.sweep", f"+grid={grid}", f"grid.name={name}"),
        *(f"train.common_random_numbers={str(common).lower()}", f"grid.axes.seed=[{numbers}]"),
        *("measure.at_end=false", f"launcher.slots={slots}", *more),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Path("results") / name


def contrasts(study: Path) -> Iterator[tuple[str, dict[str, float], StudyCells]]:
    """Name and weights by config id of every contrast that the study's rules rest on."""
    loaded = read_study(study)
    table, prereg = table_of(loaded, {}), load_rules(None, loaded.grid)
    cells = StudyCells.of(table.rows, prereg.base)
    evidence, seen = Evidence(cells, prereg), set[frozenset[tuple[str, float]]]()
    for rule in prereg.rules:
        try:
            found = find_kind(rule.kind).contrasts(evidence, rule, Estimand(COST))
        except (PreconditionError, NotImplementedError):
            continue
        for gap in found:
            key = frozenset((name, round(abs(w), 9)) for name, w in gap.weights.items())
            if key not in seen:
                seen.add(key)
                yield rule.name, dict(gap.weights), cells


def ratio(weights: dict[str, float], cells: StudyCells) -> tuple[float, int]:
    """Variance between seeds of a contrast over that of independent cells, and its df."""
    used = [cell for cell in cells if cell.config_id in weights]
    errors = np.array([np.array(cell.errors) / cell.error for cell in used])
    w = np.array([weights[cell.config_id] for cell in used])
    own = (w**2) @ errors.var(axis=1, ddof=1)
    return float((w @ errors).var(ddof=1) / own), errors.shape[1] - 1


def measured(grid: str, common: bool, study: Path) -> list[dict[str, Any]]:
    """A record per contrast, printed."""
    found = []
    for name, weights, cells in contrasts(study):
        value, df = ratio(weights, cells)
        many = df * len(weights)
        low, high = value / f.ppf(0.95, df, many), value / f.ppf(0.05, df, many)
        found.append({"grid": grid, "common": common, "rule": name, "ratio": value, "df": df})
        kind = "common" if common else "independent"
        print(f"{grid:16} {kind:12} {name:16} {value:.2f} [{low:.2f}, {high:.2f}]", flush=True)
    return found


def pooled(records: Sequence[dict[str, Any]], common: bool) -> str:
    """Mean ratio over contrasts, as if these were independent; the interval is that of one."""
    own = [r for r in records if r["common"] is common]
    value, df = float(np.mean([r["ratio"] for r in own])), sum(r["df"] for r in own)
    low, high = value * df / chi2.ppf(0.95, df), value * df / chi2.ppf(0.05, df)
    kind = "common" if common else "independent"
    return (
        f"{kind}: mean ratio of {len(own)} contrasts {value:.2f} [{low:.2f}, {high:.2f}], "
        f"half widths x {math.sqrt(value):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", nargs="+", default=GRIDS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--slots", type=int, default=2, help="runs at a time")
    parser.add_argument("--folder", type=Path, help="where results stay; default: nowhere")
    parser.add_argument("-o", "--output", type=Path, help="write every number as JSON")
    args, more = parser.parse_known_args()
    output = args.output.resolve() if args.output else None
    environment = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parent), environment]))
    with tempfile.TemporaryDirectory() as folder:
        place = args.folder or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        os.chdir(place)
        records: list[dict[str, Any]] = []
        for grid in args.grids:
            for common in (False, True):
                study = swept(grid, common, args.seeds, args.slots, more)
                records += measured(grid, common, study)
        for common in (False, True):
            print(pooled(records, common))
        if output:
            record = {"device": device_name("cpu"), "seeds": args.seeds, "changes": more}
            output.write_text(json.dumps(record | {"contrasts": records}, indent=1) + "\n")
        os.chdir(HERE)


if __name__ == "__main__":
    main()
