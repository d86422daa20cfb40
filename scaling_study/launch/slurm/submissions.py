"""jobs.json and stopped.json of a study: what was submitted for it, and whether it gave up."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling_study.common.files import replace_file
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.policy import Policy, kind_of_failure
from scaling_study.study.result import read_result
from scaling_study.study.store import Store


@dataclass(frozen=True)
class Submission:
    """One array: SLURM's id, its tasks' runs in order, what it asked for, and the code it runs.

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
        """SLURM's ids of the jobs, one for each group of runs."""
        if len(self.runs) == 1:
            return [self.job]
        return [f"{self.job}_{index}" for index in range(len(self.runs))]


class Ledger:
    """The submissions of a study."""

    def __init__(self, study_dir: Path) -> None:
        self._jobs, self._stopped = study_dir / "jobs.json", study_dir / "stopped.json"

    def submissions(self) -> list[Submission]:
        """All that were made, oldest first."""
        return [Submission(**record) for record in _read(self._jobs, [])]

    def add(self, submission: Submission) -> None:
        """Record a submission; stopping an earlier one no longer matters."""
        records = [*_read(self._jobs, []), asdict(submission)]
        replace_file(self._jobs, json.dumps(records, indent=1) + "\n")

    def jobs(self, submission: str) -> list[str]:
        """SLURM's ids of everything that one call submitted."""
        mine = [s for s in self.submissions() if s.submission == submission]
        return [task for s in mine for task in s.tasks()]

    def stopped(self, submission: str) -> bool:
        """Whether this submission gave up: its jobs that start later have nothing to do."""
        return bool(_read(self._stopped, {}).get("submission") == submission)

    def stop_reason(self) -> str | None:
        """Why the last submission gave up, if it did."""
        submissions = self.submissions()
        if not submissions or not self.stopped(submissions[-1].submission):
            return None
        return str(_read(self._stopped, {}).get("error"))

    def repeated_error(self, submission: str, store: Store, policy: Policy) -> bool:
        """Whether the first runs of this submission that ended all failed alike; noted if so."""
        n = policy.stop_after_same_error
        mine = [s for s in self.submissions() if s.submission == submission]
        if n == 0 or not mine:
            return False
        paths = [store.run_dir(r) / "result.json" for s in mine for group in s.runs for r in group]
        ended = sorted((p.stat().st_mtime, p) for p in paths if p.exists())
        first = [path for when, path in ended if when >= mine[0].submitted][:n]
        if len(first) < n:
            return False
        failures = [_outcome(path) for path in first]
        if len({kind_of_failure(failure) for failure in failures}) > 1:
            return False
        if not kind_of_failure(failures[0]):
            return False
        said = f"the first {n} runs failed with {failures[0].error}"
        replace_file(
            self._stopped, json.dumps({"submission": submission, "error": said}, indent=1) + "\n"
        )
        return True


def _outcome(path: Path) -> Outcome:
    try:
        result = read_result(path)
    except (OSError, ValueError):
        return Outcome(path.parent.name, "unreadable")
    return Outcome(result.run_id, result.status, result.error, result.cause)


def _read(path: Path, empty: Any) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return empty
    return found if isinstance(found, type(empty)) else empty
