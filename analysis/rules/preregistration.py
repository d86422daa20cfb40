"""The declared rules of a study: packaged defaults, changed by the grid, frozen before training."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from analysis.rules.declared_interval import SEEDS
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration, Rule, one_of
from analysis.rules.tuned import tuned_key
from analysis.stats.population import CLASSES, IMAGES
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.columns import ALL_COST_NAMES, AXES, own_axes
from analysis.study.compared_settings import cumulative_rows
from analysis.study.measure import ERROR, Measure, measure_of
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.reading import yaml_in
from scaling_study.common.validation import suggest

DEFAULTS = Path(__file__).with_name("prereg.yaml")
# Keys of a declaration besides those of its kind.
COMMON = ("kind", "claim", "estimand", "preconditions", "headline")
# Settings that only some studies declare, and what the others mean.
OPTIONAL: Mapping[str, Any] = {"paired": False, "generalise": SEEDS, "arms": DEPTH_WIDTH}
NUMBERS = {
    "alpha": (1e-6, 0.5),
    "margin": (0.0, 1.0),
    "min_overlap": (1.0, 100.0),
    "min_df": (0.0, 1000.0),
}


def load_rules(study_dir: Path | None, grid: Mapping[str, Any]) -> Preregistration:
    """The rules of a study: the frozen ones if there are any, else those the grid declares.

    Frozen rules win; if the grid declares others, `exploratory` names what differs. Raises
    InputError, which names them, for rules that are not known or make no sense.
    """
    declared = _declared(grid)
    now = _parse(declared, yaml.safe_dump(declared, sort_keys=False), grid)
    path = study_dir / "prereg.yaml" if study_dir else None
    if path is None or not path.exists():
        return now
    frozen = _load(path)
    if missing := sorted(set(declared) - set(frozen)):
        raise InputError(f"{path} lacks {', '.join(missing)}")
    rules = _parse(frozen, path.read_text(encoding="utf-8"), grid)
    names = (*NUMBERS, "cost", "base", "looks", "seed_sd", *OPTIONAL, "rules")
    odd = [name for name in names if getattr(rules, name) != getattr(now, name)]
    differ = f"declared rules differ from the frozen ones in {', '.join(odd)}"
    return replace(rules, exploratory=differ) if odd else rules


def freeze(study_dir: Path, grid: Mapping[str, Any]) -> Path:
    """Write the grid's rules to STUDY/prereg.yaml unless it exists; its path. Raises InputError."""
    path, declared = study_dir / "prereg.yaml", _declared(grid)
    text = yaml.safe_dump(declared, sort_keys=False)
    _parse(declared, text, grid)
    if not path.exists():
        try:
            replace_file(path, text)
        except OSError as error:
            raise InputError(f"{path}: cannot write there ({error.strerror})") from None
    return path


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml_in(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("rules"), dict):
        raise InputError(f"{path} holds no rules")
    return loaded


def _declared(grid: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with the grid's changes; rules are merged one by one, new ones come first."""
    base, changes = _load(DEFAULTS), grid.get("rules") or {}
    if not isinstance(changes, Mapping):
        raise InputError(f"rules of the grid: {changes!r} is not a mapping")
    for key in changes:
        if key not in (known := (*base, *OPTIONAL)):
            near = suggest(str(key), known)
            raise InputError(f"rules.{key}: no such setting{near}; known: {', '.join(known)}")
    changed = changes.get("rules", {})
    if not isinstance(changed, Mapping) or not all(
        isinstance(c, Mapping) for c in changed.values()
    ):
        raise InputError(f"rules.rules: {changed!r} must map names to rules")
    packaged = _in_words_of(base["rules"], grid, changes.get("arms", DEPTH_WIDTH))
    packaged = _at_known_cost(packaged, grid, changes.get("cost", base["cost"]))
    own = {str(name): dict(change) for name, change in changed.items()}
    rules = {name: rule for name, rule in own.items() if name not in packaged}
    rules |= {name: {**rule, **own.get(name, {})} for name, rule in packaged.items()}
    return {**base, **changes, "rules": rules}


def _in_words_of(
    packaged: Mapping[str, Mapping[str, Any]], grid: Mapping[str, Any], arms: Any
) -> dict[str, dict[str, Any]]:
    """The packaged rules with the words of the grid's arms and outcome where they have braces."""
    measure, (first, second) = measure_of(grid), _words(_arms(arms, "rules.arms", grid), grid)
    loses = "loses accuracy" if measure.name == "error" else f"costs {measure.name}"
    words = {"first": first, "second": second, "outcome": measure.name, "less": measure.better}
    words |= {"loses": loses, "scale": "ln" if measure.log else ""}
    return {
        name: {k: v.format(**words) if isinstance(v, str) else v for k, v in rule.items()}
        for name, rule in packaged.items()
    }


def _at_known_cost(
    packaged: Mapping[str, dict[str, Any]], grid: Mapping[str, Any], cost: Any
) -> dict[str, dict[str, Any]]:
    """The packaged rules at the study's cost where its runs have no FLOPs of an example."""
    task = grid.get("task")
    known = not isinstance(task, Mapping) or "flops" in (task.get("costs") or {})
    return {
        name: rule if known or rule.get("cost") != "flops" else {**rule, "cost": cost}
        for name, rule in packaged.items()
    }


def _words(arms: tuple[str, str], grid: Mapping[str, Any]) -> tuple[str, str]:
    """What sentences call two axes."""
    known = {axis.name: axis.label for axis in own_axes(grid)}
    first, second = (known.get(arm, arm) for arm in arms)
    return first, second


def _parse(declared: Mapping[str, Any], text: str, grid: Mapping[str, Any]) -> Preregistration:
    """The rules that `declared` names, in its order; `text` is their file."""
    measure = measure_of(grid)
    if not measure.log and "margin" not in (grid.get("rules") or {}):
        raise InputError(
            "rules.margin: must be declared where raw differences are compared: the least "
            f"{measure.gap} that counts{measure.gap_unit and f', in{measure.gap_unit}'}"
        )
    arms = _arms(declared.get("arms", DEPTH_WIDTH), "rules.arms", grid)
    declared = {**declared, "arms": list(arms)}
    rules = tuple(_rule(name, rule, declared, grid) for name, rule in declared["rules"].items())
    parts = {rule.name: find_kind(rule.kind).parts(rule) for rule in rules}
    simple = [name for name, needed in parts.items() if not needed]
    for name, needed in parts.items():
        for part in needed:
            one_of(part, simple, f"rules.rules.{name}.parts")
    return Preregistration(
        cost=one_of(declared["cost"], ALL_COST_NAMES, "rules.cost"),
        base=_base(declared["base"], grid),
        arms=arms,
        looks=_looks(declared["looks"]),
        seed_sd=_seed_sd(declared["seed_sd"], measure),
        paired=one_of(declared.get("paired", False), (False, True), "rules.paired"),
        generalise=one_of(
            declared.get("generalise", SEEDS), (SEEDS, IMAGES, CLASSES), "rules.generalise"
        ),
        rules=rules,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        **dict[str, Any](
            (name, _number(declared[name], f"rules.{name}", measure)) for name in NUMBERS
        ),
    )


def _rule(
    name: str, declared: Mapping[str, Any], study: Mapping[str, Any], grid: Mapping[str, Any]
) -> Rule:
    where, measure = f"rules.rules.{name}", measure_of(grid)
    kind = find_kind(declared.get("kind"), f"{where}.kind")
    if "tuned" in declared and "tuned" not in kind.keys:
        raise InputError(
            f"{where}.tuned: rules of kind {declared['kind']} are about the recipe's learning "
            "rates; of the kinds that ship, arms and interaction can be tuned"
        )
    for key in declared:
        one_of(key, (*COMMON, *kind.keys), where)
    headline = declared.get("headline", False)
    if not isinstance(headline, bool):
        raise InputError(f"{where}.headline: {headline!r} must be true or false")
    arms = _arms(declared.get("arms", study["arms"]), f"{where}.arms", grid)
    return Rule(
        name=name,
        kind=declared["kind"],
        claim=str(declared.get("claim", name)),
        headline=headline,
        sign=one_of(declared.get("sign", 1), (1, -1), f"{where}.sign"),
        regime=one_of(declared.get("regime", kind.default_regime), kind.regimes, f"{where}.regime"),
        arms=arms,
        arm_words=_words(arms, grid),
        measure=measure,
        rows=cumulative_rows(grid),
        tuned=tuned_key(declared, arms, where),
        cost=one_of(declared.get("cost", study["cost"]), ALL_COST_NAMES, f"{where}.cost"),
        margin=_number(declared.get("margin", study["margin"]), f"{where}.margin", measure),
        options=kind.options(declared, where),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, where: str, measure: Measure) -> float:
    least, most = NUMBERS[where.rpartition(".")[2]]
    if where.endswith(".margin") and measure != ERROR:
        most = math.inf  # in units of the outcome
    if not _is_number(value) or not least <= value < most:
        raise InputError(f"{where}: {value!r} is not a number between {least:g} and {most:g}")
    return float(value)


def _arms(value: Any, where: str, grid: Mapping[str, Any]) -> tuple[str, str]:
    """Two axes, own ones by their config key or its last part."""
    known = _arm_axes(grid)
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] != value[1]:
        first, second = (known[one_of(name, known, where)] for name in value)
        return first, second
    raise InputError(f"{where}: {value!r} must be two different axes of {', '.join(known)}")


def _arm_axes(grid: Mapping[str, Any]) -> dict[str, str]:
    """The axes that arms may scale along, by what a declaration may call them."""
    own = [axis.name for axis in own_axes(grid)]
    short = {name.rpartition(".")[2]: name for name in own}
    return short | {name: name for name in (*AXES, *own)}


def _base(value: Any, grid: Mapping[str, Any]) -> str | Mapping[str, float]:
    if value == "smallest":
        return "smallest"
    axes = _arm_axes(grid)
    known = isinstance(value, Mapping) and value and set(value) <= set(axes)
    if known and all(map(_is_number, value.values())):
        return {axes[name]: number for name, number in value.items()}
    raise InputError(f"rules.base: {value!r}; give smallest or {{depth: 50, width: 1.0}}")


def _looks(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(
        not isinstance(n, int) or n <= before for before, n in zip((0, *value), value, strict=False)
    ):
        raise InputError(f"rules.looks: {value!r} must be rising numbers of seeds, as in [2, 3, 5]")
    return tuple(value)


def _seed_sd(value: Any, measure: Measure) -> str | float | None:
    if value is None or value == "prior" or (isinstance(value, float) and 0 < value < 1):
        return value  # type: ignore[no-any-return]
    if measure != ERROR and _is_number(value) and value > 0:
        return float(value)
    raise InputError(f"rules.seed_sd: {value!r} must be null, prior, or a fraction such as 0.002")
