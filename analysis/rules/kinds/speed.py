"""`speed`: one family is cheaper than another at equal accuracy; no single study can test it."""

from typing import NoReturn

from analysis.rules.evidence import Evidence
from analysis.rules.law import NumberKind
from analysis.rules.rule import Rule
from analysis.stats.contrast import Estimand
from analysis.study.errors import PreconditionError


class Speed(NumberKind):
    """The effect is the mean ratio of costs over the accuracies that both reach, less one."""

    keys = ("margin",)
    needs = "two families"
    one_regime = False

    def effect(self, study: Evidence, rule: Rule, estimand: Estimand) -> NoReturn:
        raise PreconditionError(
            "a study has one family; tables of two are judged by their own commands"
        )


KIND = Speed(
    quantity="cost of the other family over this one at equal accuracy, less one",
    finding="{claim}: {value} times as fast",
    question="{claim}: {value} times as fast",
    format=(2, 1.0, "", 1.0),
)
