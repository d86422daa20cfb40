"""The cells of a study under its rules: the noise and the gaps that claims are judged by."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from analysis.rules.looks import StudyLook, study_look
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand, Gap, gap_of
from analysis.stats.sequential import Look
from analysis.study.arms import Pair
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import Settings, has_settings, settings_text
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells


@dataclass(frozen=True)
class Evidence:
    """Cells and the rules that they are judged by."""

    cells: StudyCells
    prereg: Preregistration

    def regimes(self) -> tuple[int, int]:
        """(shortest, longest) regime in epochs; PreconditionError if there is one regime only."""
        found = list(self.cells.regimes)
        if len(found) < 2:
            raise PreconditionError(
                f"one regime only ({self.cells.measure.at(found[0])}); long and short need two"
            )
        return found[0], found[-1]

    def at(self, settings: Settings) -> Self:
        """The study of the cells with these settings alone; PreconditionError if there are none."""
        if not settings:
            return self
        if cells := self.cells.select(lambda cell: has_settings(cell, settings)):
            return replace(self, cells=cells)
        raise PreconditionError(f"no run with {settings_text(settings)}, where the rule is about")

    def noise(self, epochs: int) -> Noise:
        """Noise of one regime: how much runs scatter changes with how long they train.

        Raises:
            PreconditionError: nothing says how runs scatter, or too few seeds do.
        """
        noise, sd = self.cells.noise(epochs), self.prereg.seed_sd
        if noise is not None and noise.kind != "prior":
            df = sum(noise.dfs.values()) if noise.kind == "per cell" else noise.df({})
            if df < self.prereg.min_df:
                raise PreconditionError(
                    f"{df:g} degrees of freedom between seeds; {self.prereg.min_df:g} are needed"
                )
            return noise
        if sd == "prior" and noise is not None:
            return noise
        if isinstance(sd, float):
            text = f"declared, {self.cells.measure.spread(sd)} (one seed per cell: not measured)"
            keys = [c.config_id for c in self.cells.regime(epochs)]
            return Noise("prior", dict.fromkeys(keys, sd**2), dict.fromkeys(keys, math.inf), text)
        raise PreconditionError(
            "one seed per cell does not measure how runs scatter; more seeds, or rules.seed_sd, do"
        )

    def gap_at(
        self, epochs: int, estimand: Estimand, arms: tuple[str, str] | None = None
    ) -> tuple[Gap, list[Pair], Noise]:
        """The gap between two arms, or the study's, in one regime, the arms and the noise.

        Raises:
            PreconditionError: a precondition of the declared rules fails.
        """
        pairs, noise = self.cells.pairs(epochs, estimand.axis, arms), self.noise(epochs)
        return gap_of(pairs, noise, estimand, self.alpha, self.prereg.min_overlap), pairs, noise

    @cached_property
    def study_look(self) -> StudyLook:
        """The look at the study that was frozen; of other cells as if their seeds were the plan."""
        counts = {c.config_id: c.n for c in self.cells}
        return self.prereg.look or study_look(counts, self.prereg.looks, counts)

    @property
    def look(self) -> Look:
        """Which look at the study this is."""
        return self.study_look.look

    @property
    def alpha(self) -> float:
        """The two-sided level of tests and intervals at this look."""
        return self.look.nominal(self.prereg.alpha)

    def look_note(self) -> tuple[str, ...]:
        """Which look this is, in words; nothing where there is one."""
        return (*filter(None, [self.study_look.text(self.prereg.alpha)]),)
