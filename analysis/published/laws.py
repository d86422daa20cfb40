"""Rules about laws of error on the paper's Figure 2, and what its numbers do not establish."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.descriptions.base_sensitivity import bases
from analysis.figures.drawing import law_plots, return_plot, shape_plot
from analysis.figures.drawing.style import style
from analysis.figures.files import Saved, save
from analysis.figures.law_records import fits_of, law_rows, return_rows, shape_rows
from analysis.fits.fit import fit
from analysis.fits.forms import Floats
from analysis.fits.laws import SIZE
from analysis.fits.validate import describe, validate
from analysis.laws.breakpoint import deviation, low_cost_exponent
from analysis.laws.cheapest_path import elasticities, resolution_ratio, surface_gradient
from analysis.laws.competing_forms import alternatives, decide_dispersion, decide_kink, dispersion
from analysis.laws.points import Points
from analysis.laws.returns import by_step, decide_harm, harm
from analysis.paper.tables import read
from analysis.published.tables import EPOCHS, figure_2_cells
from analysis.rules.kind import Judgement
from analysis.rules.kinds.speed import judged
from analysis.rules.law import Law
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.stats.speedup import Speedup
from analysis.study.columns import Record
from analysis.study.study_cells import StudyCells


def judge_laws(points: Points, prereg: Preregistration) -> list[Judgement]:
    """The declared rules about laws, on Figure 2's cells."""
    found = []
    for rule in prereg.rules:
        if isinstance(kind := find_kind(rule.kind), Law):
            e = kind.judge(points, rule.margin, prereg.alpha)
            found.append(Judgement(rule, e.verdict, EPOCHS, e.gap, e.notes))
    return found


def judge_speed(results: Mapping[str, Speedup], prereg: Preregistration) -> list[Judgement]:
    """The declared rules about speed, by the hardware on which the difference is least."""
    hardware, least = min(results.items(), key=lambda item: item[1].mean)
    notes = (
        f"judged on {hardware}, where the difference is least",
        *(
            f"{name}: {np.nanmin(s.ratio):.2f} to {np.nanmax(s.ratio):.2f} times, mean {s.mean:.2f}"
            for name, s in results.items()
        ),
    )
    rules = [rule for rule in prereg.rules if rule.kind == "speed"]
    found = [judged(least, rule.margin, notes=notes) for rule in rules]
    return [
        Judgement(rule, estimate.verdict, EPOCHS, estimate.gap, estimate.notes)
        for rule, estimate in zip(rules, found, strict=True)
    ]


def base_records(prereg: Preregistration) -> list[Record]:
    """The gap between depth and width from every base of Figure 2, on average and by width."""
    cells = StudyCells(figure_2_cells())
    noise = cells.noise(EPOCHS)
    assert noise is not None
    found = bases(cells, prereg, EPOCHS, "flops", noise)
    everywhere = {"base": f"all {len(found.records)}", "gap (%)": 100 * found.mean}
    everywhere |= {"SD (%)": 100 * found.sd, "depth better in": f"{100 * found.positive:.0f} %"}
    by_width = found.by_width().items()
    return [everywhere, *({"base": f"width {w:g}", "gap (%)": 100 * g} for w, g in by_width)]


def _resolutions(family: str) -> tuple[Floats, Floats]:
    """(resolution, error) of a family as printed in Table 7."""
    rows = [(row["image_res_px"], row["top1_pct_paper_table7"]) for row in read(family)]
    px, top1 = np.array(rows, dtype=float).T
    return px, 1 - top1 / 100


def depth_over_width(points: Points) -> float:
    """What an e-fold of FLOPs spent on depth takes off ln(error) beyond one spent on width.

    g_w / c_w - g_d / c_d at ResNet-101, width 1, 224 px: gradient of the surface over elasticities
    of cost. Positive where depth buys more.
    """
    surface = fit(points, "quad3", y="error")
    here = {"depth": np.array([101.0]), "width": np.array([1.0]), "resolution": np.array([224.0])}
    gain = surface_gradient(surface, here)[0] / elasticities(points)
    return float(gain[1] - gain[0])


def law_records(points: Points) -> dict[str, list[Record]]:
    """Numbers of Figure 2 as tables: returns of resolution, forms, scatter, harm, exponent."""
    ratio = resolution_ratio(_resolutions("resnet_rs_family"), _resolutions("efficientnet_family"))
    broken, spread, forms = deviation(points), dispersion(points), alternatives(points)
    steps = {axis: harm(points, axis) for axis in SIZE}
    # The parts of rule 3 that are not declared rules.
    parts = {
        "a kink fits better than a floor": decide_kink(forms),
        "configurations scatter more where they cost more": decide_dispersion(spread),
        "widening does harm now and then": decide_harm(steps["width"]),
        "deepening does harm now and then": decide_harm(steps["depth"]),
        "raising resolution does harm now and then": decide_harm(steps["resolution"]),
    }
    numbers = {
        "depth over width at d101 w1 224 px": depth_over_width(points),
        "exponent of FLOPs below the break": low_cost_exponent(points, broken).estimate,
        "up to, FLOPs": broken.break_low,
        "rank correlation of scatter and FLOPs": spread.estimate,
        "its p value": spread.p,
        "EfficientNet's px / ResNet-RS's at equal accuracy": ratio.ratio,
        "the least of it": ratio.low,
        "the most of it": ratio.high,
    }
    return {
        "Return of each resolution step (elasticity to FLOPs)": [
            {"from px": s.start, "to px": s.stop, "elasticity": s.estimate, "SEM": s.sem, "n": s.n}
            for s in by_step(points)
        ],
        "Forms of error over FLOPs": [
            {"form": a.form, "BIC": a.bic, "AICc": a.aicc, "weight": a.weight} for a in forms
        ],
        "Steps after which the error is higher": [
            {"axis": axis, "steps": h.n, "share": h.estimate} for axis, h in steps.items()
        ],
        "Parts of rule 3": [
            {"part": part, "verdict": v.value.replace("_", " "), "reason": v.reason}
            for part, v in parts.items()
        ],
        "Further numbers": [{"number": name, "value": value} for name, value in numbers.items()],
    }


def validations(points: Points) -> list[str]:
    """How well the surface and the laws predict configurations that they have not seen."""
    fits = fit(points, "quad3", y="error"), fit(points, "spl", y="error", x="cost")
    found = (validate(each, points, cost="cost", by="resolution") for each in fits)
    return [line for each in found for line in describe(each)]


def save_law_figures(points: Points, directory: Path, formats: Sequence[str]) -> list[Saved]:
    """Error over FLOPs with the power law, the floor and the break, and by shape; returns."""
    rows = law_rows(points, fits_of(points), EPOCHS, math.inf, "prior")
    steps, shapes = return_rows(points, EPOCHS), shape_rows(points)
    with style():
        drawn = (
            (law_plots.laws(rows), rows, "figure_2_laws",
             "Error over FLOPs with three laws (Figure 2, 350 epochs)"),
            (shape_plot.shapes(shapes), shapes, "figure_2_shapes",
             "Error over FLOPs by shape: frontier of each resolution, law (dashed) (Figure 2)"),
            (return_plot.returns(steps), steps, "figure_2_returns",
             "What each step in resolution returns (Figure 2), 95 % intervals over steps"),
        )  # fmt: skip
        return [
            save(figure, records, directory, name, title, formats)
            for figure, records, name, title in drawn
        ]
