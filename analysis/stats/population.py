"""What a contrast of cells owes to what its seeds share: random numbers, images, classes."""

from collections.abc import Sequence

import numpy as np

from analysis.stats.interpolation import Floats
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import Variance
from scaling_study.study.image_outcomes import ImageOutcomes

# What an interval may be about, besides other seeds on the same images.
IMAGES, CLASSES = "images", "classes"


def paired_variance(cells: Sequence[Cell], weights: Floats) -> Variance:
    """Variance of the sum of `weights` (m,) times mean errors, from its value in each seed.

    Runs of equal seed go together, so what they share cancels: with n seeds the variance is that of
    n sums over n, with n - 1 degrees of freedom. PreconditionError unless all cells have the same
    two seeds or more.
    """
    seeds = {cell.seeds for cell in cells}
    if len(seeds) > 1 or len(cells[0].seeds) < 2:
        raise PreconditionError("rules.paired needs the same two seeds or more in every cell")
    sums = weights @ np.array([cell.errors for cell in cells])
    return Variance(float(sums.var(ddof=1)) / len(sums), len(sums) - 1.0)


def population_variance(
    cells: Sequence[Cell], weights: Floats, units: str, paired: bool = False
) -> Variance:
    """What other images, or other classes, of the same kind add to that variance.

    Images are a random sample of N, or classes one of C with their images. The contrast is a mean
    over these units, so other units add var(d) / N, where d is its value on each of them; the
    sample variance of d has a part from seeds, which is estimated from how the seeds' values depart
    from their mean, and subtracted, because the interval has it already. N - 1 or C - 1 degrees of
    freedom. PreconditionError unless every run says which images are right, of the same images.
    """
    by_cell = [_by_unit(cell, units) for cell in cells]
    means = np.array([values.mean(axis=0) for values in by_cell])
    if paired:
        noise = _flicker(np.tensordot(weights, np.array(by_cell), 1))
    else:
        noise = sum(w**2 * _flicker(v) for w, v in zip(weights, by_cell, strict=True))
    count = means.shape[1]
    if count < 2:
        raise PreconditionError(f"rules.generalise={units} needs two {units} or more")
    value = max(0.0, float((weights @ means).var(ddof=1)) - noise) / count
    return Variance(value, count - 1.0)


def _flicker(values: Floats) -> float:
    """Of a mean over seeds the variance between units that seeds alone cause; `values` (n, units).

    What all units share in a seed is no part of it. 0 with one seed: then nothing is subtracted.
    """
    seeds = len(values)
    if seeds < 2:
        return 0.0
    return float((values - values.mean(axis=0)).var(axis=1, ddof=1).mean()) / (seeds - 1)


def _by_unit(cell: Cell, units: str) -> Floats:
    """Errors (n, units) of each run on each unit, whose mean over units is the run's error."""
    found = [images for images in cell.images if images is not None]
    first: ImageOutcomes | None = found[0] if found else None
    if first is None or len(found) < cell.n:
        raise PreconditionError(
            f"rules.generalise: not every run of {cell.name} says which images it gets right"
        )
    if any(not np.array_equal(images.classes, first.classes) for images in found):
        raise PreconditionError(f"rules.generalise: runs of {cell.name} saw different images")
    wrong = np.array([~images.right for images in found], dtype=np.float64)
    if units == IMAGES:
        return wrong
    sizes = first.classes[first.classes > 0]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    # Per class as its share of the mean: classes of many images count more.
    return np.add.reduceat(wrong, starts, axis=1) * (len(sizes) / len(first.right))
