"""What a sweep says when it ends: how the runs of its study stand, and what to type next."""

import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_study.common.command_line import spelled
from scaling_study.planning.plan import Planned
from scaling_study.study.parents import BLOCKED, READY, TO_START, blocking, why_blocked
from scaling_study.study.store import Store

SOME_FAILED = 1


def retyped() -> str:
    """The command that is running, to be typed again."""
    return f"{spelled('run', 'scaling_study.sweep')} {shlex.join(sys.argv[1:])}"


def summary(
    rows: Sequence[Planned], study_dir: Path, waited: bool, advice: Mapping[str, str]
) -> int:
    """Print what the study has now; the exit code says whether runs failed.

    `waited`: whether the sweep stayed until its runs were done. If it has only submitted them, a
    planned run waits for room in the queue, and has not failed. `advice`: what helps runs that
    failed, by cause.
    """
    counts = Counter(row.state for row in rows)
    print(f"{study_dir}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    store = Store(study_dir.parent)
    needs = {row.run.run_id: row.run.parents for row in rows}
    bad = ("failed", "unreadable", *(TO_START if waited else ()))
    failed, causes = [row for row in rows if row.state in bad], set[str]()
    diverged = Counter[str]()
    for row in failed:
        run_id, state = row.run.run_id, row.state
        result = store.result(run_id) if state == "failed" else None
        cause = ""
        if result is not None and result.cause:
            cause = f" ({result.cause})"
            causes.add(result.cause)
        if state == BLOCKED:
            chain = blocking(row.run.parents, store, needs)
            print(f"  {run_id} {state}: {why_blocked(chain, store)}")
            diverged.update(first for first in chain[-1:] if store.state(first) == "diverged")
            continue
        print(f"  {run_id} {state}{cause}: see {store.run_dir(run_id)}/log.txt")
    if failed:
        for known in sorted(causes & advice.keys()):
            print(f"{known}: {advice[known]}")
        for parent, n in diverged.items():
            print(
                f"{n} runs stay blocked: that {parent} diverged is its result; other settings of "
                f"it may help, and without {store.run_dir(parent)} it is trained again"
            )
        if diverged.total() < len(failed):
            print(f"to retry: {retyped()}")
        return SOME_FAILED
    if counts["planned"] or counts[READY]:
        print(f"the same command submits the rest: {retyped()}")
    if counts[BLOCKED]:
        print(f"{counts[BLOCKED]} runs wait for those that they start from; {retyped()} goes on")
    if counts["queued"]:
        print(f"watch them: {spelled('status', 'scaling_study.status')} {study_dir}")
    elif counts["running"]:
        print(f"{counts['running']} runs are in work in another process; {retyped()} looks again")
    else:
        print(f"next: {spelled('report')} {study_dir} -o figures/{study_dir.name}")
    return 0
