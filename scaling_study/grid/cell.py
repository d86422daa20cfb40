"""A cell: one run of a grid, and how the grid came to it."""

from dataclasses import dataclass

from scaling_study.config.run import RunConfig
from scaling_study.grid.equal_compute import Solved
from scaling_study.grid.parents import Ancestor
from scaling_study.grid.schema import Point


@dataclass(frozen=True)
class Cell:
    """One run of a grid, the values that the grid gave it, its variant, and what was solved.

    `parents` are the runs that it starts from, `stage` is what the grid calls a run that others
    start from and that is no cell of it. `lr_recipe` is the recipe's learning rate where transfer
    rules may have scaled it, `lr_factor` what the cell's own was multiplied by to see which one is
    best. `anchor` is the config id of the cell with which a run by cosine is compared, where the
    cells of the grid share trunks.
    """

    run: RunConfig
    point: Point
    variant: str | None = None
    solved: Solved | None = None
    lr_recipe: float | None = None
    lr_factor: float = 1.0
    parents: tuple[Ancestor, ...] = ()
    stage: str = ""
    anchor: str = ""

    @property
    def judged(self) -> bool:
        """Whether rules are about it: others start from the rest, or it is compared with a cell."""
        return not (self.stage or self.anchor)
