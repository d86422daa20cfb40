"""Declared rules, as YAML gives them, into checked values."""

from collections.abc import Mapping
from typing import Any

from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule, one_of
from analysis.study.columns import ALL_COST_NAMES, AXES
from scaling_study.common.errors import InputError

COMMON = ("kind", "claim", "estimand", "preconditions", "headline")
NUMBERS = {
    "alpha": (1e-6, 0.5),
    "margin": (0.0, 1.0),
    "min_overlap": (1.0, 100.0),
    "min_df": (0.0, 1000.0),
}


def parse(declared: Mapping[str, Any], sha256: str, exploratory: str = "") -> Preregistration:
    """The rules that `declared` names, in its order.

    Raises:
        InputError: rules that are not known or make no sense; the message names them.
    """
    rules = tuple(_rule(name, rule, declared) for name, rule in declared["rules"].items())
    parts = {rule.name: find_kind(rule.kind).parts(rule) for rule in rules}
    simple = [name for name, needed in parts.items() if not needed]
    for name, needed in parts.items():
        for part in needed:
            one_of(part, simple, f"rules.rules.{name}.parts")
    return Preregistration(
        cost=one_of(declared["cost"], ALL_COST_NAMES, "rules.cost"),
        base=_base(declared["base"]),
        looks=_looks(declared["looks"]),
        seed_sd=_seed_sd(declared["seed_sd"]),
        rules=rules,
        sha256=sha256,
        exploratory=exploratory,
        **{name: _number(declared[name], f"rules.{name}") for name in NUMBERS},
    )


def _rule(name: str, declared: Mapping[str, Any], study: Mapping[str, Any]) -> Rule:
    where = f"rules.rules.{name}"
    kind = find_kind(declared.get("kind"), f"{where}.kind")
    for key in declared:
        one_of(key, (*COMMON, *kind.keys), where)
    return Rule(
        name=name,
        kind=declared["kind"],
        claim=str(declared.get("claim", name)),
        headline=_flag(declared.get("headline", False), f"{where}.headline"),
        sign=one_of(declared.get("sign", 1), (1, -1), f"{where}.sign"),
        regime=one_of(declared.get("regime", kind.default_regime), kind.regimes, f"{where}.regime"),
        arms=_arms(declared.get("arms", ["depth", "width"]), f"{where}.arms"),
        cost=one_of(declared.get("cost", study["cost"]), ALL_COST_NAMES, f"{where}.cost"),
        margin=_number(declared.get("margin", study["margin"]), f"{where}.margin"),
        options=kind.options(declared, where),
    )


def _number(value: Any, where: str) -> float:
    least, most = NUMBERS[where.rpartition(".")[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < most:
        raise InputError(f"{where}: {value!r} is not a number between {least:g} and {most:g}")
    return float(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where}: {value!r} must be true or false")
    return value


def _arms(value: Any, where: str) -> tuple[str, str]:
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] != value[1]:
        return one_of(value[0], AXES, where), one_of(value[1], AXES, where)
    raise InputError(f"{where}: {value!r} must be two different axes of {', '.join(AXES)}")


def _base(value: Any) -> str | Mapping[str, float]:
    if value == "smallest":
        return "smallest"
    if isinstance(value, Mapping) and value and set(value) <= set(AXES):
        numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in value.values()]
        if all(numbers):
            return dict(value)
    raise InputError(f"rules.base: {value!r}; give smallest or {{depth: 50, width: 1.0}}")


def _looks(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(
        not isinstance(n, int) or n <= before for before, n in zip((0, *value), value, strict=False)
    ):
        raise InputError(f"rules.looks: {value!r} must be rising numbers of seeds, as in [2, 3, 5]")
    return tuple(value)


def _seed_sd(value: Any) -> str | float | None:
    if value is None or value == "prior":
        return value  # type: ignore[no-any-return]
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise InputError(f"rules.seed_sd: {value!r} must be null, prior, or a fraction such as 0.002")
