"""The sections of the page that are plain text and tables."""

from collections import Counter
from collections.abc import Mapping, Sequence

from analysis.descriptions import main_effects
from analysis.descriptions.findings import Findings
from analysis.descriptions.variants import points
from analysis.report.page import html
from analysis.report.page.content import assumed_regimes
from analysis.rules.declared_interval import SEEDS
from analysis.rules.phrases import capitalised
from analysis.rules.rule import Preregistration
from analysis.study.columns import ALL_COST_NAMES, Record
from analysis.study.measure import Measure
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table

# States of runs that a sweep starts when it is called again.
TO_TRAIN = {"planned", "failed", "unreadable"}


def _bars(cells: StudyCells) -> str:
    """What a point and its bar are: measured, or assumed where there is one seed."""
    assumed = assumed_regimes(cells)
    measure = cells.measure
    prior = (
        "assumed noise, one seed: sqrt(e / 2n) for error e of n evaluation images, times what "
        "repeated trainings scattered more or less, and as uncertain as that is"
    )
    if all(c.n == 1 for c in cells) and not assumed:
        return "one run; nothing says how runs scatter, so it has no bar"
    if len(assumed) == len(cells.regimes):
        return f"one run, its bar {prior}"
    some = f"; at {', '.join(map(str, assumed))} {measure.length} one run, its bar {prior}"
    return "the mean over its seeds with a 95 % interval" + some * bool(assumed)


def explorer(cells: StudyCells, published: bool) -> list[str]:
    """Where the script puts the interactive figure and its controls."""
    text = (
        f"Each point is a configuration: {_bars(cells)}. Point at one for its settings, click for "
        "its learning curve, config, log, files and command. FLOPs are 2 × multiply-adds."
    )
    if published:
        text += (
            " The published points are those of Bello et al. 2021, Table 7, on ImageNet: on other "
            "data compare slopes with them, not levels."
        )
    return [
        html.paragraph(text),
        '<div id="controls" class="controls"></div><div id="explorer" class="plot"></div>',
    ]


def prose(texts: Sequence[str]) -> list[str]:
    """A paragraph each."""
    return [html.paragraph(text) for text in texts]


def gaps(described: Sequence[Record], prereg: Preregistration, measure: Measure) -> list[str]:
    """The gap at every regime, cost and resolution."""
    rows = [
        {
            "epochs": r["epochs"],
            "cost": ALL_COST_NAMES[r["cost"]],
            "resolution": r["resolution"] or "mean",
            "gap": r["reason"] or measure.interval(r["estimate"], r["low"], r["high"]),
        }
        for r in described
    ]
    columns = {"epochs": measure.length, "cost": "at equal", "resolution": "px", "gap": "gap"}
    text = f"{_positive(prereg, measure)} A description, no test."
    return [html.paragraph(text), html.table(rows, columns)]


def _positive(prereg: Preregistration, measure: Measure) -> str:
    """What the sign of a gap says."""
    first, second = prereg.arms
    return f"A positive gap: {first} has {measure.better} than {second} at equal cost."


def overfit(slopes: Sequence[Record], cost: str, measure: Measure) -> list[str]:
    """How the gap between validation and training error grows along each arm."""
    rows = [{**r, "slope": measure.change(r["slope"], r["low"], r["high"])} for r in slopes]
    columns = {"epochs": measure.length, "setting": "setting", "arm": "arm", "slope": "slope"}
    text = (
        f"Gain of validation minus clean training error per unit of ln({ALL_COST_NAMES[cost]}), "
        "95 % intervals. It describes a mechanism and proves none."
    )
    return [html.paragraph(text), html.table(rows, columns)] if rows else []


def varied(found: Findings) -> list[str]:
    """What the study varied, and what each of that did on its own."""
    measure, records = found.cells.measure, found.summary["main_effects"]
    items = main_effects.sentences(records, measure)
    text = (
        f"{main_effects.studied(found.cells)} Below, each level of an axis against its first one, "
        "all else equal. Each interval stands alone; a description, no test of a declared rule."
    )
    return [html.paragraph(text), html.listed(items)] if items else [html.paragraph(text)]


def elasticities(found: Mapping[str, object]) -> list[str]:
    """Which arm gains more per cost by a surface over all shapes, or why that is not known."""
    said = found.get("sentence") or f"not known, because {found['reason']}"
    text = (
        "A quadratic surface of the logarithms of outcome and cost over all shapes and lengths, so "
        "that the arms need not share cells. A description, no test of a declared rule."
    )
    return [html.paragraph(f"{capitalised(str(said))}."), html.paragraph(text)]


def steps(records: Sequence[Record], measure: Measure) -> list[str]:
    """What each variant adds, or each level of an axis at equal compute, row by row."""
    rows = [
        r
        | {"error": measure.shown(r["error"]), "step": points(r, "step", measure)}
        | {"all": points(r, "total", measure)}
        for r in records
    ]
    columns = {
        "series": "series",
        "name": "row",
        "epochs": measure.length,
        "seeds": "seeds",
        "error": measure.name,
        "after": "compared with",
        "step": "change",
        "all": "since the first row",
    }
    text = (
        f"Changes of {measure.label} with 95 % intervals from the noise between seeds; "
        "below zero is better. Each interval stands alone: of twenty rows that change nothing, one "
        "seems to. A description, no test of a declared rule."
    )
    return [html.paragraph(text), html.table(rows, columns)]


def dominance(records: Sequence[Record], prereg: Preregistration, measure: Measure) -> list[str]:
    """How the arms' frontiers compare as wholes, rounded."""
    columns = {
        "epochs": measure.length,
        "cost": "at equal",
        "setting": "setting",
        **{f"{arm}_share": f"{arm}'s share" for arm in prereg.arms},
        **{f"{arm}_cost_factor": f"{arm} pays" for arm in prereg.arms},
        "seed_deviation": "moved by seeds",
    }
    text = (
        "Share of the hypervolume of both arms together; the most that one arm pays, as a factor "
        "on cost, to be no worse than the other (– if it cannot); how far single seeds' frontiers "
        "lie from the typical one, as a share of the hypervolume."
    )
    rows = [
        {key: round(value, 3) if isinstance(value, float) else value for key, value in r.items()}
        | {"cost": ALL_COST_NAMES[r["cost"]]}
        for r in records
    ]
    return [html.paragraph(text), html.table(rows, columns)] if rows else []


def fits(records: Sequence[Record], measure: Measure) -> list[str]:
    """Every fit with what validates it."""
    parts = []
    for r in records:
        regime = f", {measure.at(r['epochs'])}" if r["epochs"] else ""
        text = f"{r['form']} over {ALL_COST_NAMES[r['cost']]}{regime}: "
        parts.append(html.paragraph(text + (r.get("reason") or "; ".join(r["description"]))))
    return parts


def fairness(found: Sequence[str]) -> list[str]:
    """What differs between the runs that are compared."""
    return [html.paragraph(text) for text in found or ("Nothing but the compared axes.",)]


def left_out(table: Table) -> list[str]:
    """The runs that are not analysed, each with its state and the reason."""
    if not table.left_out:
        return [html.paragraph("None.")]
    states = {row["run_id"]: state for row, state in table.states()}
    rows = [
        {"run": run, "state": states[run], "reason": reason}
        for run, reason in table.left_out.items()
    ]
    counts = Counter(row["state"] for row in rows)
    text = ", ".join(f"{n} {state}" for state, n in counts.items()) + "."
    if counts.keys() & TO_TRAIN:
        text += (
            " The sweep's command, repeated, trains those that are planned or failed; a row of the "
            "table of runs opens to the command that trains one."
        )
    columns = {"run": "run", "state": "state", "reason": "reason"}
    return [html.paragraph(text), html.table(rows, columns, text=("state", "reason"))]


def _about(prereg: Preregistration) -> str:
    """What intervals are about besides other seeds."""
    if prereg.generalise == SEEDS:
        return "the intervals are about other seeds, not about other images."
    other = f"the intervals of contrasts are about other seeds and other {prereg.generalise}"
    return f"{other} of the same kind."


def rules(prereg: Preregistration, measure: Measure) -> list[str]:
    """What the verdicts were judged by, with the hash of the file that declares it."""
    text = (
        f"Level {prereg.alpha:g}, margin {measure.size(prereg.margin)} {measure.gap}, equal "
        f"{ALL_COST_NAMES[prereg.cost]}, base {prereg.base}. SHA-256 of the frozen rules: "
        f"{prereg.sha256}. FLOPs are 2 × multiply-adds. {_positive(prereg, measure)} "
        f"Evaluation images are the same in all runs: {_about(prereg)}"
    )
    if measure.floor is not None:
        text += f" {capitalised(measure.floor.text)}."
    anchor = f"The freeze is anchored: {prereg.anchor}." if prereg.anchor else ""
    return [html.paragraph(part) for part in (text, anchor) if part]
