"""The paper's numbers as what a study has: a table of runs, cells, points of laws, families.

Bello et al. 2021 (arXiv 2103.07579): Figures 2 and 3 (digitised) and Table 7.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.laws.points import Points, points_of
from analysis.paper.tables import read
from analysis.stats.speedup import Family
from analysis.study.cells import Cell
from analysis.study.noise_prior import published_prior
from analysis.study.table import Table
from scaling_study.tasks.classification import prior_sd

# Two percent of the training images are held out as the paper's "minival" split.
DATA, N_IMAGES, N_MINIVAL = "imagenet", 1_281_167, 25_623
# Of Figure 2 and of the models of Table 7.
EPOCHS = 350
N_VALIDATION = 50_000
# No timing error is printed; 2 % is what repeated timings of one network usually differ by.
TIMING_CV = 0.02
HARDWARE = {"TPUv3": ("tpuv3_latency_ms_bf16", 10.0), "V100": ("v100_latency_s_fp32", 1.0)}


def _run(row: Mapping[str, str]) -> dict[str, Any]:
    cell = f"d{row['depth']}-w{float(row['width_multiplier']):g}-r{row['image_res_px']}"
    config_id = f"{cell}-e{row['epochs']}"
    return {
        "run_id": config_id,
        "config_id": config_id,
        "depth": int(row["depth"]),
        "width": float(row["width_multiplier"]),
        "resolution": int(row["image_res_px"]),
        "epochs": int(row["epochs"]),
        "seed": 0,
        "data": DATA,
        "n_train": N_IMAGES - N_MINIVAL,
        "n_val": N_MINIVAL,
        "val_error": 1 - float(row["top1_minival_pct"]) / 100,
        "step_time_s": float(row["tpu_time_per_step_s"]),
        "flops": 2e9 * float(row["gmacs_recomputed"]),
        "params": 1e6 * float(row["params_M_recomputed"]),
    }


def depth_width_table() -> Table:
    """Figure 3 as a table of runs, one per cell; FLOPs are 2 x the recomputed multiply-adds."""
    runs, left_out = [], {}
    for row in read("fig3_depth_width_epochs"):
        missing = [c for c in ("tpu_time_per_step_s", "top1_minival_pct") if not row[c]]
        if missing:
            name = f"d{row['depth']}-r{row['image_res_px']}-e{row['epochs']}"
            left_out[name] = f"not readable in the figure: {', '.join(missing)}"
        else:
            runs.append(_run(row))
    unused = tuple({"run_id": name, "state": "left out"} for name in left_out)
    return Table("published", tuple(runs), (), left_out, 1000, unused=unused)


def figure_2_cells() -> list[Cell]:
    """Figure 2 (digitised, 350 epochs) as cells of one run; cost is 2 x multiply-adds.

    Cells that are not readable in the figure are left out.
    """
    return [
        Cell(
            config_id=f"d{row['depth']}-w{row['width_multiplier']}-r{row['image_res_px']}",
            depth=int(row["depth"]),
            width=float(row["width_multiplier"]),
            resolution=int(row["image_res_px"]),
            epochs=int(row["epochs"]),
            errors=(1 - float(row["top1_pct_digitized"]) / 100,),
            costs={"flops": (1e9 * float(row["flops_B_predicted_fig2_variant"]),)},
            n_val=N_MINIVAL,
            data=DATA,
            images_seen=float((N_IMAGES - N_MINIVAL) * int(row["epochs"])),
        )
        for row in read("fig2_grid_350ep")
        if row["top1_pct_digitized"]
    ]


def half_unit(printed: str, integer_unit: float) -> float:
    """Half of the last printed digit; whole numbers are multiples of `integer_unit`."""
    decimals = len(printed.partition(".")[2])
    return (10.0**-decimals if decimals else integer_unit) / 2


def family(name: str, column: str, integer_unit: float) -> Family:
    """One family of Table 7 with its latencies on one kind of hardware."""
    rows = read(name)
    error = np.array([1 - float(row["top1_pct_paper_table7"]) / 100 for row in rows])
    factor = published_prior().factor(DATA, float(N_IMAGES * EPOCHS))
    return Family(
        names=tuple(f"{row['model']}@{row['image_res_px']}" for row in rows),
        cost=np.array([float(row[column]) for row in rows]),
        error=error,
        cost_half=np.array([half_unit(row[column], integer_unit) for row in rows]),
        error_half=np.full(error.size, 0.0005),
        error_sd=np.array([factor.scale * prior_sd(e, N_VALIDATION) for e in error]),
        error_df=factor.df,
        cost_cv=TIMING_CV,
    )


def figure_2(sd: float = 0.001) -> Points:
    """Figure 2's cells as points of error over FLOPs.

    `sd` is the standard deviation of a run's error (fraction), which the paper does not give.
    """
    cells = figure_2_cells()
    # As printed: the geometric mean of one cost differs from it by rounding.
    cost = np.array([cell.costs["flops"][0] for cell in cells])
    return {**points_of(cells, "flops"), "cost": cost, "se": np.full(len(cells), sd)}
