"""A budget that bites: what of a plan it pays for, and which part of that decides most.

The budget is the study's, not a call's: what runs that the study has started have cost counts, and
runs that it found finished are free.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.config.keys import check_group
from scaling_study.cost.device_times import UnmeasuredError
from scaling_study.cost.time_model import COVERAGE
from scaling_study.planning.plan import Planned
from scaling_study.study.result import FINISHED

# Finished runs are paid for; those in work elsewhere will be, whatever is decided here.
PAID = (*FINISHED, "running", "queued")
LEVELS = ("seed", "epochs", "resolution", "width", "depth")

# How much a part of a plan decides: more is better, compared in order.
Score = Callable[[Sequence[Planned]], tuple[float, ...]]
# For each rule sets of config ids, each of which is enough for it.
SufficientSets = Sequence[Sequence[frozenset[str]]]


@dataclass(frozen=True)
class Budget:
    """Limits for the runs of a study; None does not limit. `fit` takes what fits.

    `own` are the runs that the study has started itself, by their ids: their costs count.
    """

    gpu_hours: float | None
    train_flops: float | None
    fit: bool
    own: frozenset[str] = frozenset()

    @property
    def limits(self) -> dict[str, float]:
        """The limits that there are."""
        both = {"train_flops": self.train_flops, "gpu_hours": self.gpu_hours}
        return {name: limit for name, limit in both.items() if limit is not None}

    def needed(self, rows: Iterable[Planned]) -> dict[str, float]:
        """What the runs to do among `rows` cost, in the units that are limited.

        Raises:
            UnmeasuredError: GPU-hours are limited and a forecast is blank.
        """
        return self._cost([row for row in rows if row.state not in PAID])

    def spent(self, rows: Iterable[Planned]) -> dict[str, float]:
        """What the study's own runs among `rows` have cost, or will when they are done."""
        return self._cost([row for row in rows if self._counts(row)])

    def _counts(self, row: Planned) -> bool:
        return row.state in PAID and row.run.run_id in self.own

    def free(self, rows: Iterable[Planned]) -> list[Planned]:
        """Those of `rows` that cost the study nothing: others have paid for them."""
        return [row for row in rows if row.state in PAID and not self._counts(row)]

    def _cost(self, rows: Sequence[Planned]) -> dict[str, float]:
        found = {}
        if self.train_flops is not None:
            found["train_flops"] = float(sum(row.cost.train_flops for row in rows))
        if self.gpu_hours is not None:
            hours = [_hours(row) for row in rows]
            if None in hours:
                raise UnmeasuredError(f"budget.gpu_hours={self.gpu_hours:g}")
            found["gpu_hours"] = sum(h for h in hours if h is not None)
        return found

    def shares(self, rows: Sequence[Planned]) -> tuple[float, ...]:
        """What `rows` cost, to do or done, as shares of the limits."""
        return tuple(cost / self.limits[name] for name, cost in self._cost(rows).items())

    def allows(self, part: Sequence[Planned], rows: Sequence[Planned]) -> bool:
        """Whether the runs to do in `part` can be paid, after what all `rows` have cost so far."""
        if all(row.state in PAID for row in part):
            return True
        needed, spent = self.needed(part), self.spent(rows)
        return all(needed[name] + spent[name] <= limit for name, limit in self.limits.items())

    def may_exceed(self, rows: Sequence[Planned]) -> str:
        """A warning where the upper end of the forecast exceeds the limit, else nothing."""
        missing = [row for row in rows if row.state not in PAID]
        if self.gpu_hours is None or not missing:
            return ""
        needs = f"budget.gpu_hours={self.gpu_hours:g}: the runs to do are forecast to need"
        value = self.needed(missing)["gpu_hours"]
        high = sum(row.gpu_hours.high for row in missing if row.gpu_hours)
        if high + self.spent(rows)["gpu_hours"] <= self.gpu_hours:
            return ""
        return (
            f"{needs} {value:.3g} hours, but the upper end of the {100 * COVERAGE:g} % interval, "
            f"{high:.3g}, exceeds the limit"
        )


def _hours(row: Planned) -> float | None:
    """GPU-hours that a finished run took, or that another is forecast to take."""
    if row.actual_gpu_hours is not None:
        return row.actual_gpu_hours
    return row.gpu_hours.value if row.gpu_hours else None


def budget_of(settings: Mapping[str, Any]) -> Budget:
    """The settings under `budget`.

    Raises:
        InputError: a limit that is no number above 0.
    """
    values = check_group(settings, "budget", ("gpu_hours", "train_flops", "fit"))
    for name in ("gpu_hours", "train_flops"):
        limit = values[name]
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        good = limit is None or (number and limit > 0)
        require(good, f"budget.{name}", repr(limit), "must be a number above 0, or null")
    fit = values["fit"]
    if not isinstance(fit, bool):
        raise InputError(f"budget.fit={fit!r}: must be true or false")
    return Budget(values["gpu_hours"], values["train_flops"], fit)


def affordable(
    rows: Sequence[Planned], budget: Budget, worth: Score, needs: SufficientSets = ()
) -> list[Planned]:
    """The part of a plan within the budget that is worth most; empty if nothing can be paid.

    Looked at are the cells that rules need, alone and together, the plan without its upper levels
    of one axis, all of this without some of its seeds too, its cheapest cells as far as the money
    goes, and what is paid already; with equal worth, the most runs win. Runs of the study that are
    done count as much as when they were to do, so that the same call finds the same part again.
    """
    distinct = {tuple(row.run.run_id for row in part): part for part in _parts(rows, budget, needs)}
    fitting = [part for part in distinct.values() if part and budget.allows(part, rows)]
    return max(fitting, key=lambda part: (*worth(part), len(part)), default=[])


def _parts(
    rows: Sequence[Planned], budget: Budget, needs: SufficientSets
) -> Iterator[list[Planned]]:
    yield [row for row in rows if row.state in PAID]
    seeds = sorted({row.run.seed for row in rows})
    for kept in range(len(seeds), 0, -1):
        chosen = set(seeds[:kept])
        some = [row for row in rows if row.run.seed in chosen]
        yield from _without_levels(some)
        prices = _Prices(some, budget)
        free = {row.columns["config_id"] for row in budget.free(some)}
        for chosen_cells in (*_cheapest(prices, free), *_for_rules(prices, needs)):
            yield prices.rows_of(chosen_cells)
            yield prices.rows_of(chosen_cells | free)


def _without_levels(rows: Sequence[Planned]) -> Iterator[list[Planned]]:
    for axis in LEVELS:
        levels = sorted({row.columns[axis] for row in rows})
        for top in levels:
            yield [row for row in rows if row.columns[axis] <= top]


class _Prices:
    """What whole cells, with all of their seeds in `rows`, cost as shares of each limit.

    Runs that the study has started itself cost as much when they are done as before.
    """

    def __init__(self, rows: Sequence[Planned], budget: Budget) -> None:
        self._rows = rows
        cells: dict[str, list[Planned]] = {}
        free = {row.run.run_id for row in budget.free(rows)}
        for row in rows:
            cells.setdefault(row.columns["config_id"], [])
            if row.run.run_id not in free:
                cells[row.columns["config_id"]].append(row)
        self._shares = {key: budget.shares(cell) for key, cell in cells.items()}

    @property
    def cells(self) -> list[str]:
        """All config ids, cheapest first."""
        return sorted(self._shares, key=self._shares.__getitem__)

    def of(self, ids: Collection[str]) -> tuple[float, ...]:
        """The price of some cells; what is too dear has a share above 1."""
        return tuple(map(sum, zip(*(self._shares[key] for key in ids), strict=True)))

    def fit(self, ids: Collection[str]) -> bool:
        return all(share <= 1 for share in self.of(ids))

    def rows_of(self, ids: Collection[str]) -> list[Planned]:
        return [row for row in self._rows if row.columns["config_id"] in ids]


def _cheapest(prices: _Prices, free: Collection[str]) -> Iterator[frozenset[str]]:
    """Cells, cheapest first, while they fit."""
    yield _filled(prices, [frozenset({cell}) for cell in prices.cells], frozenset(free))


def _filled(
    prices: _Prices, sets: Sequence[frozenset[str]], taken: frozenset[str]
) -> frozenset[str]:
    """`taken` and one set after the other that still fits."""
    spent = prices.of(taken)
    for one in sets:
        more = prices.of(one - taken)
        together = tuple(a + b for a, b in zip_longest(spent, more, fillvalue=0.0))
        if all(share <= 1 for share in together):
            taken, spent = taken | one, together
    return taken


def _for_rules(prices: _Prices, needs: SufficientSets) -> Iterator[frozenset[str]]:
    """Cells for each rule alone, then for one rule more at a time, and last all that fits.

    The next rule is the one that costs least on top of what is taken.
    """
    known = set(prices.cells)
    affordable = ([s for s in sets if s <= known and prices.fit(s)] for sets in needs)
    open_rules = [sorted(sets, key=prices.of) for sets in affordable if sets]
    every = sorted({s for sets in open_rules for s in sets}, key=prices.of)
    for sets in open_rules:
        yield sets[0]
        yield _filled(prices, sets, frozenset())
    taken: frozenset[str] = frozenset()
    while open_rules:
        costs = [
            (prices.of(taken | s), number, s)
            for number, sets in enumerate(open_rules)
            for s in sets
            if prices.fit(taken | s)
        ]
        if not costs:
            break
        _, number, chosen = min(costs, key=lambda found: found[:2])
        taken |= chosen
        del open_rules[number]
        yield taken
    yield _filled(prices, every, taken)


def excess(rows: Sequence[Planned], budget: Budget) -> str:
    """What the plan costs against each limit that it breaks."""
    spent, parts = budget.spent(rows), []
    for name, cost in budget.needed(rows).items():
        if cost + spent[name] > budget.limits[name]:
            beside = f", {spent[name]:.4g} is spent already" if spent[name] else ""
            parts.append(
                f"budget.{name}={budget.limits[name]:g}: the runs to do need {cost:.4g}{beside}"
            )
    return "; ".join(parts)
