"""The default grid with effects of all sizes: five cells, two lengths of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.rules.planned import Planning
from calibration.case import Rows
from calibration.simulator import study

# What its pilot said: error and SD between seeds (fractions), by length of training.
PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}
# Of its training images, for training FLOPs.
IMAGES = 1280


@dataclass(frozen=True)
class Star:
    """True gaps (width minus depth) of both regimes; runs scatter `sd` times as in the pilot."""

    short: float
    long: float
    sd: float = 1.0

    @property
    def planning(self) -> Planning:
        """What its pilot said."""
        return {epochs: (error, self.sd * sd) for epochs, (error, sd) in PILOT.items()}

    def exact(self) -> Rows:
        """The whole grid almost without noise."""
        return self._rows(np.random.default_rng(0), 2, 1e-4)

    def rows(self, rng: np.random.Generator, seeds: int) -> Rows:
        """The whole grid with so many seeds per cell."""
        return self._rows(rng, seeds, self.sd)

    def _rows(self, rng: np.random.Generator, seeds: int, sd: float) -> Rows:
        made = study(self.short, self.long, seeds=seeds, factors=(sd,) * 5)
        return [
            row | {"train_flops": 3 * row["flops"] * IMAGES * row["epochs"]}
            for row in made.rows(rng)
        ]


def star(count: int, most: float = 0.06) -> Sequence[Star]:
    """So many, drawn once for all, with gaps of up to `most` either way in each regime."""
    drawn = np.random.default_rng(20210318).uniform(-most, most, (count, 2))
    return [Star(float(short), float(long)) for short, long in drawn]
