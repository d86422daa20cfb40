"""A budget that bites: what of a plan it pays for, and which part of that decides most."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.errors import InputError
from scaling_study.plan import Planned
from scaling_study.planning.times import UnmeasuredError
from scaling_study.results import FINISHED
from scaling_study.settings import check_group
from scaling_study.values import require

# Finished runs are paid for; those in work elsewhere will be, whatever is decided here.
PAID = (*FINISHED, "running", "queued")
LEVELS = ("seed", "epochs", "resolution", "width", "depth")

# How much a part of a plan decides: more is better, compared in order.
Worth = Callable[[Sequence[Planned]], tuple[float, ...]]


@dataclass(frozen=True)
class Budget:
    """Limits for the runs that are still to do; None does not limit. `fit` takes what fits."""

    gpu_hours: float | None
    train_flops: float | None
    fit: bool

    def spent(self, rows: Iterable[Planned]) -> dict[str, float]:
        """What the runs to do among `rows` cost, in the units that are limited.

        Raises:
            UnmeasuredError: GPU-hours are limited and a forecast is blank.
        """
        missing = [row for row in rows if row.state not in PAID]
        found = {}
        if self.train_flops is not None:
            found["train_flops"] = float(sum(row.cost.train_flops for row in missing))
        if self.gpu_hours is not None:
            hours = [row.gpu_hours.value for row in missing if row.gpu_hours]
            if len(hours) < len(missing):
                raise UnmeasuredError(f"budget.gpu_hours={self.gpu_hours:g}")
            found["gpu_hours"] = sum(hours)
        return found

    def allows(self, rows: Iterable[Planned]) -> bool:
        """Whether the runs to do among `rows` cost no more than the limits."""
        return all(cost <= getattr(self, name) for name, cost in self.spent(rows).items())


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


def affordable(rows: Sequence[Planned], budget: Budget, worth: Worth) -> list[Planned]:
    """The part of a plan within the budget that is worth most; empty if nothing can be paid.

    Looked at are the plan without its upper levels of one axis, without some of its seeds, and its
    cheapest cells as far as the money goes; with equal worth, the most runs win.
    """
    fitting = [part for part in _parts(rows, budget) if part and budget.allows(part)]
    distinct = {tuple(row.run.run_id for row in part): part for part in fitting}
    return max(distinct.values(), key=lambda part: (*worth(part), len(part)), default=[])


def _parts(rows: Sequence[Planned], budget: Budget) -> Iterator[list[Planned]]:
    seeds = sorted({row.run.seed for row in rows})
    for kept in range(len(seeds), 0, -1):
        chosen = set(seeds[:kept])
        some = [row for row in rows if row.run.seed in chosen]
        yield from _without_levels(some)
        yield _cheapest(some, budget)


def _without_levels(rows: Sequence[Planned]) -> Iterator[list[Planned]]:
    for axis in LEVELS:
        levels = sorted({row.columns[axis] for row in rows})
        for top in levels:
            yield [row for row in rows if row.columns[axis] <= top]


def _cheapest(rows: Sequence[Planned], budget: Budget) -> list[Planned]:
    """Whole cells, all of their seeds, cheapest first, while they fit."""
    cells: dict[str, list[Planned]] = {}
    for row in sorted(rows, key=lambda row: row.cost.train_flops):
        cells.setdefault(row.columns["config_id"], []).append(row)
    free = [row for row in rows if row.state in PAID]
    taken, spent = {row.run.run_id for row in free}, dict.fromkeys(budget.spent(free), 0.0)
    for cell in cells.values():
        more = {name: spent[name] + cost for name, cost in budget.spent(cell).items()}
        if any(cost > getattr(budget, name) for name, cost in more.items()):
            break
        spent = more
        taken |= {row.run.run_id for row in cell}
    return [row for row in rows if row.run.run_id in taken]


def over(rows: Sequence[Planned], budget: Budget) -> str:
    """What the plan costs against each limit that it breaks."""
    parts = []
    for name, cost in budget.spent(rows).items():
        limit = getattr(budget, name)
        if cost > limit:
            parts.append(f"budget.{name}={limit:g}: the runs to do need {cost:.4g}")
    return "; ".join(parts)
