"""Limits on what a study may cost, and the best subset of a plan within them.

The budget is for the whole study, not for one call: runs that the study started before count, and
runs that it found finished are free.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import is_number, one_value, require
from scaling_study.config.keys import check_group
from scaling_study.cost.device_times import UnmeasuredError
from scaling_study.cost.time_model import COVERAGE
from scaling_study.planning.labels import labelled_by, to_label
from scaling_study.planning.parents import needed, with_needed
from scaling_study.planning.plan import Planned
from scaling_study.study.axes import AXES
from scaling_study.study.result import FINISHED

# Finished runs are paid for; running and queued ones will be, whatever is chosen here.
PAID = (*FINISHED, "running", "queued")
LEVELS = tuple(axis.name for axis in reversed(AXES))

# Score of a subset of the plan; scores are compared lexicographically, higher is better.
Score = Callable[[Sequence[Planned]], tuple[float, ...]]
# For each rule: alternative sets of config ids, each sufficient to test it.
SufficientSets = Sequence[Sequence[frozenset[str]]]


@dataclass(frozen=True)
class Budget:
    """Limits for the runs of a study, None for no limit; with `fit` the best subset is trained.

    `train_flops` are those of training (of a trunk once), of labels by teachers and of evaluations
    while training; the one at the end, which every run has, is not among them. `own` are the ids of
    runs that the study has started itself: their costs count.
    """

    gpu_hours: float | None
    train_flops: float | None
    fit: bool
    own: frozenset[str] = frozenset()

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set."""
        both = {"train_flops": self.train_flops, "gpu_hours": self.gpu_hours}
        return {name: limit for name, limit in both.items() if limit is not None}

    def needed(self, rows: Iterable[Planned]) -> dict[str, float]:
        """Costs of the runs in `rows` that are not done, see `cost`."""
        return self.cost([row for row in rows if row.state not in PAID], labelled=False)

    def spent(self, rows: Iterable[Planned]) -> dict[str, float]:
        """What the study's own runs among `rows` have cost, or will when they are done."""
        own = [r for r in rows if r.state in PAID and r.run.run_id in self.own]
        return self.cost(own, labelled=True)

    def free(self, rows: Iterable[Planned]) -> list[Planned]:
        """Those of `rows` that another study has paid for."""
        return [row for row in rows if row.state in PAID and row.run.run_id not in self.own]

    def cost(self, rows: Sequence[Planned], labelled: bool | None = None) -> dict[str, float]:
        """Costs of `rows`, done or not, in the limited units.

        The labels that they need of their teachers count once: all of them, or only those that are
        there (`labelled`) or are not.

        Raises an UnmeasuredError if GPU-hours are limited and a forecast is blank.
        """
        found = {}
        every = labelled_by(rows).values()
        labels = [one for one in every if labelled is None or one.done == labelled]
        if self.train_flops is not None:
            own = [row.cost.own_train_flops for row in rows]
            flops = [count for count in own if count is not None]
            if len(flops) < len(rows):
                why = "those of some runs are blank, because torch cannot count them"
                if any(row.run.program is not None for row in rows):
                    why = "those of a program are not known; give a formula, task.costs.train_flops"
                raise InputError(f"budget.train_flops={self.train_flops:g}: {why}")
            flops += [row.cost.curve_flops or 0 for row in rows]
            flops += [one.flops or 0 for one in labels]
            found["train_flops"] = float(sum(flops))
        if self.gpu_hours is not None:
            hours = [row.hours for row in rows if row.hours is not None]
            if len(hours) < len(rows):
                raise UnmeasuredError(f"budget.gpu_hours={self.gpu_hours:g}")
            hours += [one.gpu_hours.value for one in labels if one.gpu_hours]
            found["gpu_hours"] = sum(hours)
        return found

    def allows(self, part: Sequence[Planned], rows: Sequence[Planned]) -> bool:
        """Whether what remains of `part` is within the limits, given what `rows` cost so far."""
        if all(row.state in PAID for row in part):
            return True
        needed, spent = self.needed(part), self.spent(rows)
        return all(needed[name] + spent[name] <= limit for name, limit in self.limits.items())

    def may_exceed(self, rows: Sequence[Planned]) -> str:
        """A warning if the upper end of the forecast exceeds the limit, else an empty string."""
        missing = [row for row in rows if row.state not in PAID]
        if self.gpu_hours is None or not missing:
            return ""
        value = self.needed(missing)["gpu_hours"]
        hours = [one.gpu_hours for part in (missing, to_label(missing)) for one in part]
        high = sum(one.high for one in hours if one)
        if high + self.spent(rows)["gpu_hours"] <= self.gpu_hours:
            return ""
        return (
            f"budget.gpu_hours={self.gpu_hours:g}: the runs to do are forecast to need "
            f"{value:.3g} hours, but the upper end of the {100 * COVERAGE:g} % interval, "
            f"{high:.3g}, exceeds the limit"
        )


def budget_of(settings: Mapping[str, Any]) -> Budget:
    """The settings under `budget`; raises an InputError for a limit that is no number above 0."""
    values = check_group(settings, "budget", ("gpu_hours", "train_flops", "fit"))
    for name in ("gpu_hours", "train_flops"):
        limit = values[name]
        good = limit is None or (is_number(limit) and limit > 0)
        require(good, f"budget.{name}", repr(limit), "must be a number above 0, or null")
    fit = one_value(bool, values["fit"], "budget.fit")
    return Budget(values["gpu_hours"], values["train_flops"], fit)


def affordable(
    rows: Sequence[Planned], budget: Budget, score: Score, needs: SufficientSets = ()
) -> list[Planned]:
    """The subset of a plan within the budget with the highest score; empty if none fits.

    A subset has the runs that its cells start from; the score is about its cells. Candidates: the
    cells that rules need, alone and together; the plan without the upper levels of
    one axis; the cheapest cells that fit; each also with fewer seeds; and the runs already paid.
    Ties go to the most runs. Finished runs of the study cost as much as before, so that the same
    call finds the same subset again.
    """
    distinct = {tuple(row.run.run_id for row in part): part for part in _parts(rows, budget, needs)}
    whole = [with_needed(part, rows) for part in distinct.values() if part]
    fitting = [part for part in whole if budget.allows(part, rows)]
    return max(fitting, key=lambda part: (*score(_cells(part)), len(part)), default=[])


def _cells(rows: Sequence[Planned]) -> list[Planned]:
    return [row for row in rows if not row.stage]


def _parts(
    rows: Sequence[Planned], budget: Budget, needs: SufficientSets
) -> Iterator[list[Planned]]:
    every, rows = rows, _cells(rows)
    yield [row for row in rows if row.state in PAID]
    seeds = sorted({row.run.seed for row in rows})
    for kept in range(len(seeds), 0, -1):
        some = [row for row in rows if row.run.seed in seeds[:kept]]
        for axis in LEVELS:
            for top in sorted({row.columns[axis] for row in some}):
                yield [row for row in some if row.columns[axis] <= top]
        prices = _Prices(some, budget, [row for row in every if row.stage])
        free = {row.columns["config_id"] for row in budget.free(some)}
        # Cells, cheapest first, while they fit.
        cheapest = _filled(prices, [frozenset({cell}) for cell in prices.cells], frozenset(free))
        for chosen_cells in (cheapest, *_for_rules(prices, needs)):
            yield prices.rows_of(chosen_cells)
            yield prices.rows_of(chosen_cells | free)


class _Prices:
    """Costs of whole cells, with all of their seeds in `rows`, as fractions of each limit.

    A cell pays for those of `parents` that it starts from, together with other such cells.
    """

    def __init__(self, rows: Sequence[Planned], budget: Budget, parents: Sequence[Planned]) -> None:
        self._rows = rows
        paid: dict[str, list[Planned]] = {row.columns["config_id"]: [] for row in rows}
        free = {row.run.run_id for row in budget.free(rows)}
        for row in rows:
            if row.run.run_id not in free:
                paid[row.columns["config_id"]].append(row)
        self._shares = {cell: self._share(budget, own) for cell, own in paid.items()}
        free |= {row.run.run_id for row in budget.free(parents)}
        self._of_parent = {
            row.run.run_id: self._share(budget, [row])
            for row in parents
            if row.run.run_id not in free
        }
        self._parents = {
            cell: frozenset(row.run.run_id for row in needed(parents, own)) & self._of_parent.keys()
            for cell, own in (paid.items() if parents else ())
        }
        # All config ids, cheapest first.
        self.cells = sorted(self._shares, key=lambda cell: self.of({cell}))

    @staticmethod
    def _share(budget: Budget, rows: Sequence[Planned]) -> tuple[float, ...]:
        return tuple(cost / budget.limits[name] for name, cost in budget.cost(rows).items())

    def of(self, ids: Collection[str]) -> tuple[float, ...]:
        """The price of some cells; above 1 it exceeds that limit."""
        shared = frozenset().union(*(self._parents.get(key, ()) for key in ids))
        parts = [*(self._shares[key] for key in ids), *(self._of_parent[key] for key in shared)]
        return tuple(map(sum, zip(*parts, strict=True)))

    def of_both(
        self, chosen: frozenset[str], spent: tuple[float, ...], more: frozenset[str]
    ) -> tuple[float, ...]:
        """The price of `chosen`, which is `spent`, and of `more` cells together."""
        if self._of_parent:
            return self.of(chosen | more)
        added = self.of(more - chosen)
        return tuple(a + b for a, b in zip_longest(spent, added, fillvalue=0.0))

    def fit(self, ids: Collection[str]) -> bool:
        return max(self.of(ids), default=0) <= 1

    def rows_of(self, ids: Collection[str]) -> list[Planned]:
        return [row for row in self._rows if row.columns["config_id"] in ids]


def _filled(
    prices: _Prices, sets: Sequence[frozenset[str]], chosen: frozenset[str] = frozenset()
) -> frozenset[str]:
    """`chosen`, and each of `sets` in turn if it still fits."""
    spent = prices.of(chosen)
    for one in sets:
        together = prices.of_both(chosen, spent, one)
        if max(together, default=0) <= 1:
            chosen, spent = chosen | one, together
    return chosen


def _for_rules(prices: _Prices, needs: SufficientSets) -> Iterator[frozenset[str]]:
    """Cells for each rule alone, then for one more rule at a time, and last all that fits.

    The next rule is the one whose cells add the least cost.
    """
    known = set(prices.cells)
    affordable = ([s for s in sets if s <= known and prices.fit(s)] for sets in needs)
    open_rules = [sorted(sets, key=prices.of) for sets in affordable if sets]
    every = sorted({s for sets in open_rules for s in sets}, key=prices.of)
    for sets in open_rules:
        yield sets[0]
        yield _filled(prices, sets)
    chosen: frozenset[str] = frozenset()
    while open_rules:
        unions = [(n, chosen | s) for n, sets in enumerate(open_rules) for s in sets]
        fitting = [(number, union) for number, union in unions if prices.fit(union)]
        if not fitting:
            break
        number, chosen = min(fitting, key=lambda found: prices.of(found[1]))
        del open_rules[number]
        yield chosen
    yield _filled(prices, every, chosen)


def excess(rows: Sequence[Planned], budget: Budget) -> str:
    """The plan's cost next to each limit that it exceeds."""
    spent, parts = budget.spent(rows), []
    for name, cost in budget.needed(rows).items():
        if cost + spent[name] > budget.limits[name]:
            limit = f"budget.{name}={budget.limits[name]:g}"
            already = f", {spent[name]:.4g} is spent already" if spent[name] else ""
            parts.append(f"{limit}: the runs to do need {cost:.4g}{already}")
    return "; ".join(parts)
