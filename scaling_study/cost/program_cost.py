"""Costs of a user's own program: by formulas of the grid, or as the program describes itself.

A program that has neither has blank costs until its runs have measured them.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.expression import formula
from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in, parsed_json
from scaling_study.common.validation import is_number
from scaling_study.config.program import filled
from scaling_study.config.run import RunConfig

# Columns of a result that a program's costs may fill; other names are `measures`.
COLUMNS = (
    *("params", "flops", "activations", "train_flops", "eval_flops"),
    *("n_train", "n_val", "batch_size"),
)
DESCRIBE_S = 60
_kept: list[Path] = []


def keep_descriptions_in(cache_dir: Path) -> None:
    """Keep what programs say of themselves there; else every process asks anew."""
    _kept[:] = [cache_dir / "described"]


def program_costs(run: RunConfig) -> dict[str, float]:
    """The costs of a program's run that are known before it starts, by name.

    First what `task.describe` prints, then the formulas in their order, each of which may use the
    program's settings and the costs before it. InputError for a formula that cannot be computed.
    """
    assert run.program is not None
    values = run.values | {"seed": run.seed}
    costs: dict[str, float] = dict(_described(run)) if run.program.describe else {}
    for name, text in run.program.costs.items():
        known: dict[str, Any] = {n: v for n, v in (values | costs).items() if is_number(v)}
        try:
            costs[name] = formula(text, known).number(known)
        except InputError as error:
            raise InputError(f"task.costs.{name}: {error}") from None
        if costs[name] <= 0:
            raise InputError(f"task.costs.{name}={costs[name]:g}: must be above 0")
    return costs


def columns_of(costs: Mapping[str, float]) -> dict[str, int | None]:
    """The result columns among costs, whole numbers, blank where nothing is known."""
    return {name: round(costs[name]) if name in costs else None for name in COLUMNS}


def measures_of(costs: Mapping[str, float]) -> dict[str, float]:
    """The costs that no result column has."""
    return {name: value for name, value in costs.items() if name not in COLUMNS}


def _described(run: RunConfig) -> dict[str, float]:
    assert run.program is not None
    assert run.program.describe is not None
    values = run.values | {"seed": run.seed}
    return _answer(tuple(filled(run.program.describe, values)), run.program.source or "")


@lru_cache(maxsize=2**16)
def _answer(words: tuple[str, ...], source: str) -> dict[str, float]:
    """What a command prints; kept by the command and the program's source."""
    key = hashlib.sha256(json.dumps([words, source]).encode()).hexdigest()[:24]
    kept = _kept[0] / f"{key}.json" if _kept else None
    if kept is not None:
        try:
            return _checked(json_in(kept), words)
        except (OSError, ValueError):
            pass
    found = _asked(words)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, json.dumps(found) + "\n")
    return found


def _asked(words: tuple[str, ...]) -> dict[str, float]:
    said = " ".join(words)
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=DESCRIBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"task.describe: {said}: {error}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise InputError(f"task.describe: {said}: exit code {done.returncode}: {last}")
    try:
        return _checked(parsed_json(done.stdout), words)
    except ValueError as error:
        raise InputError(f"task.describe: {said}: {error}") from None


def _checked(found: object, words: tuple[str, ...]) -> dict[str, float]:
    if not isinstance(found, dict) or not all(is_number(v) and v > 0 for v in found.values()):
        raise ValueError('must print one JSON object of numbers above 0, {"params": 1000}')
    return {str(name): float(value) for name, value in found.items()}
