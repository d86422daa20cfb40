"""Which look at a study its verdicts are read at, by how many runs each of its cells has.

A look is planned where nobody could have chosen it by looking: every cell has as many runs as a
declared look says (`looks`), or, where none is declared, as the frozen plan says. Cells may be
planned with unequal seeds; a declared look then counts their mean, as long as the counts are those
of the frozen plan or were chosen by a frozen allocation. Every other look is unplanned: runs beyond
the plan or between two looks, seeds added to some cells only, planned runs that are missing. It
takes the interval that holds at any number of looks.

The share of the final information is that of the seeds at a planned look, else that of the harmonic
mean of the cells' runs: the variance of a cell's mean falls with its runs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import harmonic_mean

from analysis.rules.freeze import Freeze
from analysis.stats.sequential import Look

ROUNDS = "the end of each round"


@dataclass(frozen=True)
class StudyLook:
    """A look at `seeds` (least, most) per cell; `planned` says when looks were, in `unit`.

    `number` is the place of a planned look among `of`, 0 for an unplanned one.
    """

    look: Look
    seeds: tuple[int, int] = (0, 0)
    planned: str = ""
    number: int = 1
    of: int = 1
    unit: str = " seeds per cell"

    def text(self, alpha: float) -> str:
        """Which look this is and what it does to intervals; empty where it is the only one."""
        if self.look.only:
            return ""
        if not self.look.planned:
            return (
                f"a look at {_span(self.seeds)} seeds per cell was not planned (planned: "
                f"{self.planned}): the interval is one that holds at any number of looks, and wider"
            )
        return (
            f"look {self.number} of {self.of} (at {self.planned}{self.unit}): the interval is "
            f"at level {self.look.nominal(alpha):.3g}, so that all looks together keep {alpha:g}"
        )


def study_look(
    runs: Mapping[str, int],
    looks: Sequence[int] = (),
    plan: Mapping[str, int] | None = None,
    by_rule: bool = False,
    whole: bool = True,
) -> StudyLook:
    """The look at a study whose cells have so many `runs`, finished or excluded by the rules.

    `looks` are the declared ones in seeds per cell, `plan` the runs per cell that were frozen first
    (None: not known), `by_rule` whether a frozen allocation chose all later ones, `whole` whether
    nothing that was frozen is missing. Without `looks` and `plan` nothing says that there is more
    than one look.
    """
    if not looks and plan is None:
        return StudyLook(Look())
    plan = plan or {}
    counts = {cell: runs.get(cell, 0) for cell in {**plan, **runs}}
    seeds = min(counts.values()), max(counts.values())
    planned = ", ".join(map(str, looks)) or _span((min(plan.values()), max(plan.values())))
    number = _planned(counts, looks, plan, by_rule) if whole else 0
    if number:
        shares = [n / looks[-1] for n in looks[:number]] or [1.0]
        look = Look(shares[-1], tuple(shares[:-1]))
        return StudyLook(look, seeds, planned, number, max(len(looks), 1))
    last = looks[-1] if looks else harmonic_mean(plan.values())
    share = harmonic_mean([n for n in counts.values() if n]) / last
    return StudyLook(Look(share, planned=False), seeds, planned, number=0)


def look_since_freeze(
    runs: Mapping[str, str], looks: Sequence[int], frozen: Freeze | None
) -> StudyLook:
    """The look at a study that was frozen; `runs` gives the cell of each one that counts."""
    if frozen is None:
        return study_look(Counter(runs.values()), looks)
    counts = Counter(frozen.runs.get(run, cell) for run, cell in runs.items())
    if frozen.shares:
        return _round_look(counts, frozen, frozen.runs.keys() <= runs.keys())
    whole = frozen.runs.keys() <= runs.keys()
    return study_look(counts, looks, frozen.planned, frozen.by_allocation, whole)


def _round_look(counts: Mapping[str, int], frozen: Freeze, whole: bool) -> StudyLook:
    """The look after the last round of an adaptive study; unplanned until all its runs count."""
    shares, seeds = frozen.shares, (min(counts.values()), max(counts.values()))
    if not whole:
        return StudyLook(Look(shares[-1], planned=False), seeds, ROUNDS, 0, unit="")
    rounds = (frozen.allocation or {}).get("rounds", len(shares))
    return StudyLook(Look(shares[-1], shares[:-1]), seeds, ROUNDS, len(shares), rounds, "")


def _planned(
    counts: Mapping[str, int], looks: Sequence[int], plan: Mapping[str, int], by_rule: bool
) -> int:
    """The place of the planned look at which cells have these counts; 0 if there is none."""
    if not looks:
        return int(counts == plan)
    if len(set(counts.values())) == 1 or counts == plan or by_rule:
        total = sum(counts.values())
        return next((k for k, n in enumerate(looks, 1) if n * len(counts) == total), 0)
    return 0


def _span(ends: Iterable[int]) -> str:
    return " to ".join(map(str, dict.fromkeys(ends)))
