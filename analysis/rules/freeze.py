"""STUDY/freeze.json: which runs were planned under which rules, and when that was fixed.

A verdict is confirmatory only if all of its runs began after the freeze and are those that it
lists, none left out by choice. Runs that are planned later are added with their own time; nothing
is ever rewritten.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file

FILE = "freeze.json"
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """Runs that were fixed `at` a time, in s since 1970, each with its cell (its config id)."""

    at: float
    runs: Mapping[str, str]


@dataclass(frozen=True)
class Freeze:
    """The SHA-256 of the frozen rules, and what was planned: first the freeze, then extensions."""

    rules_sha256: str
    plans: tuple[Plan, ...]

    @property
    def runs(self) -> dict[str, str]:
        """All planned runs with their cells."""
        return {run: cell for plan in self.plans for run, cell in plan.runs.items()}

    @property
    def planned(self) -> dict[str, int]:
        """How many runs each cell of the first plan has there."""
        return dict(Counter(self.plans[0].runs.values()))

    def planned_at(self, run_id: str) -> float:
        """When the run was first planned, in s since 1970."""
        return next(plan.at for plan in self.plans if run_id in plan.runs)


def rules_sha256(study_dir: Path) -> str:
    """The SHA-256 of the study's frozen rules as the file has them."""
    return hashlib.sha256((study_dir / "prereg.yaml").read_bytes()).hexdigest()


def freeze_plan(study_dir: Path, runs: Mapping[str, str]) -> None:
    """Note that these runs are planned under the rules in STUDY/prereg.yaml, unless that is known.

    `runs` gives each run's cell. Raises InputError if freeze.json cannot be read or written.
    """
    known = read_freeze(study_dir)
    new = {run: cell for run, cell in runs.items() if known is None or run not in known.runs}
    if not new:
        return
    plans = [*(known.plans if known else ()), Plan(time.time(), new)]
    content = {
        "version": VERSION,
        "rules_sha256": known.rules_sha256 if known else rules_sha256(study_dir),
        "plans": [{"at": plan.at, "runs": dict(plan.runs)} for plan in plans],
    }
    try:
        replace_file(study_dir / FILE, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"{study_dir / FILE}: cannot write there ({error.strerror})") from None


def read_freeze(study_dir: Path) -> Freeze | None:
    """What was frozen; None where no plan was, as by versions that froze rules alone.

    Raises:
        InputError: freeze.json is something else.
    """
    path = study_dir / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        plans = tuple(
            Plan(float(plan["at"]), {str(run): str(cell) for run, cell in plan["runs"].items()})
            for plan in found["plans"]
        )
        return Freeze(str(found["rules_sha256"]), plans) if plans else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no record of a freeze ({error!r}); restore it, or remove it: verdicts are "
            "exploratory then"
        ) from None


def exploratory_reasons(
    frozen: Freeze | None,
    sha256: str,
    began: Mapping[str, float],
    planned: Iterable[str],
    analysed: Iterable[str],
) -> list[str]:
    """Why verdicts are not confirmatory, in words; empty if they are.

    `sha256` is that of the rules in use, `began` when each analysed run began (s since 1970),
    `planned` are the runs of the study's plan now, `analysed` those that enter the analysis or were
    excluded by the rules for that.
    """
    if frozen is None:
        return ["rules were frozen without a plan"]
    reasons, analysed = [], set(analysed)
    if sha256 != frozen.rules_sha256:
        reasons.append("the frozen rules were changed afterwards")
    early = [run for run in analysed & frozen.runs.keys() if began[run] < frozen.planned_at(run)]
    if early:
        reasons.append(f"{_runs(len(early))} precede{'s' * (len(early) == 1)} the freeze")
    if unknown := analysed - frozen.runs.keys():
        reasons.append(f"{_runs(len(unknown))} were not in the frozen plan")
    if dropped := frozen.runs.keys() - set(planned):
        reasons.append(f"{_runs(len(dropped))} of the frozen plan were dropped from the study")
    if added := set(frozen.runs.values()) - frozen.planned.keys():
        reasons.append(f"{len(added)} cells were added after the freeze")
    return reasons


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
