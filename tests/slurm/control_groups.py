"""What a cluster that holds its jobs to their cores and memory needs of this machine's kernel.

SLURM makes a control group for each node, `slurm_NODE`, in the hierarchies of version 1, and leaves
it when its daemons end: nodes have names that no other cluster has, and `remove` deletes theirs.
"""

import os
from contextlib import suppress
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
# Of processes, cores and memory.
CONTROLLERS = ("freezer", "cpuset", "memory")


def why_not() -> str | None:
    """Why no cluster with limits can be started here; None if one can."""
    if os.geteuid() != 0:
        return "control groups are root's"
    absent = [name for name in CONTROLLERS if not (MOUNT / name / "cgroup.procs").is_file()]
    if absent:
        return f"no control groups of version 1: {', '.join(absent)}"
    for name in CONTROLLERS:
        trial = MOUNT / name / f"tests_{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError as error:
            return f"{MOUNT / name} is not writable: {error.strerror}"
    return None


def groups_of(node: str) -> list[Path]:
    """The control groups of a node and its jobs, the inner ones first."""
    tops = [MOUNT / name / f"slurm_{node}" for name in CONTROLLERS]
    return [Path(path) for top in tops for path, *_ in os.walk(top, topdown=False)]


def remove(node: str) -> bool:
    """Delete those of a node whose processes have ended; whether none is left."""
    for group in groups_of(node):
        with suppress(OSError):  # the last of its processes is still ending
            group.rmdir()
    return not groups_of(node)
