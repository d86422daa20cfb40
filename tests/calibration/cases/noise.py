"""Unequal noise: cells that carry the weight scatter more, or less, than the others."""

from collections.abc import Sequence

from calibration.case import Case
from calibration.simulator import Noise, lognormal, normal, outliers, study, t3

# Noise of the base, of the depth arm's two cells and of the width arm's two.
FACTORS = {
    "all cells alike": (1, 1, 1, 1, 1),
    "middle cells 2x noisier": (1, 2, 1, 2, 1),
    "middle cells 3x noisier": (1, 3, 1, 3, 1),
    "middle cells 4x noisier": (1, 4, 1, 4, 1),
    "dear cells 3x noisier": (1, 1, 3, 1, 3),
    "base 4x noisier": (4, 1, 1, 1, 1),
}
# Other shapes of the noise than normal.
SHAPES = {"t3": t3, "lognormal": lognormal, "outliers": outliers}
# The margin of the packaged rules: there a wrong verdict is likeliest.
MARGIN = 0.005
LOPSIDED = (2, 5, 2, 4, 2)


def _case(
    rule: str,
    what: str,
    factors: Sequence[float],
    seeds: Sequence[int] | int,
    noise: Noise = normal,
    name: str = "normal",
) -> Case:
    made = study(long=MARGIN, seeds=seeds, factors=factors, noise=noise)
    count = f"{seeds} seeds" if isinstance(seeds, int) else f"seeds {seeds}"
    return Case(rule, f"{what}, {name}, {count}", MARGIN, made.rows)


CASES = [
    *(_case("R1-long", what, f, n) for n in (2, 3, 5) for what, f in FACTORS.items()),
    *(
        _case("R1-long", what, FACTORS[what], n, noise, name)
        for n in (3, 5)
        for what in ("middle cells 3x noisier", "all cells alike")
        for name, noise in SHAPES.items()
    ),
    *(
        _case("R1-long", what, FACTORS[what], LOPSIDED)
        for what in ("all cells alike", "middle cells 3x noisier", "dear cells 3x noisier")
    ),
    *(
        _case("R1-interaction", what, FACTORS[what], n)
        for n in (2, 3, 5)
        for what in ("all cells alike", "middle cells 3x noisier", "dear cells 3x noisier")
    ),
]
