"""A planned study: cells with assumed errors and the noise that their seeds will measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.rules.evidence import Evidence
from analysis.rules.pilot import TYPICAL_ERROR, Planning
from analysis.rules.rule import Rule
from analysis.study.arms import DeclaredBase
from analysis.study.noise import Noise
from analysis.study.study_cells import StudyCells
from scaling_study.tasks.classification import prior_sd


@dataclass(frozen=True)
class PlannedStudy(Evidence):
    """Planned cells under the rules; `planning` has their assumed errors and noise."""

    planning: Planning

    def assumed(self, epochs: int) -> tuple[float, float, str]:
        """Assumed error and seed SD in one regime (fractions), and the origin of the SD."""
        error, measured = self.planning.get(epochs, (TYPICAL_ERROR, None))
        declared = self.prereg.seed_sd
        if isinstance(declared, float) and all(c.n == 1 for c in self.cells.regime(epochs)):
            return error, declared, "declared"
        if measured is not None:
            return error, measured, "pilot"
        n_val = self.cells[0].n_val
        assert n_val is not None
        return error, prior_sd(error, n_val), "prior"

    def noise(self, epochs: int) -> Noise:
        """The noise that the regime's seeds will measure, with the assumed SD."""
        noise = super().noise(epochs)
        _, sd, _ = self.assumed(epochs)
        return replace(noise, variances=dict.fromkeys(noise.variances, sd**2))

    def cost(self, rule: Rule) -> str:
        """The rule's cost if it is known without measuring, else FLOPs."""
        return rule.cost if all(c.cost(rule.cost) for c in self.cells) else "flops"


def planned_cells(
    rows: Sequence[Mapping[str, Any]], planning: Planning, declared_base: DeclaredBase
) -> StudyCells:
    """Cells with as many equal errors as there are planned seeds."""
    errors = [planning.get(int(row["epochs"]), (TYPICAL_ERROR, None))[0] for row in rows]
    planned = ({**row, "val_error": e} for row, e in zip(rows, errors, strict=True))
    return StudyCells.of(planned, declared_base)
