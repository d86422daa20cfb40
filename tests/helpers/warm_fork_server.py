"""multiprocessing's fork server as a fork of the command that starts it, which has torch loaded.

For commands of `warm_python` alone: what a fork server of its own takes, seconds in which torch is
imported, is tested with real ones in tests/launch.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from multiprocessing import util
from pathlib import Path
from types import ModuleType

import torch

# How a process of Python is told to be the fork server, after -c.
CODE = "from multiprocessing.forkserver import main"
spawn = util.spawnv_passfds


def install() -> None:
    """From now on this process forks where it would start Python for a fork server."""
    util.spawnv_passfds = spawn_or_fork


def spawn_or_fork(path: bytes, args: Sequence[str], passfds: Sequence[int]) -> int:
    """As `multiprocessing.util.spawnv_passfds`; returns the pid."""
    if not args[-1].startswith(CODE) or threading.active_count() > 1:
        return spawn(path, args, passfds)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if pid := os.fork():
        return pid
    status = 1
    try:
        _be_started_anew({0, 1, 2, *passfds})
        exec(args[-1], {})
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def _be_started_anew(kept: set[int]) -> None:
    """What a new process of Python with the same environment would not share with this one."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # Closed, they would be given out again, and closed by the objects of this process.
    null = os.open(os.devnull, os.O_RDWR)
    for file in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if file not in {*kept, null} and Path(f"/proc/self/fd/{file}").exists():
            os.dup2(null, file, inheritable=False)
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = ["-c"]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
