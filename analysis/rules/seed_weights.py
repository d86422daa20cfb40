"""What the seeds of a cell do for the contrasts of rules, and where one more does most.

A contrast is a fixed sum of omega_i ln(error) over cells, so that its variance is sum(t_i / n_i)
with t_i = (omega_i sd_i / error_i)^2 for n_i seeds. What is minimised is the sum over contrasts of
this variance as a share of that with one seed in every cell (a V-optimal design, Fedorov 1972; for
one contrast Neyman's allocation, 1934), by giving seed after seed to the cell where it lowers the
sum most for its cost.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping

from analysis.rules.evidence import Evidence
from analysis.rules.registry import find_kind
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand, Gap
from analysis.study.errors import PreconditionError

# Seeds by config_id.
Seeds = Mapping[str, int]


def contrasts(study: Evidence, rule: Rule, cost: str) -> tuple[Gap, ...]:
    """The contrasts of a rule at this equal cost; none if these cells cannot test it."""
    try:
        return find_kind(rule.kind).contrasts(study, rule, Estimand(cost))
    except PreconditionError:
        return ()


def importance(study: Evidence, gaps: Iterable[Gap]) -> dict[str, float]:
    """By config_id what a cell with one seed adds to the sum of the contrasts' variances.

    Each variance is a share of that with one seed in every cell; with n_i seeds the sum is that of
    importance_i / n_i.
    """
    cells = {c.config_id: c for c in study.cells}
    found: dict[str, float] = {}
    for gap in gaps:
        terms = {
            key: study.noise(cells[key].epochs).variances[key] * (omega / cells[key].error) ** 2
            for key, omega in gap.weights.items()
        }
        for key, term in terms.items():
            found[key] = found.get(key, 0.0) + term / sum(terms.values())
    return found


def spread(
    start: Seeds, most: Seeds, costs: Mapping[str, float], budget: float, gains: Mapping[str, float]
) -> Iterator[dict[str, int]]:
    """Seeds per cell from `start` on, one more each time, until `budget` is spent on new ones.

    Each goes to the cell, of those with fewer than `most` seeds that are within the budget, where
    it lowers sum(gains_i / n_i) most for its cost.
    """
    seeds = dict(start)

    def gain(key: str) -> float:
        return gains[key] / (seeds[key] * (seeds[key] + 1)) / costs[key]

    heap = [(-gain(key), key) for key in gains if seeds.get(key) and gains[key] > 0]
    heapq.heapify(heap)
    yield dict(seeds)
    while heap:
        _, key = heapq.heappop(heap)
        if seeds[key] >= most[key] or costs[key] > budget:
            continue
        seeds[key] += 1
        budget -= costs[key]
        heapq.heappush(heap, (-gain(key), key))
        yield dict(seeds)
