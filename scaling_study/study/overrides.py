"""The command that repeats one run, from the config that its folder holds; Hydra is not needed.

A run's config.yaml is fully resolved. The command says what differs from conf/'s defaults, after
choosing the options of the groups that differ least.
"""

import re
import shlex
from collections import ChainMap
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from scaling_study.common.paths import data_dir
from scaling_study.common.validation import flat_items

GROUPS = ("model", "data", "train")
PLAIN = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)
# Bare words that Hydra reads as something other than text.
WORDS = ("true", "false", "null", "nan", "inf", "on", "off", "yes", "no")
Values = dict[str, Any]
_flat = partial(flat_items, empty=True)


def overrides(config: Mapping[str, Any]) -> list[str]:
    """Hydra overrides that turn the defaults into this run, such as `model.depth=26`."""
    top, options = _defaults()
    found = []
    for group in GROUPS:
        values = dict(_flat(config.get(group) or {}))
        name, known = _closest(group, options[group], values)
        if name != options[group]:
            found.append(f"{group}={name}")
        # A run from before a setting has not dropped it: without it the run had its default.
        later = known if group == "train" else _common(group)
        known = {k: v for k, v in known.items() if k in values or k not in later}
        found += _changes(values, known, f"{group}.")
    # The code is what can be imported where the command is typed, and alone a run trains its trunk.
    rest = {key: value for key, value in config.items() if key not in (*GROUPS, "code", "trunk")}
    # A run's config has a file's digest beside it, and what a grid calls a run.
    rest |= {key: _reference(rest[key]) for key in ("init", "teacher") if key in rest}
    return [*found, *_changes(dict(_flat(rest)), {k: top.get(k) for k in rest}, "")]


def _reference(value: Mapping[str, Any] | None) -> str:
    """How a file or a run that a run needs is typed."""
    if value is None:
        return "none"
    return f"run:{value['run']}" if "run" in value else f"{value['names']}:{value['path']}"


def command(config: Mapping[str, Any], results_dir: str) -> str:
    """What to type to train the run, into RESULTS_DIR/runs: a store that has it trains nothing."""
    values = [*overrides(config), f"results_dir={text(results_dir)}"]
    return shlex.join(["python", "-m", "scaling_study.train", *values])


def text(value: Any) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{text(v)}" for k, v in value.items()) + "}"
    if not isinstance(value, str):
        return repr(value)
    if PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    # Backslashes count only before a quote and before an interpolation.
    quoted = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)
    quoted = re.sub(r"(\\*)\$\{", lambda m: 2 * m[1] + "\\${", quoted)
    return f"'{quoted}'"


def _changes(values: Values, known: Values, prefix: str) -> list[str]:
    """What sets `known` to `values`; Hydra adds a new key with + and drops one with ~."""
    changed = [
        f"{'' if key in known else '+'}{prefix}{key}={text(values[key])}"
        for key in _changed(values, known)
    ]
    return [*changed, *(f"~{prefix}{key}" for key in known if key not in values)]


def _changed(values: Values, known: Values) -> list[str]:
    return [k for k, value in values.items() if k not in known or not _same(value, known[k])]


def _same(value: Any, default: Any) -> bool:
    """Whether a default, as YAML reads it, is this value: 5e-4 is text to YAML 1.1."""
    if isinstance(value, bool) or isinstance(default, bool) or value is None or default is None:
        return value is default
    if isinstance(value, int | float):
        try:
            return float(default) == value
        except (TypeError, ValueError):
            return False
    return bool(value == default)


def _closest(group: str, default: str, values: Values) -> tuple[str, Values]:
    """The option of a group from which the fewest changes lead to `values`, the default first."""

    def changes(item: tuple[str, Values]) -> tuple[int, int, bool]:
        name, known = item
        dropped, odd = len(known.keys() - values.keys()), len(known.keys() ^ values.keys())
        return odd, len(_changed(values, known)) + dropped, name != default

    return min(_options(group).items(), key=changes)


@cache
def _options(group: str) -> dict[str, Values]:
    """Those options that set their own group alone; what others lead to is said key by key."""
    texts = {p: p.read_text(encoding="utf-8") for p in (data_dir("conf") / group).glob("*.yaml")}
    own = sorted(path for path, text in texts.items() if not text.startswith("# @package _global_"))
    return {path.stem: _common(group) | _option(path) for path in own}


@cache
def _common(group: str) -> Values:
    """What files beside the groups' folders say for every option of a group."""
    values: Values = {}
    for path in sorted(data_dir("conf").glob("*.yaml")):
        if path.read_text(encoding="utf-8").startswith(f"# @package {group}\n"):
            values |= dict(_flat(_yaml(path)))
    return values


def _option(path: Path) -> Values:
    """An option's values on top of those that its own defaults list names in the same group."""
    loaded = _yaml(path)
    values: Values = {}
    for base in loaded.pop("defaults", []):
        if isinstance(base, str) and base != "_self_":
            values |= _option(path.with_name(f"{base.removesuffix('.yaml')}.yaml"))
    return values | dict(_flat(loaded))


@cache
def _defaults() -> tuple[Values, dict[str, str]]:
    """Top-level values of a run, and the option of each group that is the default."""
    loaded = _yaml(data_dir("conf") / "run.yaml")
    chosen = ChainMap(*(entry for entry in loaded.pop("defaults") if isinstance(entry, dict)))
    return dict(_flat(loaded)), {group: chosen[group] for group in GROUPS}


def _yaml(path: Path) -> Values:
    values: Values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return values
