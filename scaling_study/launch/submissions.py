"""jobs.json and stopped.json of a study: its submissions to a queue, and whether they gave up."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common.files import replace_file
from scaling_study.common.reading import read_json
from scaling_study.launch.outcome import Outcome, SameError
from scaling_study.study.result import read_result
from scaling_study.study.store import Store

if TYPE_CHECKING:
    from scaling_study.launch.options import Policy

# The types of a record in jobs.json.
KINDS: dict[str, Any] = {
    **dict.fromkeys(("submission", "job", "snapshot"), str),
    **{"git_commit": str | None, "submitted": int | float, "runs": list, "resources": dict},
}


@dataclass(frozen=True)
class Submission:
    """One array of jobs: its id, the runs of each task, what it asked for, and the code it runs.

    `submission` is shared by the arrays of one call; `submitted` is in seconds since 1970.
    """

    submission: str
    job: str
    submitted: float
    runs: tuple[tuple[str, ...], ...]
    resources: dict[str, int]
    snapshot: str
    git_commit: str | None

    def tasks(self) -> list[str]:
        """Ids of the jobs, one for each group of runs."""
        if len(self.runs) == 1:
            return [self.job]
        return [f"{self.job}_{index}" for index in range(len(self.runs))]


class Submissions:
    """The submissions of a study, in its folder."""

    def __init__(self, study_dir: Path) -> None:
        self._jobs, self._stopped = study_dir / "jobs.json", study_dir / "stopped.json"

    def submissions(self) -> list[Submission]:
        """All that were made, oldest first."""
        return [*filter(None, map(_submission, read_json(self._jobs, [])))]

    def add(self, submission: Submission) -> None:
        """Record a submission; stopping an earlier one no longer matters."""
        records = [*read_json(self._jobs, []), asdict(submission)]
        replace_file(self._jobs, json.dumps(records, indent=1) + "\n")

    def jobs(self, submission: str) -> list[str]:
        """Ids of all jobs that one call submitted."""
        return [task for one in self._of(submission) for task in one.tasks()]

    def unfinished(self, run_ids: Collection[str]) -> set[str]:
        """Ids of all jobs that were ever submitted for one of these runs."""
        return {
            task
            for one in self.submissions()
            for task, group in zip(one.tasks(), one.runs, strict=True)
            if set(group) & set(run_ids)
        }

    def _of(self, submission: str) -> list[Submission]:
        return [one for one in self.submissions() if one.submission == submission]

    def stopped(self, submission: str) -> bool:
        """Whether this submission gave up: its jobs that start later have nothing to do."""
        return bool(read_json(self._stopped, {}).get("submission") == submission)

    def stop_reason(self) -> str | None:
        """Why the last submission gave up, if it did."""
        submissions = self.submissions()
        if not submissions or not self.stopped(submissions[-1].submission):
            return None
        return str(read_json(self._stopped, {}).get("error"))

    def repeated_error(self, submission: str, store: Store, policy: Policy) -> bool:
        """Whether the first runs of this submission that ended all failed alike; recorded if so."""
        n, arrays = policy.stop_after_same_error, self._of(submission)
        run_ids = (run_id for one in arrays for group in one.runs for run_id in group)
        paths = [store.run_dir(run_id) / "result.json" for run_id in run_ids]
        ended = sorted((p.stat().st_mtime, p) for p in paths if p.exists())
        since = [path for when, path in ended if when >= arrays[0].submitted]
        first, same = [_outcome(path) for path in since[:n]], SameError(n)
        if not any(same.stops(outcome) for outcome in first):
            return False
        error = f"the first {n} runs failed with {first[0].error}"
        record = {"submission": submission, "error": error}
        replace_file(self._stopped, json.dumps(record, indent=1) + "\n")
        return True


def _submission(record: object) -> Submission | None:
    """One of jobs.json; None for a record that is none."""
    if not isinstance(record, dict) or record.keys() != KINDS.keys():
        return None
    if not all(isinstance(record[name], kind) for name, kind in KINDS.items()):
        return None
    groups, sizes = record["runs"], record["resources"].values()
    texts = [run_id for group in groups if isinstance(group, list) for run_id in group]
    if not all(isinstance(g, list) for g in groups) or not all(isinstance(t, str) for t in texts):
        return None
    if not all(isinstance(size, int) for size in sizes):
        return None
    return Submission(**record | {"runs": tuple(map(tuple, groups))})


def _outcome(path: Path) -> Outcome:
    try:
        result = read_result(path)
    except (OSError, ValueError):
        return Outcome(path.parent.name, "unreadable")
    return Outcome(result.run_id, result.status, result.error, result.cause)
