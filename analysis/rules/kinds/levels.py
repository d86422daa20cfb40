"""Two levels of one setting with all else that the grid varies equal: their mean difference."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from analysis.rules.kinds.arms import regime_noise, widen_for_looks
from analysis.rules.rule import Preregistration, Rule
from analysis.stats.contrast import ROUNDING, Estimand, Gap, t_quantile
from analysis.study.cells import Cell
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Match, matches_of, setting_of
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells

# Costs of two cells this near each other, as a ratio, count as equal in words.
EQUAL = 1.2


def compare_levels(
    cells: StudyCells, prereg: Preregistration, rule: Rule, estimand: Estimand
) -> tuple[Gap, list[Match], dict[int, Noise]]:
    """The gap between the rule's levels, the cells it is about, and the noise by epochs.

    Raises:
        PreconditionError: the levels cannot be compared, or nothing says how runs scatter.
    """
    matches = matches_of(in_regime(cells, rule), rule.along, rule.levels)
    members = [cell for match in matches for cell in (match.first, match.second)]
    noises = {e: regime_noise(cells, prereg, e) for e in sorted({c.epochs for c in members})}
    gap = level_gap(matches, noises, estimand, prereg.alpha)
    return widen_for_looks(gap, [c.n for c in members], prereg), matches, noises


def in_regime(cells: Sequence[Cell], rule: Rule) -> list[Cell]:
    """The cells of the regime, and of the other settings, that a rule is about.

    Raises:
        PreconditionError: no cell has those settings.
    """
    epochs = regime_of(cells, rule)
    chosen = [c for c in cells if epochs in (None, c.epochs)]
    for key, value in rule.at:
        chosen = [c for c in chosen if setting_of(c, key) == value]
        if not chosen:
            at = " and ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}"
                              for k, v in rule.at)  # fmt: skip
            raise PreconditionError(f"no run with {at}, where the rule is about")
    return chosen


def regime_of(cells: Sequence[Cell], rule: Rule) -> int | None:
    """Epochs of the regime that a rule is about; None if it is about every one of several."""
    regimes = {c.epochs for c in cells}
    if rule.regime == "every":
        return regimes.pop() if len(regimes) == 1 else None
    return max(regimes) if rule.regime == "longest" else min(regimes)


def level_gap(
    matches: Sequence[Match], noises: Mapping[int, Noise], estimand: Estimand, alpha: float
) -> Gap:
    """Mean over the matches of ln(error) of the second level minus that of the first.

    Var = sum(v_i / (n_i e_i^2)) / m^2 over the cells of m matches by the delta method; degrees of
    freedom are the noise's own in one regime, Welch-Satterthwaite's over several. `noises` is by
    epochs; on the scale of the error the gap is a share of its mean level.

    Raises:
        PreconditionError: a cell makes no errors, or all replicates agree exactly.
    """
    cells = [cell for match in matches for cell in (match.first, match.second)]
    if any(cell.error <= 0 for cell in cells):
        raise PreconditionError("a cell makes no errors, so relative error is not defined")
    log, share = estimand.scale == "log", 1 / len(matches)
    mean = sum(cell.error for cell in cells) / len(cells)
    unit = {cell.config_id: cell.error if log else mean for cell in cells}
    by_regime: dict[int, dict[str, float]] = defaultdict(dict)
    for cell in cells:
        variance = noises[cell.epochs].variances[cell.config_id] / cell.n
        by_regime[cell.epochs][cell.config_id] = share**2 * variance / unit[cell.config_id] ** 2
    estimates = [_difference(match, mean, log) for match in matches]
    estimate = sum(estimates) * share
    parts = [(sum(terms.values()), noises[e].df(terms)) for e, terms in by_regime.items()]
    total = sum(variance for variance, _ in parts)
    if total < ROUNDING**2:
        raise PreconditionError("replicates agree exactly, so there is no noise to judge by")
    df = total**2 / rest if (rest := sum(v**2 / d for v, d in parts)) else math.inf
    half = t_quantile(df, 1 - alpha / 2) * math.sqrt(total)
    return Gap(
        estimate=estimate,
        se=math.sqrt(total),
        df=df,
        low=estimate - half,
        high=estimate + half,
        level=math.exp(sum(math.log(c.error) for c in cells) / len(cells)) if log else mean,
        cost_se=0.0,
        weights={m.first.config_id: -share for m in matches}
        | {m.second.config_id: share for m in matches},
        overlap={m.label: c for m in matches if (c := _costs(m, estimand.axis))},
    )


def _difference(match: Match, mean: float, log: bool) -> float:
    if log:
        return math.log(match.second.error / match.first.error)
    return (match.second.error - match.first.error) / mean


def _costs(match: Match, axis: str) -> tuple[float, float] | None:
    """Costs of the first and of the second cell, where they are known."""
    first, second = match.first.cost(axis), match.second.cost(axis)
    return (first, second) if first and second else None


def level_names(rule: Rule) -> tuple[str, str]:
    """Both levels in words, as in `resolution 32`; a variant has a name of its own."""
    first, second = (f"{v:g}" if isinstance(v, float) else v for v in rule.levels)
    short = rule.along.rpartition(".")[2]
    return (first, second) if short == "variant" else (f"{short} {first}", f"{short} {second}")


def level_of(cell: Cell, rule: Rule) -> str | None:
    """Which of the rule's levels a cell has, in words; None for another."""
    value = setting_of(cell, rule.along)
    return level_names(rule)[rule.levels.index(value)] if value in rule.levels else None


def cost_ratios(gap: Gap) -> list[float]:
    """What the second level costs, over the first, in each match."""
    return [second / first for first, second in gap.overlap.values()]


def equal_cost(gap: Gap) -> bool:
    """Whether all matches cost about the same."""
    ratios = cost_ratios(gap)
    return bool(ratios) and max(max(r, 1 / r) for r in ratios) <= EQUAL
