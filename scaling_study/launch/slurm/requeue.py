"""Why a SLURM job stops or was started again, which nodes it avoids, and its requeue."""

import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from scaling_study.launch.base import SchedulerError
from scaling_study.launch.slurm import commands

# A notice that comes this much before the known end, or later, is about the time limit.
END_MARGIN_S = 90
# A node that broke is left out for so long: it may have been mended.
AVOID_S = 24 * 3600
# States in which accounting remembers a start of a job that SLURM itself put back in the queue.
REQUEUED = {**commands.CAUSES, "REQUEUED": "preempted"}


def why_noticed(job: str, notice_s: int) -> str:
    """Whether a notice, due `notice_s` before the end, came for the time limit or a preemption."""
    columns = "--Format=PreemptTime:30,StartTime:30,EndTime:30"
    try:
        text = commands.call("squeue", "--noheader", f"--jobs={job}", columns)
        preempted, start, end = text.split()
        if preempted[0].isdigit() and preempted >= start:
            return "preempted"  # with a grace period its end is near as well
        left = datetime.fromisoformat(end).timestamp() - time.time()
    except (SchedulerError, ValueError):
        return "preempted"
    return "timeout" if left < notice_s + END_MARGIN_S else "preempted"


def why_restarted(job: str, node: str | None, attempts: Sequence[Mapping[str, Any]]) -> str | None:
    """The cause that ended the previous start of `job`, on `node`, if the run left none.

    It is SLURM's; without one, the node, if the same happened on it in one of `attempts`.
    None: unknown.
    """
    if (cause := REQUEUED.get(commands.former_state(job) or "")) is not None:
        return cause
    silent = [a for a in attempts if a.get("job") and a.get("cause") is None]
    return "node" if node and any(a.get("node") == node for a in silent) else None


def avoided(attempts: Iterable[Mapping[str, Any]], now: float) -> dict[str, str]:
    """Nodes that broke under `attempts` in the day before `now` (s since 1970), with messages."""
    found = {}
    for attempt in attempts:
        node, ended = attempt.get("node"), attempt.get("ended") or 0.0
        if node and attempt.get("cause") == "node" and now - ended < AVOID_S:
            hours = (now - ended) / 3600
            found[node] = f"it broke under job {attempt.get('job')} {hours:.1f} h ago"
    return dict(sorted(found.items()))


def requeue(job: str, avoid: str | None) -> None:
    """Let SLURM start this job again, on other nodes than `avoid` and those it avoids already.

    Raises a SchedulerError if it refused, or has requeued the job but may start it on `avoid`.
    """
    # With the first call SLURM asks all processes of the job to stop, those of the calls too.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    shunned = commands.call("squeue", "--noheader", f"--jobs={job}", "--format=%x").split()
    commands.call("scontrol", "requeue", job)
    if avoid is not None:
        # Only now can this be changed; the job does not start before its processes have ended.
        nodes = ",".join([*(name for name in shunned if name != "(null)"), avoid])
        commands.call("scontrol", "update", f"JobId={job}", f"ExcNodeList={nodes}")
