"""The cells of one study with what its analysis asks of them, each computed once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, overload

import numpy as np

from analysis.study.arms import DEPTH_WIDTH, Base, DeclaredBase, Pair, base_of, pairs_of
from analysis.study.cells import Cell, cells_of
from analysis.study.measure import ERROR, Measure
from analysis.study.noise import Noise, noise_of

# Costs that are known without measuring, the first that is there counts.
KNOWN = ("flops", "train_flops", "params")


class StudyCells(Sequence[Cell]):
    """Cells in order, with their regimes, noise, base and pairs of arms.

    A regime is a length of training in epochs. Regimes and other selections are StudyCells too;
    selections that hold the same cells are one value, so that nothing is computed for them twice.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        declared_base: DeclaredBase = "smallest",
        tuning: Iterable[Cell] = (),
        arms: tuple[str, str] = DEPTH_WIDTH,
    ) -> None:
        """`declared_base` is the preregistered one: `smallest`, or values of axes; so are `arms`.

        `tuning` are cells at other learning rates than their arms'; only tuned rules use them.
        """
        self.cells, self.tuning = tuple(cells), tuple(tuning)
        self.declared_base, self.arms = declared_base, arms
        # By the identity of their cells; shared by all selections from the same cells.
        self._selections = {tuple(map(id, self.cells)): self}
        self._pairs: dict[tuple[int, str, tuple[str, str]], list[Pair]] = {}

    @classmethod
    def of(
        cls,
        rows: Iterable[Mapping[str, Any]],
        declared_base: DeclaredBase = "smallest",
        arms: tuple[str, str] = DEPTH_WIDTH,
    ) -> "StudyCells":
        """The cells of runs, which a table's rows describe. See `cells_of`."""
        cells = cells_of(rows)
        own = [cell for cell in cells if cell.lr_factor == 1]
        return cls(own, declared_base, [cell for cell in cells if cell.lr_factor != 1], arms)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Cell]: ...
    def __getitem__(self, index: int | slice) -> Cell | Sequence[Cell]:
        return self.cells[index]

    def __len__(self) -> int:
        return len(self.cells)

    def select(self, keep: Callable[[Cell], bool]) -> "StudyCells":
        """The cells for which `keep` is true."""
        kept = tuple(cell for cell in self.cells if keep(cell))
        key = tuple(map(id, kept))
        if key not in self._selections:
            found = StudyCells(kept, self.declared_base, filter(keep, self.tuning), self.arms)
            found._selections = self._selections
            self._selections[key] = found
        return self._selections[key]

    def at_resolution(self, px: int) -> "StudyCells":
        """The cells of one input size."""
        return self.select(lambda c: c.resolution == px)

    def with_cost(self, cost: str) -> "StudyCells":
        """The cells whose cost is known and positive."""
        return self.select(lambda c: bool(c.cost(cost)))

    def known_cost(self, cost: str) -> str:
        """The cost where all cells have it, else the first that they have, else the cost itself.

        FLOPs come before training FLOPs and parameters: costs known without measuring.
        """
        known = (c for c in (cost, *KNOWN) if all(cell.cost(c) for cell in self.cells))
        return next(known, cost)

    def with_logs(self, cost: str) -> "StudyCells":
        """The cells that a law can be fitted to: cost and error are known and positive."""
        return self.select(lambda c: c.error > 0 and bool(c.cost(cost)))

    @property
    def measure(self) -> Measure:
        """What the cells are compared by."""
        return self.cells[0].measure if self.cells else ERROR

    @cached_property
    def regimes(self) -> dict[int, "StudyCells"]:
        """The cells of each regime by its epochs, the shortest first."""
        return {epochs: self.regime(epochs) for epochs in sorted({c.epochs for c in self.cells})}

    def regime(self, epochs: int) -> "StudyCells":
        """The cells that were trained for so many epochs."""
        return self.select(lambda c: c.epochs == epochs)

    def noise(self, epochs: int) -> Noise | None:
        """How much a run of a regime scatters; None if nothing says. See `noise_of`."""
        return self.regime(epochs)._noise

    @cached_property
    def _noise(self) -> Noise | None:
        return noise_of(self.cells)

    def base(self, arms: tuple[str, str] | None = None) -> Base:
        """Where both arms, or the study's own, start: the declared base, else the least cells."""
        return base_of(self.cells, self.declared_base, arms or self.arms)

    def pairs(self, epochs: int, cost: str, arms: tuple[str, str] | None = None) -> list[Pair]:
        """Both arms of a regime at each setting of the other axes. See `pairs_of`."""
        arms = arms or self.arms
        key = epochs, cost, arms
        if key not in self._pairs:
            self._pairs[key] = pairs_of(self.cells, self.base(arms), epochs, cost)
        return self._pairs[key]

    @cached_property
    def train_validation_gaps(self) -> "StudyCells":
        """The cells that measured both errors, with validation minus training error as error."""
        gaps = [
            replace(c, errors=tuple(np.subtract(c.errors, c.train_errors).tolist()))
            for c in self.cells
            if len(c.train_errors) == c.n
        ]
        return StudyCells(gaps, self.declared_base, arms=self.arms)
