"""Step times of a device that nobody has measured yet: a prior from its data sheet.

Fitted on published training speeds of convolutional networks (published_times.csv). A step takes

    ln t = c + k ln(3 FLOPs / peak FLOPs/s) + (1 - k) ln(bytes of activations / bandwidth),

FLOPs and activations those of a forward pass of the batch. k = 1 would be a constant share of the
peak; but networks with small convolutions reach a tenth of the share that others do: memory traffic
decides. k is that of `step_law`, c is fitted, and so is its scatter between devices and programs,
and that of networks about each.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling_study.cost.devices import WIDTHS, Device, devices
from scaling_study.cost.step_law import SLOPES, SLOPES_SD, Prior

TABLE = Path(__file__).with_name("published_times.csv")
# Of the columns of the table.
KINDS: dict[str, Callable[[str], Any]] = {str(kind): kind for kind in (str, int, float)}
PASSES = 3  # forward, and backward by weights and by inputs
# A usual batch of one device.
BATCH = 128
# k and 1 - k.
WEIGHTS = np.array([SLOPES[0], 1 - SLOPES[0]])
# Covariance of the slopes: k trades work for traffic, and their sum, by which a step takes longer
# for a larger batch, is known well (SD 0.05 within published groups).
TRADE = SLOPES_SD**2 * np.array([[1.0, -1.0], [-1.0, 1.0]])
TOTAL = (0.05 / 2) ** 2 * np.ones((2, 2))


@dataclass(frozen=True)
class Published:
    """Speed of one network: `flops` and `activations` of an image, images a second of all GPUs."""

    device: str
    precision: str
    gpus: int
    network: str
    settings: str
    resolution: int
    flops: int
    activations: int
    images_per_s: float
    source: str

    @property
    def group(self) -> tuple[str, str, str]:
        """Speeds that share a device and a program."""
        return self.device, self.precision, self.source.split(" ")[0]

    @property
    def work(self) -> NDArray[np.float64]:
        """ln of seconds for FLOPs at the peak, and for activations at the bandwidth, an image."""
        features = np.log([float(self.flops), float(self.activations)])
        return features + scale_of(devices()[self.device], self.precision)

    @property
    def ln_time(self) -> float:
        """ln of seconds an image on one GPU."""
        return math.log(self.gpus / self.images_per_s)


@dataclass(frozen=True)
class Fit:
    """What published speeds say of a device that is not among them: c with its SD, and the rest.

    `centre` is the mean of `Published.work`. `networks_sd` is that of networks about a device's
    law. `together` and `together_sd` are of ln time when several GPUs share a batch.
    """

    c: float
    c_sd: float
    networks_sd: float
    df: int
    centre: NDArray[np.float64]
    together: float
    together_sd: float

    def prior(self, device: Device, precision: str, processes: int = 1) -> Prior | None:
        """ln step time of batches of which each of `processes` devices takes its share.

        None if the data sheet has no peak in this precision.
        """
        if precision not in device.flops_per_s:
            return None
        several = processes > 1
        return Prior(
            # In ln FLOPs and activations of a batch, as `time_model.features` has them.
            centre=self.centre - scale_of(device, precision) + math.log(BATCH),
            level=self.c
            + float(self.centre @ WEIGHTS)
            + math.log(BATCH)
            - math.log(processes)
            + self.together * several,
            level_sd=math.hypot(self.c_sd, self.together_sd * several),
            slopes=WEIGHTS,
            slopes_covariance=TRADE + TOTAL,
            sd=self.networks_sd,
            df=self.df,
        )


@cache
def published() -> tuple[Published, ...]:
    """All rows of the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    kinds = {field.name: KINDS[str(field.type)] for field in fields(Published)}
    return tuple(Published(**{n: kind(row[n]) for n, kind in kinds.items()}) for row in rows)


@cache
def fitted_without(*left_out: str) -> Fit:
    """The fit on all published speeds but those of some devices, all of one GPU."""
    rows = [row for row in published() if row.device not in left_out]
    groups = [*_grouped(row for row in rows if row.gpus == 1).values()]
    offsets = [np.array([r.ln_time - float(r.work @ WEIGHTS) for r in group]) for group in groups]
    levels, n = [float(o.mean()) for o in offsets], len(groups)
    rest = sum(float(((o - o.mean()) ** 2).sum()) for o in offsets)
    together = _together(rows)
    return Fit(
        c=float(np.mean(levels)),
        # A new device: the scatter, and the error of the mean.
        c_sd=float(np.std(levels, ddof=1)) * math.sqrt(1 + 1 / n),
        networks_sd=math.sqrt(rest / sum(len(o) - 1 for o in offsets)),
        df=n - 1,
        centre=np.mean([np.mean([r.work for r in group], axis=0) for group in groups], axis=0),
        together=float(np.mean(together)),
        together_sd=float(np.std(together, ddof=1)),
    )


def scale_of(device: Device, precision: str) -> NDArray[np.float64]:
    """What turns ln FLOPs and ln activations into ln seconds at the peak and the bandwidth."""
    work = PASSES / device.flops_per_s[precision]
    return np.log([work, WIDTHS[precision] / device.bytes_per_s])


def _grouped(rows: Iterable[Published]) -> dict[tuple[str, str, str], list[Published]]:
    groups = defaultdict[tuple[str, str, str], list[Published]](list)
    for row in rows:
        groups[row.group].append(row)
    return groups


def _together(rows: Collection[Published]) -> list[float]:
    """ln of how much longer a GPU takes for its images when several share the batch."""
    alone = {(row.group, row.network): row.ln_time for row in rows if row.gpus == 1}
    several = [row for row in rows if row.gpus > 1]
    return [row.ln_time - alone[row.group, row.network] for row in several]
