"""Arms of several variants in one picture: a curve each, from the base of its own variant."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.figures.drawing.arm_plots import arms
from analysis.figures.drawing.style import style
from analysis.figures.records import arm_records
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.study_cells import StudyCells
from helpers.figure_text import check, words

GRID: dict[str, Any] = {
    "points": [{"depth": 14, "width": 0.25}, {"depth": 38, "width": 0.25}],
    "variants": {"independent": {"same images": {}, "new images": {"data.fresh": True}}},
}
SHAPES = {(14, 0.25): 4e6, (38, 0.25): 9e6, (14, 0.375): 8.6e6}


def cells(variants: tuple[str, ...]) -> StudyCells:
    rng = np.random.default_rng(1)
    rows = [
        {"config_id": f"{variant}{depth}{width}", "run_id": f"{variant}{depth}{width}{seed}",
         "seed": seed, "depth": depth, "width": width, "resolution": 16, "epochs": 8,
         "variant": variant or None, "flops": flops, "n_val": 4000, "n_train": 640,
         "val_error": 0.3 - 0.05 * number + 0.01 * rng.standard_normal()}
        for number, variant in enumerate(variants)
        for (depth, width), flops in SHAPES.items()
        for seed in range(3)
    ]  # fmt: skip
    return StudyCells.of(with_comparison_settings(rows, GRID))


def test_each_variant_has_curves_of_its_own() -> None:
    records = arm_records(cells(("same images", "new images")), "flops")
    curves = [r for r in records if r["kind"] == "curve"]
    assert {r["variant"] for r in curves} == {"same images", "new images"}
    with style():
        figure = arms(records, {})
        FigureCanvasAgg(figure)
        check(figure)
    lines = [line.get_xdata() for line in figure.axes[0].lines if len(line.get_xdata()) > 10]
    assert len(lines) == 4  # two arms of two variants
    assert all((np.diff(x) > 0).all() for x in lines)
    assert {"same images", "new images"} <= {*words(figure)}


def test_a_study_without_variants_names_none() -> None:
    records = arm_records(cells(("",)), "flops")
    assert not any("variant" in record for record in records)
    with style():
        figure = arms(records, {})
    assert "d38 w0.25" in words(figure)
