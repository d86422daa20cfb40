"""What `explain` and `diff` print of a plan instead of starting it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.errors import MissingConfigException

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest
from scaling_study.config import hydra_app
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.grid.explain import described, difference, explained
from scaling_study.grid.shipped import names
from scaling_study.planning.draft import Draft, deciding
from scaling_study.planning.plan import planned_cells
from scaling_study.study.table import read_plan
from scaling_study.sweep.options import POINTS, SweepOptions


def points_of(found: Draft, asked: SweepOptions, overrides: Sequence[str]) -> Iterator[str]:
    """The points that are cells and those that are not, and what another grid or study differs in.

    Raises:
        InputError: `diff` names neither a grid that can be planned nor a study.
    """
    cells = [row.cell for row in found.rows]
    if asked.explain == POINTS:
        yield from explained(cells, found.left)
    if not asked.diff:
        return
    here = {cell.run.run_id: described(cell.point) for cell in cells}
    if (Path(asked.diff) / "plan.csv").is_file():
        other = {row["run_id"]: row["state"] for row in read_plan(Path(asked.diff))}
    else:
        rest = [text for text in overrides if not text.lstrip("+~").startswith("grid")]
        others = _cells_of(asked.diff, rest, found.times)
        other = {cell.run.run_id: described(cell.point) for cell in others}
    yield from difference(str(found.grid["name"]), here, asked.diff, other)


def _cells_of(name: str, overrides: Sequence[str], times: Times) -> list[Cell]:
    """The cells of another grid."""
    try:
        words = [*hydra_app.search_path(), f"+grid={name}", *overrides]
        settings = hydra_app.composed("sweep", words)
        decided = deciding(settings, overrides, times)
        return planned_cells(settings, [f"+grid={name}", *overrides], decided)[1]
    except MissingConfigException as error:
        known = sorted({*names(), *(error.options or ())})
        raise InputError(
            f"diff={name}: neither a grid{suggest(name, known)} nor the folder of a study; "
            f"grids: {', '.join(known)}"
        ) from None
    except InputError as error:
        raise InputError(f"diff={name}: the other grid cannot be planned: {error}") from None
