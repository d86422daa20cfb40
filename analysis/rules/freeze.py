"""STUDY/freeze.json: which runs were planned under which rules, and when that was fixed.

A verdict is confirmatory only if all of its runs began after the freeze and are those that it
lists, none left out by choice. Runs that are planned later are added with their own time; nothing
is ever rewritten. A study that chooses runs by a rule as it goes freezes that rule, its candidates
and its budget as the `allocation`; what the rule adds later are extensions that were frozen.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in, yaml_in
from scaling_study.common.source import sources_of

FILE = "freeze.json"
VERSION = 1
# What chose the runs of a later plan, where an allocation did.
FROZEN, OTHER = "frozen allocation", "another allocation"


@dataclass(frozen=True)
class Plan:
    """Runs that were fixed `at` a time, in s since 1970, each with its cell (its config id).

    `chosen_by` says what chose them: a person (empty), the frozen allocation, or another one.
    `share` is how much of the final information the runs so far give, where they are a round of an
    adaptive study.
    """

    at: float
    runs: Mapping[str, str]
    chosen_by: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Freeze:
    """The SHA-256 of the frozen rules, and what was planned: first the freeze, then extensions.

    `allocation` is the frozen rule that chooses later runs: its `candidates` are the cells it may
    choose (without that key those of the first plan), the rest is the rule's own. None without one.
    `sources` are digests of the modules outside this project that judge rules, and of those beside
    them that they import; None where a version before that wrote the freeze.
    """

    rules_sha256: str
    plans: tuple[Plan, ...]
    allocation: Mapping[str, Any] | None = None
    sources: Mapping[str, str] | None = None

    @cached_property
    def runs(self) -> dict[str, str]:
        """All planned runs with their cells."""
        return {run: cell for plan in self.plans for run, cell in plan.runs.items()}

    @property
    def planned(self) -> dict[str, int]:
        """How many runs each cell of the first plan has there."""
        return dict(Counter(self.plans[0].runs.values()))

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the final information after each round; empty unless all are rounds."""
        if len(self.plans) > 1 and not self.by_allocation:
            return ()
        known = tuple(plan.share for plan in self.plans if plan.share is not None)
        return known if len(known) == len(self.plans) else ()

    @property
    def by_allocation(self) -> bool:
        """Whether the frozen allocation chose all runs that were planned later."""
        return len(self.plans) > 1 and all(p.chosen_by == FROZEN for p in self.plans[1:])

    @property
    def unforeseen(self) -> set[str]:
        """Cells added later that are neither in the first plan nor the frozen rule's choice."""
        candidates = {str(cell) for cell in (self.allocation or {}).get("candidates", ())}
        added = set[str]()
        for plan in self.plans[1:]:
            foreseen = candidates if plan.chosen_by == FROZEN else set()
            added |= set(plan.runs.values()) - foreseen
        return added - self.planned.keys()

    def planned_at(self, run_id: str) -> float:
        """When the run was first planned, in s since 1970."""
        return next(plan.at for plan in self.plans if run_id in plan.runs)


def rules_sha256(study_dir: Path) -> str:
    """The SHA-256 of the study's frozen rules as the file has them."""
    return hashlib.sha256((study_dir / "prereg.yaml").read_bytes()).hexdigest()


def rule_sources(study_dir: Path) -> dict[str, str]:
    """Digests of the modules of the user's own that judge the frozen rules, by module name.

    Raises:
        InputError: a module that cannot be found.
    """
    rules = yaml_in(study_dir / "prereg.yaml")["rules"].values()
    own = {str(rule["kind"]) for rule in rules if "." in str(rule.get("kind", ""))}
    return {name: digest for kind in sorted(own) for name, digest in sources_of(kind).items()}


def freeze_plan(
    study_dir: Path,
    runs: Mapping[str, str],
    allocation: Mapping[str, Any] | None = None,
    share: float | None = None,
) -> None:
    """Note that these runs are planned under the rules in STUDY/prereg.yaml, unless that is known.

    `runs` gives each run's cell. `allocation` (JSON values; see `Freeze`) is the rule that chose
    them or will choose later ones: the first is frozen, and of later runs it is noted whether that
    one chose them. `share` is that of a round (`Plan`). Raises InputError if freeze.json cannot be
    read or written.
    """
    known = read_freeze(study_dir)
    new = {run: cell for run, cell in runs.items() if known is None or run not in known.runs}
    if not new:
        return
    chosen_by = ""
    if known and allocation is not None:
        chosen_by = FROZEN if _plain(allocation) == known.allocation else OTHER
    plans = (*(known.plans if known else ()), Plan(time.time(), new, chosen_by, share))
    frozen = known.allocation if known else allocation and _plain(allocation)
    sha256 = known.rules_sha256 if known else rules_sha256(study_dir)
    sources = known.sources if known else rule_sources(study_dir)
    try:
        replace_file(study_dir / FILE, freeze_text(Freeze(sha256, plans, frozen, sources)))
    except OSError as error:
        raise InputError(f"{study_dir / FILE}: cannot write there ({error.strerror})") from None


def freeze_text(freeze: Freeze) -> str:
    """What freeze.json holds."""
    content: dict[str, Any] = {"version": VERSION, "rules_sha256": freeze.rules_sha256}
    if freeze.sources:
        content["rule_sources"] = dict(freeze.sources)
    if freeze.allocation is not None:
        content["allocation"] = freeze.allocation
    content["plans"] = [
        {"at": plan.at}
        | ({"chosen_by": plan.chosen_by} if plan.chosen_by else {})
        | ({} if plan.share is None else {"share": plan.share})
        | {"runs": dict(plan.runs)}
        for plan in freeze.plans
    ]
    return json.dumps(content, indent=1) + "\n"


def _plain(allocation: Mapping[str, Any]) -> dict[str, Any]:
    """An allocation as JSON gives it back: tuples are lists there."""
    return dict(json.loads(json.dumps(allocation)))


def read_freeze(study_dir: Path) -> Freeze | None:
    """What was frozen; None where no plan was, as by versions that froze rules alone.

    Raises:
        InputError: freeze.json is something else.
    """
    path = study_dir / FILE
    try:
        found = json_in(path)
        plans = tuple(map(_plan, found["plans"]))
        allocation = found.get("allocation")
        if allocation is not None:
            allocation = dict(allocation)
            set(allocation.get("candidates", ()))
        sources = found.get("rule_sources")
        sources = None if sources is None else {str(k): str(v) for k, v in sources.items()}
        return Freeze(str(found["rules_sha256"]), plans, allocation, sources) if plans else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no record of a freeze ({error!r}); restore it, or remove it: verdicts are "
            "exploratory then"
        ) from None


def _plan(found: Mapping[str, Any]) -> Plan:
    runs = {str(run): str(cell) for run, cell in found["runs"].items()}
    share = None if found.get("share") is None else float(found["share"])
    return Plan(float(found["at"]), runs, str(found.get("chosen_by", "")), share)


def exploratory_reasons(
    frozen: Freeze | None,
    sha256: str,
    began: Mapping[str, float],
    planned: Iterable[str],
    analysed: Iterable[str],
    sources: Mapping[str, str],
) -> list[str]:
    """Why verdicts are not confirmatory, in words; empty if they are.

    `sha256` is that of the rules in use, `began` when each analysed run began (s since 1970),
    `planned` are the runs of the study's plan now, `analysed` those that enter the analysis or were
    excluded by the rules for that; `sources` are the `rule_sources` now.
    """
    if frozen is None:
        return ["rules were frozen without a plan"]
    reasons, analysed = [], set(analysed)
    if sha256 != frozen.rules_sha256:
        reasons.append("the frozen rules were changed afterwards")
    if frozen.sources is not None and frozen.sources != sources:
        both = {*frozen.sources, *sources}
        edited = sorted(n for n in both if frozen.sources.get(n) != sources.get(n))
        reasons.append(f"the source of rules was changed after the freeze: {', '.join(edited)}")
    early = [run for run in analysed & frozen.runs.keys() if began[run] < frozen.planned_at(run)]
    if early:
        reasons.append(f"{_runs(len(early))} precede{'s' * (len(early) == 1)} the freeze")
    if unknown := analysed - frozen.runs.keys():
        reasons.append(f"{_runs(len(unknown))} were not in the frozen plan")
    if dropped := frozen.runs.keys() - set(planned):
        reasons.append(f"{_runs(len(dropped))} of the frozen plan were dropped from the study")
    if added := frozen.unforeseen:
        reasons.append(f"{len(added)} cells were added after the freeze")
    if any(plan.chosen_by == OTHER for plan in frozen.plans):
        changed = "declared" if frozen.allocation is None else "changed"
        reasons.append(f"the allocation was {changed} after the freeze")
    return reasons


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
