"""Rules about laws of error on the paper's Figure 2, and what its numbers do not establish."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.drawing.law_plots import error_over_cost
from analysis.drawing.plots import style
from analysis.fits.fit import fit
from analysis.fits.validate import describe, validate
from analysis.judge import Judgement
from analysis.lawrules import LAWS
from analysis.multiplicity import holm
from analysis.output import Saved, save
from analysis.records import Record
from analysis.rules import Prereg
from analysis.scaling.alternatives import alternatives, dispersion
from analysis.scaling.breaks import deviation, low_cost_exponent
from analysis.scaling.harm import harm
from analysis.scaling.points import Points
from analysis.scaling.returns import by_step

EPOCHS = 350
SHOWN = ("pl", "spl", "seg")


def judge_laws(points: Points, prereg: Prereg) -> list[Judgement]:
    """The declared rules about laws, on Figure 2's cells."""
    found = []
    for rule in prereg.rules:
        if rule.kind in LAWS:
            gap, verdict, notes = LAWS[rule.kind](points, rule.margin, prereg.alpha)
            found.append(Judgement(rule, verdict, EPOCHS, gap, notes))
    return found


def as_family(judgements: Sequence[Judgement], alpha: float) -> list[Judgement]:
    """The judgements with Holm's correction over all headline rules among them."""
    family = {j.rule.name: j.verdict for j in judgements if j.rule.headline}
    corrected = holm(family, alpha)
    return [replace(j, verdict=corrected.get(j.rule.name, j.verdict)) for j in judgements]


def law_records(points: Points) -> dict[str, list[Record]]:
    """Numbers of Figure 2 as tables: returns of resolution, forms, scatter, harm, exponent."""
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
        "Further numbers": [
            {"number": "exponent of FLOPs below the break", "value": cheap.estimate},
            {"number": "up to, FLOPs", "value": cheap.up_to},
            {"number": "rank correlation of scatter and FLOPs", "value": spread.estimate},
            {"number": "its p value", "value": spread.p},
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


def save_law_figure(points: Points, directory: Path) -> Saved:
    """Error over FLOPs with the power law, the floor and the kink."""
    fits = {form: fit(points, form, y="error", x="cost") for form in SHOWN}
    with style():
        drawn, rows = error_over_cost(points, fits)
        title = "Error over FLOPs with three laws (Figure 2, 350 epochs)"
        return save(drawn, rows, directory, "laws", title)
