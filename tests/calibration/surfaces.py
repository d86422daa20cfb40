"""Grids of depth and width on surfaces of error like the paper's.

ln(error) is a quadratic in the logs of depth, width and resolution, with terms of the length of
training, fitted by least squares to Figures 2 and 3; a surface is a draw of its coefficients from
their normal distribution. Nothing of the analysis's fits is used.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

import analysis
from analysis.rules.planned import Planning
from calibration.case import Rows
from calibration.simulator import Floats

PAPER = Path(analysis.__file__).with_name("paper")
FIGURES = {
    "fig2_grid_350ep.csv": ("image_res_px", "top1_pct_digitized"),
    "fig3_depth_width_epochs.csv": ("image_res_px", "top1_minival_pct"),
}
DEPTHS, WIDTHS, EPOCHS, RESOLUTION = (50, 101, 152, 200), (0.5, 1.0, 1.5, 2.0), (10, 350), 160
# Of ImageNet's images, for training FLOPs.
IMAGES = 1_281_167


def _features(depth: Floats, width: Floats, px: Floats, epochs: Floats) -> Floats:
    d, w, r, t = np.log(depth / 101), np.log(width), np.log(px / 224), np.log(epochs / 350)
    one = np.ones_like(d)
    squares = [d * d, w * w, r * r, d * w, d * r, w * r]
    return np.stack([one, d, w, r, *squares, t, t * t, t * d, t * w, t * r], axis=-1)


@cache
def _fitted() -> tuple[Floats, Floats]:
    """Coefficients and their covariance; configurations scatter about the surface."""
    rows = []
    for name, (px, top1) in FIGURES.items():
        with (PAPER / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row[top1]:
                    values = (row["depth"], row["width_multiplier"], row[px], row["epochs"])
                    rows.append([*map(float, values), 1 - float(row[top1]) / 100])
    table = np.array(rows)
    x, y = _features(*table[:, :4].T), np.log(table[:, 4])
    found, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
    return found, np.linalg.inv(x.T @ x) * float(rest[0]) / (len(y) - x.shape[1])


def flops(depth: float, width: float, px: int = RESOLUTION) -> float:
    """FLOPs of an image, as Figure 2's networks have them within a tenth."""
    return 7.8e9 * (depth / 101) * width**2 * (px / 224) ** 2 * 2


@dataclass(frozen=True)
class Surface:
    """One draw of a surface; the SD of a run is `sd` times its cell's error."""

    coefficients: tuple[float, ...]
    sd: float

    def log_error(self, depth: float, width: float, epochs: int) -> float:
        """True ln(error) of a cell."""
        point = np.array([depth, width, RESOLUTION, epochs], dtype=float)
        return float(_features(*point) @ np.array(self.coefficients))

    @property
    def planning(self) -> Planning:
        """What a pilot would say of each regime: an error, and the SD between seeds (fractions)."""
        errors = {epochs: math.exp(self.log_error(101, 1.0, epochs)) for epochs in EPOCHS}
        return {epochs: (error, self.sd * error) for epochs, error in errors.items()}

    def exact(self) -> Rows:
        """The whole grid almost without noise."""
        return replace(self, sd=1e-6).rows(np.random.default_rng(0), 2)

    def rows(self, rng: np.random.Generator, seeds: int) -> Rows:
        """The whole grid with so many seeds per cell."""
        rows = []
        for epochs in EPOCHS:
            for depth in DEPTHS:
                for width in WIDTHS:
                    rows += self._cell(rng, depth, width, epochs, seeds)
        return rows

    def _cell(
        self, rng: np.random.Generator, depth: float, width: float, epochs: int, seeds: int
    ) -> Rows:
        error, cost = math.exp(self.log_error(depth, width, epochs)), flops(depth, width)
        drawn = error * (1 + self.sd * rng.standard_normal(seeds))
        key = f"d{depth}-w{width}-e{epochs}"
        return [
            {
                **{"config_id": key, "run_id": f"{key}-s{seed}", "seed": seed, "status": "ok"},
                **{"depth": float(depth), "width": width, "resolution": RESOLUTION},
                **{"epochs": epochs, "n_val": 25_623, "val_error": float(drawn[seed])},
                **{"step_time_s": cost * 1e-11, "flops": cost},
                "train_flops": 3 * cost * IMAGES * epochs,
            }
            for seed in range(seeds)
        ]


def surfaces(count: int, sds: Sequence[float] = (0.005, 0.01, 0.02)) -> list[Surface]:
    """So many surfaces, drawn once for all, with seed noise of these sizes in turn."""
    mean, covariance = _fitted()
    drawn = np.random.default_rng(20210315).multivariate_normal(mean, covariance, count)
    return [Surface(tuple(c.tolist()), sds[k % len(sds)]) for k, c in enumerate(drawn)]
