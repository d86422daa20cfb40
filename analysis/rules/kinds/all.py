"""`all`: a claim of several parts, which are rules themselves; every part must hold."""

from collections.abc import Mapping
from typing import Any

from analysis.rules.kind import Judgement, Kind
from analysis.rules.phrases import capitalised
from analysis.rules.rule import Rule
from analysis.stats.decision import Verdict, combine
from scaling_study.common.errors import InputError


class All(Kind):
    """Judged by an intersection-union test of its parts; `Rule.options` are their names."""

    keys = ("parts",)
    one_regime = False

    def options(self, declared: Mapping[str, Any], where: str) -> tuple[str, ...]:
        value = declared.get("parts")
        if not isinstance(value, list | tuple) or not value:
            raise InputError(
                f"{where}.parts: {value!r} must be a list of rules that are all needed"
            )
        return tuple(value)

    def parts(self, rule: Rule) -> tuple[str, ...]:
        return tuple(rule.options)

    def combined(self, rule: Rule, parts: Mapping[str, Verdict], alpha: float) -> Verdict:
        return combine([*parts.items()], alpha)

    def claim(self, rule: Rule) -> str:
        return f"needs {', '.join(self.parts(rule))}"

    def combined_sentence(self, j: Judgement) -> str:
        reason = "every part holds" if j.verdict.value == "supported" else j.verdict.reason
        return f"{capitalised(j.rule.claim)}: {reason}"


KIND = All()
