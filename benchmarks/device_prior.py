"""`python benchmarks/device_prior.py`: how far off the prior of step times is, and what share of
their peak networks reach.

Each device with published speeds is left out in turn, and its networks are forecast from the others
and its data sheet. `off` is forecast / published step time, `inside` the share of networks within
the interval that should hold 90 %. The share of the peak is 3 x FLOPs x images/s / peak.
"""

import math
from collections.abc import Sequence

import numpy as np

from scaling_study.cost.device_prior import BATCH, Published, fitted_without, published
from scaling_study.cost.devices import devices
from scaling_study.cost.time_model import Forecast


def main() -> None:
    rows = [row for row in published() if row.gpus == 1]
    header = ("device left out", "networks", "off: median", "least", "most", "inside", "interval")
    table: list[Sequence[str]] = [(*header, "share of peak")]
    inside = 0.0
    for device in dict.fromkeys(row.device for row in rows):
        own = [row for row in rows if row.device == device]
        cells, n = _left_out(device, own)
        table.append(cells)
        inside += n
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)))
    fit = fitted_without()
    print(f"inside of all: {inside / len(rows):.2f}")
    print(
        f"fit on all: c {fit.c:.2f}, SD between devices {fit.c_sd:.2f}, between networks "
        f"{fit.networks_sd:.2f}; 8 GPUs together take {math.exp(fit.together):.2f} times as long"
    )


def _left_out(device: str, rows: Sequence[Published]) -> tuple[list[str], int]:
    """A line of the table, and how many networks are within their interval."""
    fit, sheet = fitted_without(device), devices()[device]
    off, inside, widths, shares = [], 0, [], []
    for row in rows:
        forecast = Forecast([], fit.prior(sheet, row.precision))
        step = forecast.step_time((row.flops, row.activations, BATCH))
        assert step is not None
        published_s = BATCH * math.exp(row.ln_time)
        off.append(step.value / published_s)
        inside += step.low <= published_s <= step.high
        widths.append(step.high / step.value)
        shares.append(3 * row.flops * row.images_per_s / sheet.flops_per_s[row.precision])
    return [
        device,
        str(len(rows)),
        *(f"x{value:.2f}" for value in (float(np.median(off)), min(off), max(off))),
        f"{inside / len(rows):.2f}",
        f"x/÷ {np.median(widths):.1f}",
        f"{min(shares):.2f} to {max(shares):.2f}",
    ], inside


if __name__ == "__main__":
    main()
