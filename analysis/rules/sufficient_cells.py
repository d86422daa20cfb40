"""Which cells each rule needs, so that a budget can pay for those first."""

from collections.abc import Callable, Iterator, Sequence

from analysis.laws.preconditions import CHECKS, law_points
from analysis.rules.kinds.arms import regimes_of
from analysis.rules.kinds.levels import in_regime, regime_of
from analysis.rules.rule import KINDS, Preregistration, Rule
from analysis.stats.contrast import check_overlap
from analysis.study.arms import Pair
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import matches_of
from analysis.study.study_cells import StudyCells

# Config ids of cells that are enough for a rule.
CellIds = frozenset[str]
COST = "flops"


def sufficient_cells(cells: StudyCells, prereg: Preregistration, rule: Rule) -> list[CellIds]:
    """Sets of planned cells, each of which is enough for the rule; none if nothing is.

    `levels`: every pair of cells that differ in the level alone. Rules about arms: both arms at one
    setting of the other axes in the shortest and the longest regime, whole and as far as the
    common range of cost asks. Laws: their regime, whole and its cheapest configurations.
    """
    try:
        return list(dict.fromkeys(_needs(cells, prereg, rule)))
    except PreconditionError:
        return []


def _needs(cells: StudyCells, prereg: Preregistration, rule: Rule) -> Iterator[CellIds]:
    if rule.kind == "levels":
        for match in matches_of(in_regime(cells, rule), rule.along, rule.levels):
            yield _ids((match.first, match.second))
    elif "arms" in KINDS[rule.kind]:
        yield from _of_arms(cells, prereg, rule)
    elif rule.kind in CHECKS:
        yield from _of_law(cells, rule)


def _ids(cells: Sequence[Cell]) -> CellIds:
    return frozenset(cell.config_id for cell in cells)


def _of_arms(cells: StudyCells, prereg: Preregistration, rule: Rule) -> Iterator[CellIds]:
    short, long = (
        {pair.label: pair for pair in cells.pairs(epochs, COST, rule.arms)}
        for epochs in regimes_of(cells)
    )
    for label in short:
        if label in long:
            both = short[label], long[label]
            yield _ids([c for pair in both for c in _least(pair, prereg.min_overlap).cells])
            yield _ids([c for pair in both for c in pair.cells])


def _least(pair: Pair, min_overlap: float) -> Pair:
    """The cheapest cells of both arms that share enough range of cost; else the whole pair."""
    costs = sorted({c.cost(COST) or 0.0 for c in pair.cells})

    def up_to(cost: float) -> Pair:
        arms = (tuple(c for c in arm if (c.cost(COST) or 0.0) <= cost) for arm in pair[1:])
        return Pair(pair.label, *arms)

    def enough(cost: float) -> None:
        part = up_to(cost)
        if min(len(part.first), len(part.second)) < 2:
            raise PreconditionError("an arm is a curve through two cells or more")
        check_overlap([part], COST, min_overlap)

    found = _first(costs, enough)
    return pair if found is None else up_to(found)


def _of_law(cells: StudyCells, rule: Rule) -> Iterator[CellIds]:
    epochs = regime_of(cells, rule)
    assert epochs is not None
    regime = sorted(cells.regime(epochs), key=lambda c: c.cost(COST) or 0.0)
    law_points(StudyCells(regime), rule.kind, epochs, COST)

    def enough(count: float) -> None:
        law_points(StudyCells(regime[: int(count)]), rule.kind, epochs, COST)

    count = _first([float(n) for n in range(1, len(regime) + 1)], enough)
    yield _ids(regime[: int(count or len(regime))])
    yield _ids(regime)


def _first(values: Sequence[float], check: Callable[[float], None]) -> float | None:
    """The least of rising values that passes, by halving: what is enough stays so with more."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        try:
            check(values[middle])
        except PreconditionError:
            low = middle + 1
        else:
            high = middle
    return values[low] if low < len(values) else None
