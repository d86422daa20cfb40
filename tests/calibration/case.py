"""A case of the calibration: simulated studies whose true effect is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Gap

Rows = list[dict[str, Any]]
# Seeds by cell.
Counts = Mapping[str, int]
# The seeds of each cell at a look, by those at the look before and the effect found there.
Stage = Callable[[Counts, Gap | None], Counts]


@dataclass(frozen=True)
class Case:
    """Studies that `rows` draws, on which the rule named `rule` has the effect `truth`.

    `truth` is in the rule's unit: a relative error, a fraction of error for a regret, or a number.
    `rules` are changes to the packaged rules, as a grid's `rules:`. With `family` the verdict is
    that after Holm's correction over the headline rules, else the rule's own. `stages` are looks at
    a part of the seeds, of which the first is what was planned, until one decides. `trained` says
    which of the drawn runs a study in rounds trains, and the rules at the look where it stops.
    """

    rule: str
    name: str
    truth: float
    rows: Callable[[np.random.Generator], Rows]
    rules: Mapping[str, Any] = field(default_factory=dict)
    family: bool = False
    trained: Callable[[Rows], tuple[Rows, Preregistration]] | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.rule}: {self.name}"
