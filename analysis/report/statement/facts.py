"""What a study's files say of its runs, seeds, compute and hardware, for a statement."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling_study.common.validation import is_number
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store
from scaling_study.study.table import LABELS, STAGE, TRUNK, read_plan, tabled_results

HOUR = 3600.0
GPU = "cuda"


@dataclass(frozen=True)
class Facts:
    """A study's planned runs by `states`, and what the finished ones are and took.

    `results` are those of all finished runs, `cells` of those that rules are about; `attempts_s`
    are the seconds of attempts at runs that have no result, as far as job.json knows them.
    `label_flops` are those of the labels that teachers gave pools for finished runs; `trunks` says
    whether lengths of training share the constant part of their schedule, `configs` whether runs
    have folders, with all of their settings.
    """

    states: Mapping[str, int]
    results: Sequence[Result]
    cells: Sequence[Result]
    attempts_s: float
    label_flops: float = 0.0
    trunks: bool = False
    configs: bool = True

    @property
    def seeds(self) -> list[int]:
        """How many finished seeds each cell has, the fewest first."""
        return sorted(Counter(one.config_id for one in self.cells).values())

    def values(self, name: str) -> list[Any]:
        """The values of a column, each once, without blanks."""
        found = {getattr(one, name) for one in self.results} - {None, ""}
        return sorted(found, key=lambda value: (str(type(value)), value))

    @property
    def ended_early(self) -> int:
        """Finished runs that trained less than was planned: diverged, or stopped."""
        return sum(r.status == "diverged" or r.stopped_epoch is not None for r in self.results)

    def total(self, name: str) -> float | None:
        """The sum of a column over all finished runs; None if it is blank for one of them."""
        return _sum(getattr(one, name) for one in self.results)

    def hours(self, gpu: bool) -> float | None:
        """Device hours of the finished runs on GPUs, or of processes on CPUs; 0 if there are none.

        A run that shared a GPU counts as if it had had it alone. None if a time is blank.
        """
        times = [
            None if one.wall_s is None else one.wall_s * (one.world_size or 1) / HOUR
            for one in self.results
            if (one.device or "").startswith(GPU) == gpu
        ]
        return _sum(times)


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    numbers = [float(value) for value in known if value is not None]
    return sum(numbers) if len(numbers) == len(known) else None


def facts(study_dir: Path) -> Facts:
    """The facts of the study in this folder; raises an InputError if it holds none."""
    plan, store, tabled = read_plan(study_dir), Store(study_dir.parent), tabled_results(study_dir)
    states, results = dict[str, str](), dict[str, Result]()
    for run in (row["run_id"] for row in plan):
        result = tabled[run].result if run in tabled else None
        states[run] = result.status if result else store.state(run)
        if states[run] in FINISHED and (found := result or store.result(run)) is not None:
            results[run] = found
    stages = {row["run_id"] for row in plan if row.get(STAGE)}
    without = (store.job(run) for run in states if run not in results)
    return Facts(
        states=dict(Counter(states.values())),
        results=[*results.values()],
        cells=[result for run, result in results.items() if run not in stages],
        attempts_s=sum(map(_seconds, without)),
        label_flops=sum(float(r.get(LABELS) or 0) for r in plan if r["run_id"] in results),
        trunks=any(row.get(TRUNK) for row in plan),
        configs=not tabled,
    )


def _seconds(note: Mapping[str, Any]) -> float:
    """How long the attempts at a run took that job.json notes the ends of."""
    ends = [(one.get("began"), one.get("ended")) for one in (note, *(note.get("attempts") or ()))]
    return sum(end - begin for begin, end in ends if is_number(begin) and is_number(end))
