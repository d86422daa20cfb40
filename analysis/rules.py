"""The declared rules of a study: packaged defaults, changed by the grid, frozen before training."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from scaling_study.errors import InputError
from scaling_study.results import replace_file

DEFAULTS = Path(__file__).with_name("prereg.yaml")
COST_NAMES = {
    "step_time_s": "step time",
    "flops": "FLOPs",
    "params": "parameters",
}


@dataclass(frozen=True)
class Rule:
    """A claim "sign * gap > margin" about one regime; a positive gap favours depth."""

    name: str
    sign: Literal[1, -1]
    regime: Literal["longest", "shortest"]
    claim: str


@dataclass(frozen=True)
class Prereg:
    """The rules of a study and the SHA-256 of the file that declares them.

    `margin` is a relative error; `exploratory` says why verdicts are not confirmatory, empty if
    they are.
    """

    alpha: float
    margin: float
    cost: str
    base: str | Mapping[str, float]
    min_overlap: float
    min_df: float
    rules: tuple[Rule, ...]
    both: str
    both_claim: str
    sha256: str
    exploratory: str = ""


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`base` with `changes` on top, mappings merged key by key, except the declared base."""
    if odd := sorted(set(changes) - set(base)):
        raise InputError(f"unknown {where}: {', '.join(odd)}; known: {', '.join(base)}")
    merged = dict(base)
    for key, change in changes.items():
        if isinstance(base[key], Mapping) and key != "base":
            if not isinstance(change, Mapping):
                raise InputError(f"{where}.{key}: {change!r} is not a mapping")
            change = _merge(base[key], change, f"{where}.{key}")
        merged[key] = change
    return merged


def _number(declared: Mapping[str, Any], key: str, least: float, most: float) -> float:
    value = declared[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least < value < most:
        raise InputError(f"rules.{key}: {value!r} is not a number between {least:g} and {most:g}")
    return float(value)


def _base(value: Any) -> str | Mapping[str, float]:
    if value == "smallest" or (isinstance(value, Mapping) and set(value) == {"depth", "width"}):
        return value  # type: ignore[no-any-return]
    raise InputError(f"rules.base: {value!r}; give smallest or {{depth: 50, width: 1.0}}")


def _rule(name: str, declared: Mapping[str, Any]) -> Rule:
    if declared["sign"] not in (1, -1) or declared["regime"] not in ("longest", "shortest"):
        raise InputError(f"rules.rules.{name}: sign is 1 or -1, regime longest or shortest")
    return Rule(name, declared["sign"], declared["regime"], str(declared["claim"]))


def _parse(declared: Mapping[str, Any], sha256: str, exploratory: str = "") -> Prereg:
    if declared["cost"] not in COST_NAMES:
        raise InputError(f"rules.cost: {declared['cost']!r}; known: {', '.join(COST_NAMES)}")
    return Prereg(
        alpha=_number(declared, "alpha", 0, 0.5),
        margin=_number(declared, "margin", 0, 1),
        cost=declared["cost"],
        base=_base(declared["base"]),
        min_overlap=_number(declared, "min_overlap", 1, 100),
        min_df=_number(declared, "min_df", 0, 1000),
        rules=tuple(_rule(name, rule) for name, rule in declared["rules"].items()),
        both=declared["both"]["name"],
        both_claim=declared["both"]["claim"],
        sha256=sha256,
        exploratory=exploratory,
    )


def _load(text: str, where: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise InputError(f"{where} holds no mapping")
    return loaded


def _declared(grid: Mapping[str, Any]) -> dict[str, Any]:
    changes = grid.get("rules") or {}
    if not isinstance(changes, Mapping):
        raise InputError(f"rules of the grid: {changes!r} is not a mapping")
    defaults = _load(DEFAULTS.read_text(encoding="utf-8"), str(DEFAULTS))
    return _merge(defaults, changes, "rules")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _difference(frozen: Prereg, declared: Prereg) -> str:
    """Which decision differs, in words; texts do not decide anything."""
    names = ("alpha", "margin", "cost", "base", "min_overlap", "min_df")
    odd = [n for n in names if getattr(frozen, n) != getattr(declared, n)]
    signs = [[(r.name, r.sign, r.regime) for r in p.rules] for p in (frozen, declared)]
    odd += ["rules"] if signs[0] != signs[1] else []
    return (
        f"the grid now declares other rules than the frozen ones, which apply, in {', '.join(odd)}"
        if odd
        else ""
    )


def prereg(study_dir: Path | None, grid: Mapping[str, Any]) -> Prereg:
    """The rules of a study: the frozen ones if there are any, else those the grid declares.

    Frozen rules win; if the grid declares others, `exploratory` names what differs.

    Raises:
        InputError: rules that are not known or make no sense; the message names them.
    """
    declared = _declared(grid)
    text = yaml.safe_dump(declared, sort_keys=False)
    now = _parse(declared, _sha256(text))
    path = study_dir / "prereg.yaml" if study_dir else None
    if path is None or not path.is_file():
        return now
    stored = path.read_text(encoding="utf-8")
    frozen = _merge(declared, _load(stored, str(path)), str(path))
    result = _parse(frozen, _sha256(stored))
    return _parse(frozen, result.sha256, _difference(result, now))


def freeze(study_dir: Path, grid: Mapping[str, Any]) -> Path:
    """Write the rules that the grid declares to STUDY/prereg.yaml unless it exists; its path.

    Raises:
        InputError: as `prereg`.
    """
    path = study_dir / "prereg.yaml"
    declared = _declared(grid)
    _parse(declared, "")
    if not path.exists():
        replace_file(path, yaml.safe_dump(declared, sort_keys=False))
    return path
