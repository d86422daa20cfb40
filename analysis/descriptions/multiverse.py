"""Would other reasonable analyses of the same runs have given the same verdicts?

A rule is judged again at every other cost that the table has, with the other interpolations and
averages, from other bases, and without each replicate and each cell in turn (a multiverse analysis,
Steegen, Tuerlinckx, Gelman & Vanpaemel 2016). A description: analyses share their runs, so their
share is no probability. Each is judged at the look, and with Holm's correction, of the study.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from analysis.descriptions.multiverse_result import Analysis, Dimension, Multiverse
from analysis.rules.evidence import Evidence
from analysis.rules.judge import scored_at_chance, verdict_on
from analysis.rules.kind import Judgement
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict, holm
from analysis.study.cells import Cell
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.study_cells import StudyCells
from analysis.study.table import Table

# How many analyses of a rule there may be times how many cells, so that it takes seconds. Where
# all costs and other changes together are more, one thing is changed at a time, in at least `LEAST`
# analyses.
MOST_CELLS, LEAST = 2000, 30
# Ratios of two costs that differ less than this, relatively, are rounding.
ROUNDING = 1e-9


class World(NamedTuple):
    """The cells that are analysed, without excluded runs and, where there are any, at chance."""

    study: Evidence
    at_chance: Evidence | None

    def map(self, change: Callable[[StudyCells], StudyCells]) -> "World":
        """The same with other cells."""
        study, chance = (e and replace(e, cells=change(e.cells)) for e in self)
        assert study is not None
        return World(study, chance)


class Change(NamedTuple):
    """One thing that an analysis does otherwise (see `Analysis`), at the rule's own cost."""

    dimension: Dimension
    label: str
    world: World
    estimand: Estimand


def multiverse(
    table: Table, cells: StudyCells, prereg: Preregistration, judgements: Sequence[Judgement]
) -> dict[str, Multiverse]:
    """What other analyses conclude, by rule; rules that could not be tested are not among them.

    `cells` are those of the table, `judgements` of `judge`.
    """
    prereg = replace(prereg, look=Evidence(cells, prereg).study_look)
    whole = World(Evidence(cells, prereg), scored_at_chance(table, prereg))
    # No rule has more analyses, and each replicate takes a pass over all runs.
    replicates = dict(islice(_without_replicates(table, prereg), _most(whole)))
    planned = (*table.epochs, *cells.regimes)
    tested = {j.rule.name: j for j in judgements if j.verdict.value != "not_testable"}
    parts = {name: find_kind(j.rule.kind).parts(j.rule) for name, j in tested.items()}
    members = {n: _members(j, whole.study) for n, j in tested.items() if not parts[n]}
    raw = {
        name: {
            Analysis(ALL_COST_NAMES[cost], change.dimension, change.label): verdict_on(
                *change.world, tested[name].rule, replace(change.estimand, axis=cost), planned
            )
            for cost, change in _chosen(tested[name], whole, replicates, compared, planned)
        }
        for name, compared in members.items()
    }
    declared = {j.rule.name: j.verdict for j in judgements}
    family = {j.rule.name: j.verdict for j in judgements if j.rule.headline}
    found = {}
    for name, j in tested.items():
        of = parts[name]
        verdicts = _of_parts(j.rule, of, raw, declared, prereg.alpha) if of else raw[name]
        values = _after_holm(j.rule, verdicts, family, prereg.alpha)
        count = sum(len(members.get(part, ())) for part in of or [name])
        found[name] = Multiverse(j.verdict.value, values, count)
    return found


def _without_replicates(table: Table, prereg: Preregistration) -> Iterator[tuple[str, World]]:
    """The study without each replicate; a study of one has no other."""
    seeds = sorted({row["seed"] for row in table.rows})
    for seed in seeds if len(seeds) > 1 else ():
        rows, excluded, tuning = (
            tuple(row for row in among if row["seed"] != seed)
            for among in (table.rows, table.excluded, table.tuning)
        )
        rest = replace(table, rows=rows, excluded=excluded, tuning=tuning)
        study = Evidence(rest.cells(prereg.base, prereg.arms), prereg)
        yield f"without seed {seed}", World(study, scored_at_chance(rest, prereg))


def _chosen(
    j: Judgement,
    whole: World,
    replicates: Mapping[str, World],
    compared: Sequence[Cell],
    planned: Sequence[int],
) -> list[tuple[str, Change]]:
    """Every change at every cost, or one thing at a time: see `MOST_CELLS`."""
    costs, cells = _costs(j, whole, planned), len(whole.study.cells)
    nothing, *others = _changes(j, whole, replicates, compared)
    if len(costs) * (1 + len(others)) * cells <= MOST_CELLS:
        return [(cost, change) for cost in costs for change in (nothing, *others)]
    alone = [*((cost, nothing) for cost in costs), *((costs[0], change) for change in others)]
    return alone[: _most(whole)]


def _most(whole: World) -> int:
    """The most analyses of a rule where one thing is changed at a time."""
    return max(LEAST, MOST_CELLS // len(whole.study.cells))


def _changes(
    j: Judgement, whole: World, replicates: Mapping[str, World], compared: Sequence[Cell]
) -> Iterator[Change]:
    """What may be done otherwise with a rule: nothing first, then what decides more before less."""
    rule, kind = j.rule, find_kind(j.rule.kind)
    declared = Estimand(rule.cost)
    yield Change("", "", whole, declared)
    for label, estimand in kind.other_estimands(rule).items():
        if estimand.axis == rule.cost:
            yield Change("interpolation", label, whole, estimand)
    for base in kind.other_bases(whole.study, rule):
        label = " and ".join(f"{axis} {value:g}" for axis, value in base.items())
        yield Change("base", f"from {label}", whole.map(_starting_at(base)), declared)
    for label, world in replicates.items():
        yield Change("replicate", label, world, declared)
    names = Counter(cell.name for cell in compared)
    for cell in compared:
        name = cell.name if names[cell.name] == 1 else cell.config_id
        yield Change("cell", f"without {name}", whole.map(_without(cell)), declared)


def _starting_at(base: Mapping[str, float]) -> Callable[[StudyCells], StudyCells]:
    return lambda cells: StudyCells(cells, base, cells.tuning, cells.arms)


def _without(left_out: Cell) -> Callable[[StudyCells], StudyCells]:
    def rest(cells: StudyCells) -> StudyCells:
        kept = (cell for cell in cells if cell.config_id != left_out.config_id)
        return StudyCells(kept, cells.declared_base, cells.tuning, cells.arms)

    return rest


def _members(j: Judgement, study: Evidence) -> list[Cell]:
    """The cells that a rule compares, those with the greatest weight first.

    None where laws are fitted to all configurations: no single one decides there.
    """
    kind = find_kind(j.rule.kind)
    if kind.needs_many_configurations:
        return []
    sides = kind.sides(study, j.rule)
    ids = {key for side in sides.values() for key in side}
    weights = j.gap.weights if j.gap else {}
    members = [c for c in _regime(j, study) if not sides or c.config_id in ids]
    return sorted(members, key=lambda c: -abs(weights.get(c.config_id, 0.0)))


def _regime(j: Judgement, study: Evidence) -> StudyCells:
    return study.cells if j.epochs is None else study.cells.regime(j.epochs)


def _costs(j: Judgement, whole: World, planned: Sequence[int]) -> list[str]:
    """The rule's cost, and others at which it can be tested, if what it compares depends on them.

    One that is proportional to another in every regime, as training FLOPs are, adds nothing.
    """
    others = find_kind(j.rule.kind).other_estimands(j.rule).values()
    found = [j.rule.cost]
    if all(estimand.axis == j.rule.cost for estimand in others):
        return found
    cells = _regime(j, whole.study)
    for cost in ALL_COST_NAMES:
        known = all(c.cost(cost) and c.cost(j.rule.cost) for c in cells)
        if not known or any(_proportional(cells, cost, other) for other in found):
            continue
        if verdict_on(*whole, j.rule, Estimand(cost), planned).value != "not_testable":
            found.append(cost)
    return found


def _proportional(cells: StudyCells, first: str, second: str) -> bool:
    for regime in cells.regimes.values():
        ratios = np.array([(c.cost(first) or 0.0) / (c.cost(second) or 1.0) for c in regime])
        if np.ptp(ratios) > ROUNDING * abs(ratios[0]):
            return False
    return True


def _of_parts(
    rule: Rule,
    parts: Sequence[str],
    raw: Mapping[str, Mapping[Analysis, Verdict]],
    declared: Mapping[str, Verdict],
    alpha: float,
) -> dict[Analysis, Verdict]:
    """A rule by its parts in each analysis of any; a part that this does not touch is as it was."""
    kind, found = find_kind(rule.kind), dict[Analysis, Verdict]()
    tested = [part for part in parts if part in raw]
    for analysis in dict.fromkeys(a for part in tested for a in raw[part]):
        as_declared = Analysis(analysis.cost, "", "")
        known = {p: raw[p].get(analysis) or raw[p].get(as_declared) for p in tested}
        verdicts = {part: verdict for part, verdict in known.items() if verdict}
        if len(verdicts) == len(tested):
            every = {part: verdicts.get(part, declared[part]) for part in parts}
            found[analysis] = kind.combined(rule, every, alpha)
    return found


def _after_holm(
    rule: Rule, raw: Mapping[Analysis, Verdict], family: Mapping[str, Verdict], alpha: float
) -> dict[Analysis, str]:
    """The verdicts on a rule, the other headline rules being judged as declared."""
    if not rule.headline:
        return {analysis: verdict.value for analysis, verdict in raw.items()}
    corrected = {a: holm({**family, rule.name: v}, alpha).get(rule.name, v) for a, v in raw.items()}
    return {analysis: verdict.value for analysis, verdict in corrected.items()}
