"""The mean difference of matched cells: two levels of one setting, all else equal."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from analysis.stats.contrast import Estimand, Gap, floor_effect, measure_of_gap, with_interval
from analysis.study.matched_cells import Match
from analysis.study.noise import Noise


def matched_gap(
    matches: Sequence[Match], noises: Mapping[int, Noise], estimand: Estimand, alpha: float
) -> Gap:
    """Mean over the matches of ln(error) of the second level minus that of the first.

    Var = sum(v_i / (n_i e_i^2)) / m^2 over the cells of m matches by the delta method, with the
    noise of `Noise.of_sum` in each regime and Welch-Satterthwaite's degrees of freedom over
    several. `noises` is by epochs; on the scale of the error the gap is a share of its mean level.
    Raw differences are compared as they are. Raises PreconditionError where a cell
    makes no errors, or all replicates agree exactly.
    """
    cells = [cell for match in matches for cell in (match.first, match.second)]
    measure = measure_of_gap(cells)
    log, share = measure.log and estimand.scale == "log", 1 / len(matches)
    mean = sum(cell.error for cell in cells) / len(cells) if measure.log else 1.0
    unit = {cell.config_id: cell.error if log else mean for cell in cells}
    by_regime: dict[int, dict[str, float]] = defaultdict(dict)
    for cell in cells:
        factor = share**2 / (cell.n * unit[cell.config_id] ** 2)
        by_regime[cell.epochs][cell.config_id] = factor
    errors = [(match.first.error, match.second.error) for match in matches]
    estimate = sum(math.log(b / a) if log else (b - a) / mean for a, b in errors) * share
    costs = {m.label: (m.first.cost(estimand.axis), m.second.cost(estimand.axis)) for m in matches}
    weights = {m.first.config_id: -share for m in matches}
    weights |= {m.second.config_id: share for m in matches}
    known = {cell.config_id: cell for cell in cells}
    parts = [noises[epochs].of_sum(factors) for epochs, factors in by_regime.items()]
    gap = Gap(
        estimate=estimate,
        se=math.nan,
        df=math.nan,
        low=math.nan,
        high=math.nan,
        level=math.exp(sum(math.log(c.error) for c in cells) / len(cells)) if log else mean,
        weights=weights,
        measure=measure,
        floor=floor_effect(known, weights) if log else 0.0,
        overlap={label: (a, b) for label, (a, b) in costs.items() if a and b},
    )
    return with_interval(gap, parts, {}, math.inf, alpha)
