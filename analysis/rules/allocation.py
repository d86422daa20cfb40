"""Which cells get how many seeds: as many as the contrasts of the declared rules gain from.

`seed_weights` says what a cell's seeds do for the contrasts; here are cells, costs and budgets.

A cell at other learning rates, which a tuned rule needs at the ends of its arms, has as many seeds
as the same cell at its own rate, whose seeds are the dearer for it: that is what the error rates of
tuned rules were simulated with, and one seed would not say how the parabola scatters.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analysis.rules.declared_allocation import ADAPTIVE, Allocation
from analysis.rules.design_analysis import untestable_at_forecast
from analysis.rules.evidence import Evidence
from analysis.rules.planned import PlannedStudy, Planning, at_forecast_costs, planned_cells
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule
from analysis.rules.seed_weights import Seeds, contrasts, importance, spread
from analysis.rules.tuned import but_rate
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise_prior import published_prior
from scaling_study.common.errors import InputError

Row = Mapping[str, Any]
# Seeds that a cell of a contrast needs, so that it is known how it scatters.
LEAST = 2


def _network(cell: Cell) -> tuple[Any, ...]:
    """What tells a cell's network from others, however long and at which rate it is trained."""
    return cell.depth, cell.width, cell.resolution, cell.comparison_group


@dataclass(frozen=True)
class Design:
    """The runs that may be trained, as rows of a plan, under the declared rules.

    Rows have what `design_analysis.decidable` needs, and `train_flops`.
    """

    rows: Sequence[Row]
    prereg: Preregistration
    planning: Planning
    allocation: Allocation

    @cached_property
    def most(self) -> dict[str, int]:
        """How many seeds each cell may have, by config_id."""
        return dict(Counter(str(row["config_id"]) for row in self.rows))

    @cached_property
    def costs(self) -> dict[str, float]:
        """What one run of each cell costs: 1 where runs are counted, else training FLOPs."""
        runs = self.allocation.unit == "runs"
        if not runs and any(row["train_flops"] is None for row in self.rows):
            raise InputError(
                "allocation: the runs of a program have no known train_flops; give a formula, "
                "task.costs.train_flops, or a budget of runs"
            )
        return {str(r["config_id"]): 1.0 if runs else float(r["train_flops"]) for r in self.rows}

    def spent(self, seeds: Seeds) -> float:
        """What so many seeds per cell cost."""
        return sum(n * self.costs[key] for key, n in seeds.items())

    @cached_property
    def owners(self) -> dict[str, str]:
        """The cells at other rates that a tuned rule uses, with the same cell at its own rate."""
        if not any(rule.tuned for rule in self.rules):
            return {}
        cells = self.whole.cells
        own = {but_rate(cell): cell.config_id for cell in cells}
        return {cell.config_id: own[but_rate(cell)] for cell in cells.tuning}

    @cached_property
    def _costs_with_rates(self) -> dict[str, float]:
        """What one more seed of each cell costs with those at other rates that follow it."""
        costs = dict(self.costs)
        for key, own in self.owners.items():
            costs[own] += self.costs[key]
        return costs

    def path(self, start: Seeds, budget: float, gains: Mapping[str, float]) -> Iterator[Seeds]:
        """The seeds per cell from `start` on that `spread` gives, with those that follow them."""
        for seeds in spread(start, self.most, self._costs_with_rates, budget, gains):
            yield self._followed(seeds)

    def _followed(self, seeds: Seeds) -> dict[str, int]:
        return {**seeds, **{key: seeds.get(own, 0) for key, own in self.owners.items()}}

    def chosen(self, seeds: Seeds) -> list[Row]:
        """The rows of the first seeds of each cell, in the order of `rows`."""
        rank = Counter[str]()
        places = sorted(range(len(self.rows)), key=lambda i: int(self.rows[i]["seed"]))
        kept = set()
        for i in places:
            key = str(self.rows[i]["config_id"])
            rank[key] += 1
            if rank[key] <= seeds.get(key, 0):
                kept.add(i)
        return [row for i, row in enumerate(self.rows) if i in kept]

    def plan(self, seeds: Seeds) -> PlannedStudy:
        """The planned study with so many seeds per cell.

        Where no pilot says how seeds scatter the published prior does, not the store: the
        same grid gives the same runs.
        """
        return self._planned(self.chosen(seeds))

    def _planned(self, rows: Sequence[Row]) -> PlannedStudy:
        cells = planned_cells(rows, self.planning, self.prereg.base, self.prereg.arms)
        return PlannedStudy(cells, self.prereg, self.planning, published_prior())

    def extended(self, study: Evidence, trained: Seeds, rule: Rule) -> tuple[PlannedStudy, str]:
        """The `trained` cells with all their candidates, and the cost at which to compare them.

        It is the rule's, as measured: what a cell without results lacks is known of its network in
        another regime. Where nothing is known of a network, costs are forecast ones.
        """
        measured = (*study.cells, *study.cells.tuning)
        known: dict[str, float | None] = {c.config_id: c.cost(rule.cost) for c in measured}
        networks = {_network(cell): cell.cost(rule.cost) for cell in measured}
        rows = self.chosen({key: self.most[key] for key, n in trained.items() if n})
        whole = self._planned(rows)
        cells = {c.config_id: _network(c) for c in (*whole.cells, *whole.cells.tuning)}
        if not networks.keys() >= {*cells.values()}:
            forecast = self._planned(at_forecast_costs(rows))
            return forecast, forecast.cost(rule)

        def cost(row: Row) -> float | None:
            key = str(row["config_id"])
            if key in known:
                return known[key]
            found: float | None = row.get(rule.cost) or networks[cells[key]]
            return found

        return self._planned([{**row, rule.cost: cost(row)} for row in rows]), rule.cost

    @cached_property
    def untestable(self) -> dict[str, str]:
        """The rules that forecast step times keep from a test, by name, each with the reason."""
        forecast = self._planned(at_forecast_costs(self.rows))
        found = {rule.name: untestable_at_forecast(forecast, rule) for rule in self.rules}
        return {name: reason for name, reason in found.items() if reason}

    @cached_property
    def whole(self) -> PlannedStudy:
        """The planned study with all candidates."""
        return self.plan(self.most)

    @cached_property
    def rules(self) -> list[Rule]:
        """The rules that the allocation is for: those that runs decide."""
        names = self.allocation.rules
        named = (rule for rule in self.prereg.rules if not names or rule.name in names)
        return [rule for rule in named if not find_kind(rule.kind).parts(rule)]

    def half_widths(self, seeds: Seeds) -> dict[str, float]:
        """Half of each rule's interval (relative error), of the widest of its contrasts."""
        found = dict[str, float]()
        plan = self.plan(seeds)
        for rule in self.rules:
            if gaps := contrasts(plan, rule, plan.cost(rule)):
                found[rule.name] = max((gap.high - gap.low) / 2 for gap in gaps)
        return found

    @cached_property
    def gains(self) -> dict[str, float]:
        """`importance` by the plan alone.

        Raises:
            InputError: no rule that the allocation is for rests on a contrast of cells.
        """
        whole = self.whole
        gaps = [gap for rule in self.rules for gap in contrasts(whole, rule, whole.cost(rule))]
        if not gaps:
            raise InputError(
                "grid.allocation: no rule that it is for can be tested by a contrast of this "
                "grid's cells; leave it out, or give rules that can (the dry run lists them)"
            )
        return importance(whole, gaps)

    @cached_property
    def start(self) -> dict[str, int]:
        """The fewest seeds per cell; an adaptive study leaves out cells that no rule needs.

        More than LEAST where the rules could not be tested yet: three cells with two seeds each
        have too few degrees of freedom.
        """
        one = self._needed if self.allocation.kind == ADAPTIVE else self.most.keys()
        least = self._followed(
            {
                key: min(LEAST if self.gains.get(key) else int(key in one), most)
                for key, most in self.most.items()
            }
        )
        tested = self._tested(self.whole)
        path = (dict(seeds) for seeds in self.path(least, math.inf, self.gains))
        return next((seeds for seeds in path if self._tested(self.plan(seeds)) == tested), least)

    def _tested(self, plan: PlannedStudy) -> int:
        """How many of the rules a planned study can test by contrasts."""
        return sum(bool(contrasts(plan, rule, plan.cost(rule))) for rule in self.rules)

    @cached_property
    def _needed(self) -> set[str]:
        """The cells without which a rule could not be tested, those of no weight too."""
        found = set[str]()
        for rule in self.rules:
            with suppress(PreconditionError):
                found.update(*find_kind(rule.kind).sufficient_cells(self.whole, rule))
        return found

    def fixed(self) -> Seeds:
        """The seeds per cell of a fixed allocation.

        Raises:
            InputError: there is less to spend than the fewest seeds cost, or there are too few
                candidates for the half-width.
        """
        unit, amount = self.allocation.unit, self.allocation.amount
        if unit == "half_width":
            return self._narrow(amount)
        self.check_start(f"grid.allocation.{unit}={amount:g}")
        *_, last = self.path(self.start, amount - self.spent(self.start), self.gains)
        return last

    def check_start(self, where: str) -> None:
        """Raises InputError, which begins with `where`, if the fewest seeds cost too much."""
        if (least := self.spent(self.start)) > self.allocation.amount:
            raise InputError(
                f"{where}: {LEAST} seeds of each cell that the rules compare, or more where they "
                f"need more for a test, and one of each other needed cell, take {least:.4g}"
            )

    def _narrow(self, target: float) -> Seeds:
        """The cheapest seeds, along the path of `spread`, with no half-width above `target`."""
        path = [*self.path(self.start, math.inf, self.gains)]
        at = bisect_left(path, True, key=lambda n: max(self.half_widths(n).values()) <= target)
        if at == len(path):
            least = max(self.half_widths(path[-1]).values())
            raise InputError(
                f"grid.allocation.half_width={target:g}: all {sum(self.most.values())} runs of the "
                f"grid reach {least:.3g}; give the axis seed more values"
            )
        return path[at]

    def evenly(self, seeds: Seeds) -> int:
        """The most seeds that every cell could have for what these cost; 0 where not one."""
        each = min(self.most.values())
        return min(each, int(self.spent(seeds) / sum(self.costs.values()) + 1e-9))
