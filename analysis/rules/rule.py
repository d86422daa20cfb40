"""What a rule is, and the rules of a study as they are read from their declaration."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.study.columns import ALL_COST_NAMES, AXES, Level
from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest

COMMON = ("kind", "claim", "estimand", "preconditions", "headline")
# What a rule of each kind may say beside COMMON.
KINDS: dict[str, tuple[str, ...]] = {
    "arms": ("sign", "regime", "arms", "cost", "margin"),
    "interaction": ("sign", "arms", "cost", "margin"),
    "levels": ("sign", "regime", "along", "levels", "at", "cost", "margin"),
    "regret": ("arms", "cost", "margin"),
    "departure": ("cost", "margin", "regime"),
    "diminishing": ("cost", "margin", "regime"),
    "depth_first": ("cost", "margin", "regime"),
    "slower": ("cost", "margin", "regime"),
    "dispersion": ("cost", "margin", "regime"),
    "harm": ("cost", "margin", "regime"),
    "speed": ("margin",),
    "all": ("parts",),
}
NUMBERS = {
    "alpha": (1e-6, 0.5),
    "margin": (0.0, 1.0),
    "min_overlap": (1.0, 100.0),
    "min_df": (0.0, 1000.0),
}


# Why no study can test a rule of kind `speed`.
ONE_FAMILY = "a study has one family; tables of two are judged by their own commands"


@dataclass(frozen=True)
class Rule:
    """A claim "sign * effect > margin"; a positive effect favours the first of `arms` or `levels`.

    `cost` and `margin` are the study's unless the rule has its own. `levels` are two values of the
    setting `along`, compared where the settings `at` have those values. `parts` are the rules that
    a rule of kind `all` needs.
    """

    name: str
    kind: str
    claim: str
    cost: str
    margin: float
    headline: bool = False
    sign: int = 1
    regime: str = "longest"
    arms: tuple[str, str] = ("depth", "width")
    along: str = ""
    levels: tuple[Level, Level] = ("", "")
    at: tuple[tuple[str, Level], ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preregistration:
    """The rules of a study and the SHA-256 of the file that declares them.

    `margin` is a relative error; `seed_sd` the SD between seeds (fraction) where one seed per cell
    measures none, or "prior" for sqrt(e / 2n);
    `exploratory` says why verdicts are not confirmatory, empty if they are.
    """

    alpha: float
    margin: float
    cost: str
    base: str | Mapping[str, float]
    min_overlap: float
    min_df: float
    looks: tuple[int, ...]
    seed_sd: str | float | None
    rules: tuple[Rule, ...]
    sha256: str = field(compare=False)
    exploratory: str = field(default="", compare=False)


def _number(value: Any, where: str) -> float:
    least, most = NUMBERS[where.rpartition(".")[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < most:
        raise InputError(f"{where}: {value!r} is not a number between {least:g} and {most:g}")
    return float(value)


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


def _one_of(value: Any, known: Iterable[Any], where: str) -> Any:
    if value not in (accepted := tuple(known)):
        names = [str(name) for name in accepted]
        near = suggest(value, names) if isinstance(value, str) else ""
        raise InputError(f"{where}: {value!r}{near}; known: {', '.join(names)}")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where}: {value!r} must be true or false")
    return value


def _parts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise InputError(f"{where}: {value!r} must be a list of rules that are all needed")
    return tuple(value)


def _arms(value: Any, where: str) -> tuple[str, str]:
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] != value[1]:
        return _one_of(value[0], AXES, where), _one_of(value[1], AXES, where)
    raise InputError(f"{where}: {value!r} must be two different axes of {', '.join(AXES)}")


def _along(declared: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Which setting a rule of kind `levels` is along, and which two of its values it compares."""
    along, levels = declared.get("along"), declared.get("levels")
    if not isinstance(along, str) or not along:
        raise InputError(
            f"{where}.along: {along!r} must name an axis (depth, width, resolution, epochs, lr), "
            "variant, or a config key that the grid varies"
        )
    if not isinstance(levels, list | tuple) or len(levels) != 2 or levels[0] == levels[1]:
        raise InputError(f"{where}.levels: {levels!r} must be two different values of {along}")
    at = declared.get("at") or {}
    if not isinstance(at, Mapping):
        raise InputError(f"{where}.at: {at!r} must map settings to values, as in {{depth: 50}}")
    known = tuple((str(key), _level(v, f"{where}.at.{key}")) for key, v in at.items())
    first, second = (_level(v, f"{where}.levels") for v in levels)
    return {"along": along, "levels": (first, second), "at": known}


def _level(value: Any, where: str) -> Level:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {value!r} must be a number or a name")
    return float(value)


def _rule(name: str, declared: Mapping[str, Any], study: Mapping[str, Any]) -> Rule:
    where = f"rules.rules.{name}"
    kind = _one_of(declared.get("kind"), KINDS, f"{where}.kind")
    for key in declared:
        _one_of(key, (*COMMON, *KINDS[kind]), where)
    return Rule(
        name=name,
        kind=kind,
        claim=str(declared.get("claim", name)),
        headline=_flag(declared.get("headline", False), f"{where}.headline"),
        sign=_one_of(declared.get("sign", 1), (1, -1), f"{where}.sign"),
        regime=_one_of(
            declared.get("regime", "every" if kind == "levels" else "longest"),
            ("longest", "shortest", *(["every"] if kind == "levels" else [])),
            f"{where}.regime",
        ),
        arms=_arms(declared.get("arms", ["depth", "width"]), f"{where}.arms"),
        cost=_one_of(declared.get("cost", study["cost"]), ALL_COST_NAMES, f"{where}.cost"),
        margin=_number(declared.get("margin", study["margin"]), f"{where}.margin"),
        parts=_parts(declared.get("parts"), f"{where}.parts") if kind == "all" else (),
        **(_along(declared, where) if kind == "levels" else {}),
    )


def parse(declared: Mapping[str, Any], sha256: str, exploratory: str = "") -> Preregistration:
    """The rules that `declared` names, in its order.

    Raises:
        InputError: rules that are not known or make no sense; the message names them.
    """
    rules = tuple(_rule(name, rule, declared) for name, rule in declared["rules"].items())
    simple = [rule.name for rule in rules if rule.kind != "all"]
    for rule in rules:
        for part in rule.parts:
            _one_of(part, simple, f"rules.rules.{rule.name}.parts")
    return Preregistration(
        cost=_one_of(declared["cost"], ALL_COST_NAMES, "rules.cost"),
        base=_base(declared["base"]),
        looks=_looks(declared["looks"]),
        seed_sd=_seed_sd(declared["seed_sd"]),
        rules=rules,
        sha256=sha256,
        exploratory=exploratory,
        **{name: _number(declared[name], f"rules.{name}") for name in NUMBERS},
    )
