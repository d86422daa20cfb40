"""The variance of a contrast of runs whose lengths share a trunk, and with it a part of the noise.

Runs of one trunk differ in the length alone and are the same run until a decay begins, so that
those of equal seed scatter together: a difference of two lengths scatters less than that of
independent runs, their mean more. Trunks, and seeds of a trunk, are independent.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from analysis.stats.interpolation import Floats
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.noise import POOL_DF, Variance, welch_satterthwaite

# Why what takes cells as independent is not computed for lengths of one trunk.
NO_SURFACE = "lengths that share trunks are no independent points of a surface"
# Cells by their trunk, a cell without one by itself.
Trunks = dict[str, list[Cell]]


def share_trunks(cells: Sequence[Cell]) -> bool:
    """Whether two of the cells are lengths of one trunk."""
    return any(len({c.config_id for c in trunk}) > 1 for trunk in _by_trunk(cells).values())


def trunk_variance(cells: Sequence[Cell], weights: Floats, every: Sequence[Cell]) -> Variance:
    """Variance of the sum of `weights` (m,) times mean errors of `cells`, and its df.

    A trunk adds w' S w / n, where S is the covariance of its lengths over n seeds. As the noise of
    single cells (`study.noise.moderated`, which this is where no trunk has two lengths) it is drawn
    towards that of all trunks of the study, whose cells are `every`, by half a degree of freedom;
    degrees of freedom are Welch-Satterthwaite's over trunks, with n - 1 of each. Where lengths have
    other seeds, S is that of the seeds that all have.

    Raises:
        PreconditionError: lengths of one trunk have less than two seeds in common.
    """
    weight = {cell.config_id: float(w) for cell, w in zip(cells, weights, strict=True)}
    pool = _Pool(every)
    return welch_satterthwaite(
        [
            _of_trunk(trunk, [weight[cell.config_id] for cell in trunk], pool)
            for trunk in _by_trunk(cells).values()
        ]
    )


class _Pool:
    """Covariances of lengths of a trunk over all trunks of a study, each computed once."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        trunks = _by_trunk(cells).values()
        self._trunks = [{cell.epochs: cell for cell in trunk} for trunk in trunks]
        self._known: dict[tuple[int, int], tuple[float, float]] = {}

    def of(self, one: int, other: int) -> tuple[float, float]:
        """The covariance of runs of two lengths, or the variance of one length, and its df."""
        if (one, other) not in self._known:
            total, df = 0.0, 0
            for trunk in self._trunks:
                pair = [trunk[epochs] for epochs in (one, other) if epochs in trunk]
                seeds = _common(pair) if len(pair) == 2 else []
                if len(seeds) > 1:
                    total += float(np.dot(*(_departures(cell, seeds) for cell in pair)))
                    df += len(seeds) - 1
            self._known[one, other] = (total / df if df else 0.0), float(df)
        return self._known[one, other]


def _by_trunk(cells: Sequence[Cell]) -> Trunks:
    found: Trunks = defaultdict(list)
    for cell in cells:
        found[cell.trunk or cell.config_id].append(cell)
    return found


def _of_trunk(cells: Sequence[Cell], weights: Sequence[float], pool: _Pool) -> Variance:
    """What the lengths of one trunk add."""
    shares = np.array([[_share(a, b) for b in cells] for a in cells])
    factors = np.outer(weights, weights) * shares
    pooled = np.array([[pool.of(a.epochs, b.epochs) for b in cells] for a in cells])
    of_all = max(0.0, float(np.sum(factors * pooled[..., 0])))
    seeds = _common(cells)
    if len(cells) == 1 and len(seeds) < 2:
        return Variance(of_all, float(pooled[0, 0, 1]))
    if len(seeds) < 2:
        names = " and ".join(cell.name for cell in cells)
        raise PreconditionError(
            f"lengths of one trunk scatter together, and two seeds or more that all have say how "
            f"much: {names} share {len(seeds)}"
        )
    df = len(seeds) - 1
    departures = np.array([_departures(cell, seeds) for cell in cells])
    own = max(0.0, float(np.sum(factors * (departures @ departures.T))) / df)
    return Variance((POOL_DF * of_all + df * own) / (POOL_DF + df), float(df))


def _share(one: Cell, other: Cell) -> float:
    """Of the covariance of two runs of equal seed, what the means of two cells have."""
    return len(_common((one, other))) / (one.n * other.n)


def _common(cells: Sequence[Cell]) -> list[int]:
    """The seeds that all of the cells have."""
    return sorted(set[int].intersection(*(set(cell.seeds) for cell in cells)))


def _departures(cell: Cell, seeds: Sequence[int]) -> Floats:
    """Errors in these seeds minus their mean."""
    by_seed = dict(zip(cell.seeds, cell.errors, strict=True))
    errors = np.array([by_seed[seed] for seed in seeds])
    return np.asarray(errors - errors.mean())
