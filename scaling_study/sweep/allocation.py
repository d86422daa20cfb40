"""The runs of a grid that its `allocation` chooses: once, or round by round as results come in.

All that an adaptive study remembers is on disk: STUDY/freeze.json holds its rounds, the store its
results. The same command continues it wherever it was interrupted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.planning.draft import Draft
from scaling_study.planning.parents import with_needed
from scaling_study.study.result import FINISHED
from scaling_study.sweep.decisions import Plan


@dataclass(frozen=True)
class Allocated:
    """A draft with the runs that were chosen, and lines about them.

    `declared` and `share` are what is frozen with them (`analysis.rules.freeze`): `share` is that
    of a round which is new in this draft.
    """

    found: Draft
    lines: list[str]
    declared: Mapping[str, Any] | None = None
    share: float | None = None

    @property
    def in_rounds(self) -> bool:
        """Whether results decide what is planned next."""
        return bool(self.declared and self.declared["rounds"] > 1)


def allocated(found: Draft, study_dir: Path, plan: Plan) -> Allocated:
    """What the grid's allocation, if it has one, chooses among all candidates of a draft.

    Raises:
        InputError: there is too little to spend, no rule that the allocation is for can be tested
            by these cells, or the study was planned before it was to go in rounds.
    """
    design = plan.design()
    if design is None:
        return Allocated(found, [])
    if design.allocation.rounds > 1:
        chosen = _rounds(found, study_dir, design)
    else:
        seeds = design.fixed()
        chosen = Allocated(_kept(found, design, seeds), [*_widths(design, seeds)])
    return replace(chosen, declared=asdict(design.allocation) | {"candidates": [*design.most]})


def _kept(found: Draft, design: Any, seeds: Mapping[str, int]) -> Draft:
    chosen = {row["run_id"] for row in design.chosen(seeds)}
    part = [row for row in found.rows if row.run.run_id in chosen]
    return replace(found, rows=with_needed(part, found.rows))


def _widths(design: Any, seeds: Mapping[str, int]) -> Iterator[str]:
    """What a fixed allocation takes, and how it narrows intervals."""
    fewest, most = min(seeds.values()), max(seeds.values())
    yield f"seeds where the rules' weights are: {_runs(design, seeds)}, {fewest} to {most} per cell"
    n = design.evenly(seeds)
    even = design.half_widths(dict.fromkeys(seeds, n)) if n else {}
    for name, half in design.half_widths(seeds).items():
        rest = f" ({100 * even[name]:.1f} % with {n} in every cell)" if name in even else ""
        yield f"  {name}: intervals of +- {100 * half:.1f} %{rest}"


def _runs(design: Any, seeds: Mapping[str, int]) -> str:
    flops = [row["train_flops"] for row in design.chosen(seeds)]
    cost = "" if None in flops else f", {sum(flops):.3g} training FLOPs"
    return f"{sum(seeds.values())} of {len(design.rows)} runs{cost}"


def _rounds(found: Draft, study_dir: Path, design: Any) -> Allocated:
    """The rounds so far, and the next one once all of their runs are done."""
    from analysis.rules.freeze import read_freeze
    from analysis.rules.rounds import first_round

    frozen = read_freeze(study_dir)
    if frozen is None:
        return _new(found, design, first_round(design), 1)
    if not frozen.shares:
        raise InputError(
            f"grid.allocation: {study_dir} was planned without it; give the study a name of its "
            "own with grid.name=NAME"
        )
    trained, done = Counter(frozen.runs.values()), len(frozen.plans)
    states = {row.run.run_id: row.state for row in found.rows}
    if not all(states.get(run) in FINISHED for run in frozen.runs):
        return Allocated(_kept(found, design, trained), [_told(design, trained, done)])
    following, beyond = _following(study_dir, design, trained, frozen.shares)
    lines = [f"  no seeds are bought for {name}: {reason}" for name, reason in beyond.items()]
    if following:
        chosen = _new(found, design, following, done + 1)
        return replace(chosen, lines=[*chosen.lines, *lines])
    text = f"{_told(design, trained, done)}; no further one is needed or can be paid for"
    return Allocated(_kept(found, design, trained), [text, *lines])


def _new(found: Draft, design: Any, following: Any, number: int) -> Allocated:
    """The draft with a round that is new in it."""
    text = _told(design, following.seeds, number)
    return Allocated(_kept(found, design, following.seeds), [text], share=following.share)


def _following(
    study_dir: Path, design: Any, trained: Mapping[str, int], shares: Sequence[float]
) -> tuple[Any, dict[str, str]]:
    """The next round by the results so far, which are all there; None to stop.

    With it the rules that no seeds can decide, each with the reason.
    """
    from analysis.report.command import table_and_rules
    from analysis.rules.evidence import Evidence
    from analysis.rules.judge import judge
    from analysis.rules.rounds import beyond_seeds, next_round

    table, rules = table_and_rules(study_dir)
    study = Evidence(table.cells(rules.base, rules.arms), rules)
    verdicts = {j.rule.name: j.verdict for j in judge(table, study.cells, rules)}
    beyond = beyond_seeds(design, study, verdicts, trained)
    return next_round(design, study, verdicts, trained, shares), beyond


def _told(design: Any, seeds: Mapping[str, int], number: int) -> str:
    """Which round this is, and how much is spent with it."""
    spent, declared = design.spent(seeds), design.allocation
    return (
        f"round {number} of {declared.rounds} at most: {_runs(design, seeds)} "
        f"({100 * spent / declared.amount:.0f} % of the budget)"
    )
