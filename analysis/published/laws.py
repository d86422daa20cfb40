"""Rules about laws of error on the paper's Figure 2, and what its numbers do not establish."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.descriptions.base_sensitivity import bases
from analysis.figures.drawing import law_plots, return_plot
from analysis.figures.drawing.style import style
from analysis.figures.files import Saved, save
from analysis.figures.law_records import fits_of, law_rows, return_rows
from analysis.fits.fit import fit
from analysis.fits.forms import Floats
from analysis.fits.validate import describe, validate
from analysis.laws.breakpoint import deviation, low_cost_exponent
from analysis.laws.cheapest_path import elasticities, resolution_ratio, surface_gradient
from analysis.laws.competing_forms import alternatives, dispersion, judge_dispersion, judge_kink
from analysis.laws.harmful_steps import harm, judge_harm
from analysis.laws.points import Points
from analysis.laws.returns import by_step
from analysis.paper.tables import read
from analysis.published.tables import figure_2_cells
from analysis.rules.kind import Judgement
from analysis.rules.law import Law
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Gap
from analysis.stats.decision import Verdict, holm, value_of
from analysis.stats.speedup import Speedup
from analysis.study.columns import Record
from analysis.study.study_cells import StudyCells

EPOCHS = 350


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
    logs = np.log([least.mean_low, least.mean, least.mean_high])
    se = float(logs[2] - logs[0]) / (2 * float(ndtri(0.975)))
    interval = least.mean_low - 1, least.mean_high - 1
    gap = Gap(least.mean - 1, se, math.inf, *interval, 1.0, 0.0, {}, {})
    against = float(ndtr(logs[1] / se))
    found = []
    for rule in (r for r in prereg.rules if r.kind == "speed"):
        value, reason = value_of(*interval, rule.margin)
        verdict = Verdict(value, reason, p_supported=1 - against, p_refuted=against)
        notes = tuple(
            f"{name}: {np.nanmin(s.ratio):.2f} to {np.nanmax(s.ratio):.2f} times, mean {s.mean:.2f}"
            for name, s in results.items()
        )
        notes = (f"judged on {hardware}, where the difference is least", *notes)
        found.append(Judgement(rule, verdict, EPOCHS, gap, notes))
    return found


def as_family(judgements: Sequence[Judgement], alpha: float) -> list[Judgement]:
    """The judgements with Holm's correction over all headline rules among them."""
    family = {j.rule.name: j.verdict for j in judgements if j.rule.headline}
    corrected = holm(family, alpha)
    return [replace(j, verdict=corrected.get(j.rule.name, j.verdict)) for j in judgements]


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


def _resolutions() -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """(resolution, error) of ResNet-RS and of EfficientNet as printed in Table 7."""
    rs, en = (
        (
            np.array([float(row["image_res_px"]) for row in read(name)]),
            np.array([1 - float(row["top1_pct_paper_table7"]) / 100 for row in read(name)]),
        )
        for name in ("resnet_rs_family", "efficientnet_family")
    )
    return rs, en


def part_records(points: Points) -> list[Record]:
    """Verdicts on the parts of rule 3 that are not declared rules."""
    parts = {
        "a kink fits better than a floor": judge_kink(points),
        "configurations scatter more where they cost more": judge_dispersion(points),
        "widening does harm now and then": judge_harm(points, "width"),
        "deepening does harm now and then": judge_harm(points, "depth"),
        "raising resolution does harm now and then": judge_harm(points, "resolution"),
    }
    return [
        {"part": part, "verdict": v.value.replace("_", " "), "reason": v.reason}
        for part, v in parts.items()
    ]


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
    ratio = resolution_ratio(*_resolutions())
    broken = deviation(points)
    spread, cheap = dispersion(points), low_cost_exponent(points, broken)
    return {
        "Return of each resolution step (elasticity to FLOPs)": [
            {"from px": s.start, "to px": s.stop, "elasticity": s.estimate, "SEM": s.sem, "n": s.n}
            for s in by_step(points)
        ],
        "Forms of error over FLOPs": [
            {"form": a.form, "BIC": a.bic, "AICc": a.aicc, "weight": a.weight}
            for a in alternatives(points)
        ],
        "Steps after which the error is higher": [
            {"axis": axis, "steps": h.n, "share": h.estimate}
            for axis in ("depth", "width", "resolution")
            for h in (harm(points, axis),)
        ],
        "Parts of rule 3": part_records(points),
        "Further numbers": [
            {"number": "depth over width at d101 w1 224 px", "value": depth_over_width(points)},
            {"number": "exponent of FLOPs below the break", "value": cheap.estimate},
            {"number": "up to, FLOPs", "value": cheap.up_to},
            {"number": "rank correlation of scatter and FLOPs", "value": spread.estimate},
            {"number": "its p value", "value": spread.p},
            {
                "number": "EfficientNet's px / ResNet-RS's at equal accuracy",
                "value": ratio.ratio,
            },
            {"number": "the least of it", "value": ratio.low},
            {"number": "the most of it", "value": ratio.high},
        ],
    }


def validations(points: Points) -> list[str]:
    """How well the surface and the laws predict configurations that they have not seen."""
    lines = []
    for form in ("quad3", "spl"):
        columns = None if form == "quad3" else "cost"
        found = fit(points, form, y="error", x=columns)
        lines += describe(validate(found, points, cost="cost", by="resolution"))
    return lines


def save_law_figures(points: Points, directory: Path) -> list[Saved]:
    """Error over FLOPs with the power law, the floor and the break; returns of resolution."""
    rows = law_rows(points, fits_of(points), EPOCHS, math.inf, "prior")
    steps = return_rows(points, EPOCHS)
    with style():
        title = "Error over FLOPs with three laws (Figure 2, 350 epochs)"
        drawn = save(law_plots.laws(rows), rows, directory, "figure_2_laws", title)
        title = "What each step in resolution returns (Figure 2), 95 % intervals over steps"
        more = save(return_plot.returns(steps), steps, directory, "figure_2_returns", title)
    return [drawn, more]
