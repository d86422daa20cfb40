# my_rules/extremes.py
from analysis.rules.kind import Effect, Kind
from analysis.rules.phrases import relative_error
from analysis.stats.matched_gap import matched_gap
from analysis.study.matched_cells import matches_of


class Extremes(Kind):
    """The largest value of an axis against the smallest, all else equal."""

    keys = ("axis", "regime", "margin")

    def options(self, declared, where):
        return declared["axis"]

    def effect(self, study, rule, estimand):
        epochs = self.epochs(study.cells, rule)
        regime = study.cells.regime(epochs)
        values = sorted(cell.value(rule.options) for cell in regime)
        matches = matches_of(regime, rule.options, (values[-1], values[0]))
        noise = study.noise(epochs)
        gap = matched_gap(matches, {epochs: noise}, estimand, study.alpha)
        cells = [cell for match in matches for cell in (match.first, match.second)]
        return Effect(gap, cells, len(noise.variances))

    def sentence(self, j, gap):
        return f"The largest {j.rule.options} gains {relative_error(gap)}"


KIND = Extremes()
