"""Adaptive studies: which of the drawn runs are trained, round by round, as a sweep would ask."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.rules.allocation import Design
from analysis.rules.declared_allocation import ADAPTIVE, Allocation
from analysis.rules.evidence import Evidence
from analysis.rules.looks import StudyLook
from analysis.rules.planned import Planning
from analysis.rules.registry import find_kind
from analysis.rules.rounds import first_round, next_round
from analysis.rules.rule import Preregistration
from analysis.stats.contrast import Estimand
from analysis.stats.decision import Verdict
from analysis.stats.sequential import Look
from analysis.study.errors import PreconditionError
from analysis.study.study_cells import StudyCells
from calibration.case import Rows


@dataclass(frozen=True)
class Adaptive:
    """Rounds over candidates that are all drawn: the rules, what may be spent, and on what.

    `candidates` are any study's rows, of which only what is planned is used.
    """

    candidates: Rows
    prereg: Preregistration
    planning: Planning
    train_flops: float
    rules: tuple[str, ...]
    rounds: int = 4

    @cached_property
    def design(self) -> Design:
        allocation = Allocation(ADAPTIVE, "train_flops", self.train_flops, self.rules, self.rounds)
        return Design(self.candidates, self.prereg, self.planning, allocation)

    def study(self, drawn: Rows) -> tuple[Rows, Preregistration]:
        """The runs that are trained in all rounds, and the rules at the look where it stops."""
        outcomes = {row["run_id"]: row for row in drawn}
        now, shares = first_round(self.design), list[float]()
        while True:
            look = StudyLook(Look(now.share, tuple(shares)))
            prereg = replace(self.prereg, look=look)
            rows = [outcomes[row["run_id"]] for row in self.design.chosen(now.seeds)]
            study = Evidence(StudyCells.of(rows, prereg.base), prereg)
            shares.append(now.share)
            following = next_round(
                self.design, study, verdicts(study, self.rules), now.seeds, shares
            )
            if following is None:
                return rows, prereg
            now = following


def verdicts(study: Evidence, names: tuple[str, ...]) -> Mapping[str, Verdict]:
    """The verdicts on the rules of these names."""
    found = {}
    for rule in study.prereg.rules:
        if rule.name not in names:
            continue
        try:
            estimate = find_kind(rule.kind).estimate(study, rule, Estimand(rule.cost))
            found[rule.name] = estimate.verdict
        except PreconditionError as error:
            found[rule.name] = Verdict("not_testable", str(error))
    return found
