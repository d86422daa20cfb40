"""Values of an axis or a setting in the cells of a plan, and in points that are no cells."""

from collections.abc import Callable, Sequence
from typing import Any

from scaling_study.config.axes import Settings
from scaling_study.grid.cells import Cell, ExcludedPoint
from scaling_study.study.axes import config_key

# All values of what is called so: an axis, a config key, `variant` or `target`.
Values = Callable[[str], set[Any]]


def values_of(cells: Sequence[Cell], left: Sequence[ExcludedPoint]) -> Values:
    """The values of these cells, and of points that are no cells."""

    def values(name: str) -> set[Any]:
        key = config_key(name)
        found = {point.point[key] for point in left if key in point.point}
        if name == "target":
            solved = {(s.quantity, s.target) for cell in cells if (s := cell.solved)}
            return found | {f"{quantity} {target:g}" for quantity, target in solved}
        if name == "variant":
            return found | {cell.variant for cell in cells if cell.variant}
        if name == "lr":
            return found | {cell.run.train.lr for cell in cells}
        settings = Settings()
        return found | {settings.of(cell.run).get(key) for cell in cells}

    return values
