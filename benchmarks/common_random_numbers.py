"""What common random numbers do to contrasts: `python benchmarks/common_random_numbers.py`.

Trains grids with `train.common_random_numbers`, and with fewer seeds or none (`--independent`)
without it, and prints a Markdown table. For each contrast of cells that the grid's rules rest on:
its variance between seeds where runs of equal seed share their numbers, over that of independent
cells, which is the sum over cells of squared weights times a cell's own variance, from all its
runs. Below 1 pairing by seed narrows the contrast. The 90 % interval is that of a ratio of two
variances of normal variables (F; degrees of freedom of the sum by Satterthwaite); with five seeds
it is wide, and a little wider than it need be, because both variances are of the same runs. The
last column is what pairing does to the contrast's half width: the root of the ratio, times the
quantile of t with n - 1 degrees of freedom over that of n - 1 for each cell.

A row for all cells of a grid has one minus their correlation within seeds, which is the ratio of
any contrast of cells that scatter and correlate alike.

Words with `=` go to the sweeps, as 'grid.axes.epochs=[2,6]'. Nothing is asserted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f, t

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if p != str(HERE))]

from analysis.rules.evidence import Evidence  # noqa: E402
from analysis.rules.preregistration import load_rules  # noqa: E402
from analysis.rules.registry import find_kind  # noqa: E402
from analysis.stats.contrast import Estimand  # noqa: E402
from analysis.study.cells import Cell  # noqa: E402
from analysis.study.errors import PreconditionError  # noqa: E402
from analysis.study.study_cells import StudyCells  # noqa: E402
from analysis.study.table import table_of  # noqa: E402
from scaling_study.common.device import device_name  # noqa: E402
from scaling_study.study.table import read_study  # noqa: E402

# Grids, and what of them is trained: of slow_resolution a cut, on the images of data=fractals.
GRIDS: dict[str, tuple[str, ...]] = {
    "depth_vs_width": (),
    "slow_resolution": (
        *("data=fractals", "train.batch_size=32", "precision=auto"),
        "grid.axes.resolution=[16,32,48]",
        "grid.points=[{depth: 14, epochs: 2}]",
        "grid.solve.width={train_flops: [1.0e+11], tolerance: 0.08}",
    ),
}
# FLOPs do not depend on the load of the machine.
COST = "flops"
# Of 90 % intervals.
TAILS = (0.95, 0.05)
ALL = "all cells"
Floats = NDArray[np.float64]


def swept(grid: str, common: bool, seeds: int, slots: int, more: Sequence[str]) -> Path:
    """The study of a grid, trained where results are still missing."""
    name = f"{grid}_{'common' if common else 'independent'}"
    numbers = ",".join(map(str, range(seeds)))
    command = [
        *(sys.executable, "-m", "scaling_study.sweep", f"+grid={grid}", f"grid.name={name}"),
        *(f"train.common_random_numbers={str(common).lower()}", f"grid.axes.seed=[{numbers}]"),
        # Every cell has every seed, whatever the grid spares.
        *("++grid.where=[]", "measure.at_end=false", f"launcher.slots={slots}", *more),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Path("results") / name


def contrasts(study: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Rule and weights, by the cell's name, of every contrast that the study's rules rest on."""
    loaded = read_study(study)
    prereg, cells = load_rules(None, loaded.grid), cells_of(study)
    names = {cell.config_id: cell.name for cell in cells}
    evidence, seen = Evidence(cells, prereg), set[frozenset[tuple[str, float]]]()
    for rule in prereg.rules:
        try:
            found = find_kind(rule.kind).contrasts(evidence, rule, Estimand(COST))
        except (PreconditionError, NotImplementedError):
            continue
        for gap in found:
            weights = {names[k]: w for k, w in gap.weights.items() if abs(w) > 1e-9}
            key = frozenset((name, round(w, 9)) for name, w in weights.items())
            if key not in seen:
                seen.add(key)
                yield rule.name, weights


def cells_of(study: Path) -> StudyCells:
    loaded = read_study(study)
    return StudyCells.of(table_of(loaded, {}).rows, load_rules(None, loaded.grid).base)


def relative_errors(cells: Iterable[Cell]) -> dict[str, Floats]:
    """Errors of each cell by name, over their mean, in the order of the seeds (n,).

    Of the seeds that all cells have: a rule of the study may exclude single runs, as those that
    learned nothing.
    """
    errors = {c.name: dict(zip(c.seeds, c.errors, strict=True)) for c in cells}
    shared = sorted(set.intersection(*(set(found) for found in errors.values())))
    kept = {name: np.array([found[s] for s in shared]) for name, found in errors.items()}
    return {name: values / values.mean() for name, values in kept.items()}


@dataclass(frozen=True)
class Ratio:
    """A ratio of variances with its interval, and what it does to a contrast's half width."""

    value: float
    low: float
    high: float
    half_width: float


def of_contrast(
    weights: Mapping[str, float], common: Mapping[str, Floats], independent: Mapping[str, Floats]
) -> Ratio:
    """Variance of a contrast with common random numbers over that of independent cells."""
    sums = sum((w * common[name] for name, w in weights.items()), np.zeros(1))
    own = [own_variance(name, common, independent) for name in weights]
    parts = np.array([w**2 * value for w, (value, _) in zip(weights.values(), own, strict=True)])
    dfs = np.array([df for _, df in own])
    df, value = len(sums) - 1, float(sums.var(ddof=1) / parts.sum())
    ends = (float(value / f.ppf(p, df, satterthwaite(parts, dfs))) for p in TAILS)
    return Ratio(value, *ends, half_width(value, df, satterthwaite(parts, np.full(len(parts), df))))


def own_variance(
    name: str, common: Mapping[str, Floats], independent: Mapping[str, Floats]
) -> tuple[float, int]:
    """Variance between seeds of a cell's relative errors, from both studies, and its df."""
    runs = [errors[name] for errors in (common, independent) if len(errors.get(name, ())) > 1]
    df = sum(len(errors) - 1 for errors in runs)
    return sum(float(((errors - errors.mean()) ** 2).sum()) for errors in runs) / df, df


def satterthwaite(parts: Floats, dfs: Floats) -> float:
    """Degrees of freedom of a sum of variances."""
    return float(parts.sum() ** 2 / (parts**2 / dfs).sum())


def of_all(common: Mapping[str, Floats], independent: Mapping[str, Floats]) -> Ratio:
    """1 - the correlation of cells of equal seed, if all scatter and correlate alike.

    The intraclass correlation of `common` (McGraw and Wong 1996), errors over the standard
    deviation of their cell; the half width is that of a contrast of two cells.
    """
    scale = {name: np.sqrt(own_variance(name, common, independent)[0]) for name in common}
    z = np.array([(errors - 1) / scale[name] for name, errors in common.items()])
    cells, seeds = z.shape
    means = z.mean(axis=0)
    rest = z - means - z.mean(axis=1, keepdims=True) + z.mean()
    df, rest_df = seeds - 1, (cells - 1) * (seeds - 1)
    found = cells * means.var(ddof=1) / ((rest**2).sum() / rest_df)

    def ratio(mean_squares: float) -> float:
        return float(cells / (mean_squares + cells - 1))

    low, high = (ratio(found / f.ppf(p, df, rest_df)) for p in reversed(TAILS))
    return Ratio(ratio(found), low, high, half_width(ratio(found), df, 2 * df))


def half_width(ratio: float, df: float, own_df: float) -> float:
    """Half width of a 95 % interval over that of independent cells."""
    return float(np.sqrt(ratio) * t.ppf(0.975, df) / t.ppf(0.975, own_df))


def measured(grid: str, common: Path, independent: Path | None) -> list[dict[str, Any]]:
    """A record per contrast, and one for all cells, printed."""
    paired = relative_errors(cells_of(common))
    own = relative_errors(cells_of(independent)) if independent else {}
    ratios = [(rule, len(w), of_contrast(w, paired, own)) for rule, w in contrasts(common)]
    found = []
    for rule, cells, ratio in [*ratios, (ALL, len(paired), of_all(paired, own))]:
        found.append({"grid": grid, "rule": rule, "cells": cells} | asdict(ratio))
        print(
            f"| `{grid}` | {rule} | {cells} | {ratio.value:.2f} [{ratio.low:.2f}, "
            f"{ratio.high:.2f}] | {ratio.half_width:.2f} |",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", nargs="+", default=list(GRIDS))
    parser.add_argument("--seeds", type=int, default=5)
    text = "seeds of the studies without common random numbers; default: as many"
    parser.add_argument("--independent", type=int, help=text)
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
        n = args.seeds if args.independent is None else args.independent
        print("| grid | rule | cells | ratio of variances | of half widths |\n" + "|---" * 5 + "|")
        for grid in args.grids:
            words = [*GRIDS.get(grid, ()), *more]
            common = swept(grid, True, args.seeds, args.slots, words)
            alone = swept(grid, False, n, args.slots, words) if n else None
            records += measured(grid, common, alone)
        if output:
            record = {"device": device_name("cpu"), "seeds": [args.seeds, n], "changes": more}
            output.write_text(json.dumps(record | {"contrasts": records}, indent=1) + "\n")
        os.chdir(HERE)


if __name__ == "__main__":
    main()
