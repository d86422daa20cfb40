"""Plans of the grids that come with the program, where nothing has been measured."""

from functools import cache
from pathlib import Path
from typing import Any

from scaling_study.config.hydra_app import composed
from scaling_study.cost.device_times import Times
from scaling_study.grid.cells import ancestors
from scaling_study.planning.plan import Planned, plan, planned_cells
from scaling_study.study.store import Store

NOWHERE = Path("none")


@cache
def planned(name: str) -> tuple[list[Planned], dict[str, Any]]:
    values = composed("sweep", [f"+grid={name}"])
    grid, cells, _ = planned_cells(values, [f"+grid={name}"], Times([], 1))
    return plan([*ancestors(cells), *cells], Store(NOWHERE), {}, Times([], 1)), grid


FIG3 = "paper/fig3_depth_vs_width"
