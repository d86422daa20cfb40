"""Studies that are read several times, until a look decides: planned, unplanned and uneven ones."""

from collections.abc import Sequence

from analysis.stats.contrast import Gap
from calibration.case import Case, Counts, Stage
from calibration.simulator import study

# True effects of both regimes at the margin, where a verdict of either side is wrong; of R4 a
# short gap that hardly decides and a long one that loses.
AT_MARGIN = {"R1-long": (0.0, 0.005), "R1-interaction": (0.0, 0.005), "R4": (0.002, 0.05)}
TRUTH = {"R1-long": 0.005, "R1-interaction": 0.005}
PLANNED, UNTIL_DECIDED = (3, 5, 10), (3, 4, 5, 6, 8, 10)
# Seeds of the base, of the depth arm's two cells and of the width arm's two.
UNEVEN = ((3, 3, 3, 3, 3), (3, 5, 5, 3, 3), (3, 8, 8, 5, 5), (3, 10, 10, 10, 10))
NOISIER = (1, 3, 1, 3, 1)


def seeds(number: int) -> Stage:
    """So many seeds of every cell."""
    return lambda counts, _: dict.fromkeys(counts, number)


def seeds_each(numbers: Sequence[int]) -> Stage:
    """So many seeds of each cell, by its place."""
    return lambda counts, _: {cell: numbers[_place(cell)] for cell in counts}


def more_of_an_arm(number: int) -> Stage:
    """So many more seeds of the arm that looks worse than the truth, as if it had bad luck."""

    def extended(counts: Counts, gap: Gap | None) -> Counts:
        arm = (3, 4) if gap is not None and gap.estimate < TRUTH["R1-long"] else (1, 2)
        return {cell: n + number * (_place(cell) in arm) for cell, n in counts.items()}

    return extended


def _place(cell: str) -> int:
    return int(cell.partition("-")[0].removeprefix("c"))


UNPLANNED = {
    "at 3, 4, 5, 6, 8, 10 seeds until decided, unplanned": [*map(seeds, UNTIL_DECIDED)],
    "with seeds for some cells only, unplanned": [*map(seeds_each, UNEVEN)],
    "with 2 seeds more for the arm that is behind, unplanned": [
        seeds(3),
        *(more_of_an_arm(2) for _ in range(3)),
    ],
}


def _case(
    rule: str,
    how: str,
    stages: Sequence[Stage],
    planned: Sequence[int] = (),
    factors: Sequence[float] | None = None,
) -> Case:
    made = study(*AT_MARGIN[rule], seeds=10, factors=factors)
    noise = ", middle cells 3x noisier" if factors else ""
    truth = TRUTH[rule] if rule in TRUTH else made.regret()
    rules = {"looks": [*planned]}
    return Case(rule, f"looks {how}{noise}", truth, made.rows, rules, stages=tuple(stages))


def _of(rule: str) -> list[Case]:
    planned = _case(rule, "at 3, 5, 10 seeds, planned", [*map(seeds, PLANNED)], PLANNED)
    return [planned, *(_case(rule, how, stages) for how, stages in UNPLANNED.items())]


CASES = [
    *(case for rule in ("R1-long", "R1-interaction", "R4") for case in _of(rule)),
    _case("R1-long", "at 3, 5, 10 seeds, planned", [*map(seeds, PLANNED)], PLANNED, NOISIER),
    *(
        _case("R1-long", how, stages, factors=NOISIER)
        for how, stages in list(UNPLANNED.items())[:2]
    ),
]
