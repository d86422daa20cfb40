"""How much runs scatter where no seeds have measured it: a prior with its own uncertainty.

The SD of an error rate e of n images between seeds is sqrt(e / 2n) (`prior_sd`) times a factor. Its
logarithm y is normal over regimes (the runs of one study and length of training, t images seen):

    y = a + b t^(-1/4) + d + r,   d ~ N(0, tau_d^2) of a data set,   r ~ N(0, tau_r^2) of a regime

Short training scatters more, and long training as much as it ever will: of ln(t), ln(epochs) and
the powers -1/4, -1/3 and -1/2 of t this has the greatest likelihood on the published replicates.

Replicates measure y up to an error of known variance, so that all is a hierarchical normal model: a
regime like one that was measured has nearly its factor, one of the same data set a factor near its
mean, and one of other data what all have in common. a and b are estimated by generalised least
squares; both SDs are averaged over with their restricted likelihood as weight (flat up to MOST).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, polygamma

from analysis.study.repeated_trainings import Replicates, published, replicates_in
from scaling_study.study.result import Result

Floats = npt.NDArray[np.float64]
# The SDs of ln(factor) that are averaged over, and where df of a t distribution are as good as inf.
MOST, VALUES = 1.0, 13
MOST_DF = 1e6


@dataclass(frozen=True)
class Factor:
    """The factor of a study: ln(factor) is normal with this mean and SD.

    `cells` of `studies` are what it was estimated from.
    """

    log_mean: float
    log_sd: float
    cells: int
    studies: int

    @property
    def median(self) -> float:
        return math.exp(self.log_mean)

    @cached_property
    def df(self) -> float:
        """Degrees of freedom of a variance known as well: var(ln s) = trigamma(df / 2) / 4.

        Then an error rate's noise is Student's t times `scale`: by quadrature its 2.5 % tail holds
        2.2 to 2.5 % of noise with the lognormal factor, for a `log_sd` up to 0.7.
        """
        low, high = 1e-3, MOST_DF
        while high - low > 1e-9 * high:
            df = math.sqrt(low * high)
            above = float(polygamma(1, df / 2)) / 4 > self.log_sd**2
            low, high = (df, high) if above else (low, df)
        return high

    @property
    def scale(self) -> float:
        """What multiplies sqrt(e / 2n) where t with `df` is used: it has the same mean of ln s."""
        return math.exp(self.log_mean + log_bias(self.df))

    @property
    def range(self) -> tuple[float, float]:
        """The factors of 95 % of studies."""
        half = 1.959964 * self.log_sd
        return math.exp(self.log_mean - half), math.exp(self.log_mean + half)

    def text(self) -> str:
        """The factor in words."""
        low, high = self.range
        return (
            f"prior {self.median:.2f} x sqrt(e / 2n) (95 % of studies: {low:.2f} to {high:.2f}; "
            f"{self.source})"
        )

    @property
    def source(self) -> str:
        """What the factor was estimated from."""
        return f"from {self.cells} cells of {self.studies} studies"


def log_bias(df: float) -> float:
    """Mean of ln s - ln(sigma) for a sample SD s of normal errors."""
    return float(digamma(df / 2) - math.log(df / 2)) / 2


def shortness(images_seen: float) -> float:
    """The measure of how short training is by which ln(factor) is linear."""
    return float(images_seen**-0.25)


class NoisePrior:
    """The model, estimated from replicates. Everything is linear in their number."""

    def __init__(self, replicates: Sequence[Replicates]) -> None:
        """`replicates` of one regime each, of two data sets and lengths of training or more."""
        self.cells = sum(r.cells for r in replicates)
        self.studies = len({r.study for r in replicates})
        self._names = sorted({r.data for r in replicates})
        # t^(-1/4), ln(factor) and which data set: (units,), (units,), (units, data sets).
        self._x = np.array([shortness(r.images_seen) for r in replicates])
        self._y = np.array([math.log(r.ratio) / 2 - log_bias(r.df) for r in replicates])
        self._of = np.array([[r.data == name for name in self._names] for r in replicates], float)
        self._known = polygamma(1, np.array([r.df for r in replicates]) / 2) / 4
        self._factors: dict[tuple[str | None, float | None], Factor] = {}
        grid = np.linspace(0, MOST, VALUES)
        self._tau_d2, self._tau_r2 = (t.ravel() ** 2 for t in np.meshgrid(grid, grid))
        self._fit()

    @classmethod
    def with_store(cls, results: Iterable[Result | None]) -> "NoisePrior":
        """The published prior and what the finished runs of a results store add to it."""
        own = replicates_in(results)
        return cls([*published(), *own]) if own else published_prior()

    def _fit(self) -> None:
        """Coefficients, effects of data sets and weight for each pair of SDs: (pairs, ...).

        Of V = W^-1 + tau_d^2 Z Z' the inverse is W - W Z diag(c) Z' W, c = tau_d^2 / (1 + tau_d^2
        S) with S = Z' W 1 (Woodbury); W is diagonal and Z says which data set a regime is of.
        """
        w = 1 / (self._known + self._tau_r2[:, None])
        sums = w @ self._of
        inner = 1 + self._tau_d2[:, None] * sums
        self._shrink = self._tau_d2[:, None] / inner
        columns = [np.ones_like(self._x), self._x, self._y]
        of_data = np.array([(w * column) @ self._of for column in columns])
        weighted = np.array([w * column for column in columns])
        products = np.array([[(row * column).sum(1) for column in columns] for row in weighted])
        products -= np.einsum("gk,igk,jgk->ijg", self._shrink, of_data, of_data)
        normal = products[:2, :2].transpose(2, 0, 1)
        self._inverse = np.linalg.inv(normal)
        right = products[:2, 2].T
        self._b = np.einsum("gij,gj->gi", self._inverse, right)
        squares = products[2, 2] - (self._b * right).sum(1)
        log_det = -np.log(w).sum(1) + np.log(inner).sum(1) + np.linalg.slogdet(normal)[1]
        log_likelihood = -(log_det + squares) / 2
        self._weights = np.exp(log_likelihood - log_likelihood.max())
        self._weights /= self._weights.sum()
        a_and_b = of_data[2] - self._b[:, :1] * of_data[0] - self._b[:, 1:] * of_data[1]
        self._effects = self._shrink * a_and_b
        self._sums, self._of_data = sums, of_data[:2]

    def factor(self, data: str | None, images_seen: float | None) -> Factor:
        """The factor of a regime of a data set with so many training images seen.

        A data set of which nothing is known is another one than those measured; an unknown length
        of training is one like theirs.
        """
        key = data, images_seen
        if key not in self._factors:
            self._factors[key] = self._factor(data, images_seen)
        return self._factors[key]

    def _factor(self, data: str | None, images_seen: float | None) -> Factor:
        alike = [self._names.index(data)] if data in self._names else []
        lengths = self._x[self._of[:, alike[0]] > 0] if alike else self._x
        x = shortness(images_seen) if images_seen else float(lengths.mean())
        point = np.array([1.0, x])
        mean, variance = self._b @ point, self._tau_d2 + self._tau_r2
        apart = np.tile(point, (self._tau_d2.size, 1))
        for k in alike:
            mean = mean + self._effects[:, k]
            variance = variance - self._tau_d2 * self._shrink[:, k] * self._sums[:, k]
            apart -= (self._shrink[:, k] * self._of_data[:, :, k]).T
        variance = variance + np.einsum("gi,gij,gj->g", apart, self._inverse, apart)
        if not images_seen:
            variance = variance + self._b[:, 1] ** 2 * float(lengths.var())
        log_mean = float(self._weights @ mean)
        spread = float(self._weights @ (variance + (mean - log_mean) ** 2))
        return Factor(log_mean, math.sqrt(spread), self.cells, self.studies)


@lru_cache(maxsize=1)
def published_prior() -> NoisePrior:
    """The prior by what is published, and by this project's own grids, alone."""
    return NoisePrior(published())
