"""In which order runs start, and when the last one ends."""

import heapq
from collections.abc import Iterable, Sequence

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest
from scaling_study.planning.plan import Planned
from scaling_study.study.result import FINISHED

LONGEST, FRONTIER_FIRST = "longest", "frontier_first"
ORDERS = (LONGEST, FRONTIER_FIRST)
# Cells that cost no more than this share of the dearest are early on a cost axis.
CHEAP = 0.25


def check(order: str) -> None:
    """Raises InputError for an order that is not known."""
    if order not in ORDERS:
        near = suggest(order, ORDERS)
        raise InputError(f"plan.order={order!r}: must be one of {', '.join(ORDERS)}{near}")


def to_do(rows: Sequence[Planned], order: str = LONGEST) -> list[Planned]:
    """The runs that a sweep has to start; raises an InputError for any other order than these.

    `longest`: longest first, so that no slot is left with a long one at the end. `frontier_first`:
    before that, one run of each cheap cell, cheapest first: the low end of the frontier is seen
    early, at little cost to the makespan.
    """
    check(order)
    missing = [row for row in rows if row.state not in (*FINISHED, "running", "queued")]
    # Where a forecast is blank training FLOPs count, which need no measurement.
    blank = any(row.forecast_s is None for row in missing)

    def length(row: Planned) -> float:
        return float(row.columns["train_flops"]) if blank else row.forecast_s or 0.0

    missing.sort(key=length, reverse=True)
    if order == LONGEST or not missing:
        return missing
    limit, early = CHEAP * length(missing[0]), dict[str, Planned]()
    for row in reversed(missing):
        if length(row) <= limit:
            early.setdefault(row.columns["config_id"], row)
    chosen = {row.run.run_id for row in early.values()}
    return [*early.values(), *(row for row in missing if row.run.run_id not in chosen)]


def makespan(rows: Sequence[Planned], slots: int) -> float | None:
    """Seconds until the last of these runs, in this order, ends; None if a forecast is blank."""
    seconds = [row.forecast_s for row in rows if row.forecast_s is not None]
    return None if len(seconds) < len(rows) else last_end_s(seconds, slots)


def last_end_s(seconds: Iterable[float], slots: int) -> float:
    """The same for runs of these lengths."""
    free = [0.0] * slots
    for s in seconds:
        heapq.heapreplace(free, free[0] + s)
    return max(free)
