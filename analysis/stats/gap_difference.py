"""The difference of two gaps from independent seeds."""

from dataclasses import replace

from analysis.stats.contrast import Gap, with_interval
from analysis.study.noise import Variance


def difference(first: Gap, second: Gap, alpha: float) -> Gap:
    """first - second, two gaps from independent seeds; Welch-Satterthwaite degrees of freedom.

    A step time that both share moves both gaps: what it adds is the difference.
    """
    errors = [part for g in (first, second) for part in g.errors or [Variance(g.se**2, g.df)]]
    timing = {
        key: first.timing.get(key, 0.0) - second.timing.get(key, 0.0)
        for key in {**first.timing, **second.timing}
    }
    both = replace(
        first,
        estimate=first.estimate - second.estimate,
        floor=first.floor - second.floor,
        weights=dict(first.weights) | {k: -w for k, w in second.weights.items()},
    )
    timing_df = min(first.timing_df, second.timing_df)
    return with_interval(both, errors, timing, timing_df, alpha)
