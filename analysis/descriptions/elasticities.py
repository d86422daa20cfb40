"""Which arm lowers the outcome more per cost, from all shapes and lengths of a study."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from analysis.rules.rule import Preregistration
from analysis.stats.local_surface import SurfaceContrast, names_of, surface_contrast
from analysis.stats.trunk_variance import NO_SURFACE, share_trunks
from analysis.study.columns import ALL_COST_NAMES
from analysis.study.errors import NothingToCompareError, PreconditionError
from analysis.study.study_cells import StudyCells


def elasticities(cells: StudyCells, prereg: Preregistration) -> dict[str, Any]:
    """The contrast of both arms as JSON, and its sentence; or the reason why there is none."""
    known = cells.select(lambda cell: not cell.measure.log or cell.error > 0)
    if share_trunks(known):
        return {"reason": NO_SURFACE}
    try:
        found = surface_contrast(known.cells, prereg.arms, prereg.cost, prereg.alpha)
    except (NothingToCompareError, PreconditionError) as error:
        return {"reason": str(error)}
    return {
        **asdict(found),
        "terms": list(found.terms),
        "sentence": sentence(found, names_of(known.cells)),
    }


def sentence(found: SurfaceContrast, called: Mapping[str, str]) -> str:
    """Which axis gains more per cost, and what that rests on; `called` are names of axes."""
    first, second = (called.get(axis, axis) for axis in found.axes)
    better = first if found.low > 0 else second if found.high < 0 else None
    said = f"{better} gains more" if better else "undecided which gains more"
    cost = ALL_COST_NAMES.get(found.cost, found.cost)
    return (
        f"per ln({cost}) at the centre of {found.cells} shapes: "
        f"{said}; elasticity of {second} minus that of {first} {found.contrast:+.3f} "
        f"[{found.low:+.3f}, {found.high:+.3f}], which rests on {found.rests_on}"
    )
