"""The grid of the paper's Figure 2 as points of a law."""

from typing import Any

import numpy as np

from analysis.laws.points import Points
from analysis.paper.tables import read


def figure_2(sd: float = 0.001) -> Points:
    """Bello et al. 2021 (arXiv 2103.07579), Figure 2, digitised: 350 epochs, one run per cell.

    `cost` is 2 x multiply-adds; `sd` is the standard deviation of a run's error (fraction), which
    the paper does not give. Cells that are not readable in the figure are left out.
    """
    rows = [row for row in read("fig2_grid_350ep") if row["top1_pct_digitized"]]
    columns = {
        "depth": "depth",
        "width": "width_multiplier",
        "resolution": "image_res_px",
        "epochs": "epochs",
    }
    numbers: dict[str, Any] = {
        name: np.array([float(row[column]) for row in rows]) for name, column in columns.items()
    }
    return numbers | {
        "group": np.zeros(len(rows)),
        "n": np.ones(len(rows)),
        "cost": np.array([1e9 * float(row["flops_B_predicted_fig2_variant"]) for row in rows]),
        "error": np.array([1 - float(row["top1_pct_digitized"]) / 100 for row in rows]),
        "se": np.full(len(rows), sd),
    }
