"""The declared rules of a study: packaged defaults, changed by the grid, frozen before training."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.rules.parse import NUMBERS, parse
from analysis.rules.rule import Preregistration
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.validation import suggest

DEFAULTS = Path(__file__).with_name("prereg.yaml")


def load_rules(study_dir: Path | None, grid: Mapping[str, Any]) -> Preregistration:
    """The rules of a study: the frozen ones if there are any, else those the grid declares.

    Frozen rules win; if the grid declares others, `exploratory` names what differs.

    Raises:
        InputError: rules that are not known or make no sense; the message names them.
    """
    declared = _declared(grid)
    now = parse(declared, _sha256(yaml.safe_dump(declared, sort_keys=False)))
    path = study_dir / "prereg.yaml" if study_dir else None
    if path is None or not path.exists():
        return now
    frozen = _load(path)
    if missing := sorted(set(declared) - set(frozen)):
        raise InputError(f"{path} lacks {', '.join(missing)}")
    result = parse(frozen, _sha256(path.read_text(encoding="utf-8")))
    return parse(frozen, result.sha256, _difference(result, now))


def freeze(study_dir: Path, grid: Mapping[str, Any]) -> Path:
    """Write the rules that the grid declares to STUDY/prereg.yaml unless it exists; its path.

    Raises:
        InputError: as `load_rules`.
    """
    path = study_dir / "prereg.yaml"
    declared = _declared(grid)
    parse(declared, "")
    if not path.exists():
        try:
            replace_file(path, yaml.safe_dump(declared, sort_keys=False))
        except OSError as error:
            raise InputError(f"{path}: cannot write there ({error.strerror})") from None
    return path


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("rules"), dict):
        raise InputError(f"{path} holds no rules")
    return loaded


def _declared(grid: Mapping[str, Any]) -> dict[str, Any]:
    changes = grid.get("rules") or {}
    if not isinstance(changes, Mapping):
        raise InputError(f"rules of the grid: {changes!r} is not a mapping")
    return _merge(_load(DEFAULTS), changes)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _difference(frozen: Preregistration, declared: Preregistration) -> str:
    """Which decision differs, in words."""
    names = (*NUMBERS, "cost", "base", "looks", "seed_sd", "rules")
    odd = [n for n in names if getattr(frozen, n) != getattr(declared, n)]
    return f"declared rules differ from the frozen ones in {', '.join(odd)}" if odd else ""


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` on top; rules are merged one by one, new ones come first."""
    for key in changes:
        if key not in base:
            near = suggest(str(key), list(base))
            raise InputError(f"rules.{key}: no such setting{near}; known: {', '.join(base)}")
    changed = changes.get("rules", {})
    if not isinstance(changed, Mapping) or not all(
        isinstance(c, Mapping) for c in changed.values()
    ):
        raise InputError(f"rules.rules: {changed!r} must map names to rules")
    known = base["rules"]
    own = {str(name): dict(change) for name, change in changed.items()}
    rules = {name: rule for name, rule in own.items() if name not in known}
    rules |= {name: {**rule, **own.get(name, {})} for name, rule in known.items()}
    return {**base, **changes, "rules": rules}
