"""Equal-compute axes: the legal value of an axis that comes nearest to a target.

Legal values are those of the model family: its depths, widths in multiples of its step, image sides
in multiples of its step; epochs are whole. Values that no run can have (a width without channels,
an image smaller than the network's stride) are passed over.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scaling_study.errors import InputError
from scaling_study.models import family, network
from scaling_study.models.family import ModelConfig
from scaling_study.planning.language import Solve
from scaling_study.planning.times import UnmeasuredError

# Ends of what is searched.
WIDEST, LARGEST_PX, MOST_EPOCHS = 16, 2048, 100_000
# Ever more of these, the more of an axis; a forecast step time need not be, nor a list of depths.
RISING = ("flops", "train_flops", "params", "activations")


class InfeasibleError(Exception):
    """No legal value meets the target within the tolerance."""


@dataclass(frozen=True)
class Solved:
    """`axis` = `value` makes `quantity` `achieved` where `target` was asked for."""

    axis: str
    quantity: str
    target: float
    value: float
    achieved: float
    tolerance: float

    @property
    def off(self) -> float:
        """Relative difference from the target."""
        return self.achieved / self.target - 1


def legal_values(axis: str, model: ModelConfig, n_classes: int) -> Sequence[float]:
    """What an axis may be for networks like `model`, in rising order."""
    kind = family(model.family)
    if axis == "depth":
        return kind.depths(model)
    if axis == "width":
        step = kind.width_step
        first = math.ceil(kind.smallest_width(model) / step - 1e-9)
        return [n * step for n in range(first, round(WIDEST / step) + 1)]
    if axis == "resolution":
        stride = network(model, n_classes).stride
        return range(stride, LARGEST_PX + 1, stride)
    return range(1, MOST_EPOCHS + 1)


def solve(
    asked: Solve, target: float, values: Sequence[float], at: Callable[[float], float]
) -> Solved:
    """Which of the legal `values` has `at(value)`, the quantity, nearest to `target` as a ratio.

    Raises:
        InfeasibleError: the nearest is further off than the tolerance.
        InputError: no value is possible, for the reason that the largest is not.
    """
    first = _first_possible(values, at)
    near = _bracket(values, first, target, at) if _rises(asked) else range(first, len(values))
    found = {values[i]: at(values[i]) for i in near}
    value = min(found, key=lambda v: abs(math.log(found[v] / target)))
    solved = Solved(asked.axis, asked.quantity, target, value, found[value], asked.tolerance)
    if abs(solved.off) > asked.tolerance:
        raise InfeasibleError(
            f"no {asked.axis} gives {asked.quantity}={target:.4g} within "
            f"{100 * asked.tolerance:g} %; the nearest, {asked.axis}={value:g}, "
            f"gives {found[value]:.4g} ({100 * solved.off:+.1f} %)"
        )
    return solved


def _rises(asked: Solve) -> bool:
    return asked.quantity in RISING and asked.axis != "depth"


def _first_possible(values: Sequence[float], at: Callable[[float], float]) -> int:
    """Index of the smallest value that a run can have; larger ones are possible too."""
    low, high = 0, 1
    while high < len(values) and not _possible(values[high - 1], at):
        low, high = high, 2 * high
    high = min(high, len(values))
    high -= 1
    at(values[high])
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _possible(values[middle], at) else (middle + 1, high)
    return low


def _possible(value: float, at: Callable[[float], float]) -> bool:
    try:
        at(value)
    except UnmeasuredError:
        raise
    except InputError:
        return False
    return True


def _bracket(
    values: Sequence[float], first: int, target: float, at: Callable[[float], float]
) -> range:
    """Indices of the last value below the target and of the first that is not."""
    # Doubling keeps the search near the small end, where costs are quick to compute.
    low, step = first, 1
    while low + step < len(values) and at(values[low + step]) < target:
        low, step = low + step, 2 * step
    high = min(low + step, len(values) - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(values[middle]) < target else (low, middle)
    return range(low, high + 1)
