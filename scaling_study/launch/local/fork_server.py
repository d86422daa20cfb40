"""The process that runs are forked from: it has torch, so that a run starts in milliseconds.

Where forks are not safe there is none: each run starts a Python of its own, which takes seconds.
"""

import os
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import forkserver, get_context, util
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from scaling_study.common import processes
from scaling_study.launch.failure_causes import REQUESTS
from scaling_study.launch.stop_signals import handled_by

# Spinning threads of one run would take the core of another (OpenMP's default is to spin).
THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# An address of a Unix socket has 107 bytes, of which multiprocessing's own names take 33.
LONGEST_FOLDER = 74
# What the server imports once: the trainer, and what our main modules import.
PRELOAD = ["scaling_study.training.loop", "hydra", "submitit.core.submission"]


def start_fork_server(threads: int) -> ForkServerContext | SpawnContext:
    """Where processes of `threads` CPU threads each come from; starts the server if needed.

    It and what it forks ignore requests to stop, from the first moment: a terminal and a scheduler
    signal all processes of a group or job, and who started them decides what that does.
    """
    # OpenMP reads these when torch is loaded; the server inherits them.
    os.environ |= dict.fromkeys(THREAD_LIMITS, str(threads)) | {"OMP_WAIT_POLICY": "passive"}
    if not processes.FORKS_ARE_SAFE:
        return get_context("spawn")
    context = get_context("forkserver")
    # Each child would import our modules in this process again with the main module.
    imported = [name for name in sys.modules if name.startswith("scaling_study.")]
    context.set_forkserver_preload([*PRELOAD, *imported, "scaling_study.launch.local.preload"])
    _keep_sockets_short()
    with _deaf():
        forkserver.ensure_running()
    return context


def start(process: BaseProcess) -> None:
    """Start a process of this context, which ignores requests to stop until it listens itself."""
    with nullcontext() if processes.FORKS_ARE_SAFE else _deaf():
        process.start()


def _deaf() -> AbstractContextManager[None]:
    """Meanwhile what is started ignores requests to stop, and so does this process."""
    return handled_by(signal.SIG_IGN, (*REQUESTS, signal.SIGINT, signal.SIGHUP))


def _keep_sockets_short() -> None:
    """Have multiprocessing's sockets in /tmp where TMPDIR is too long for their addresses."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER:
        tempfile.tempdir = "/tmp"
    try:
        util.get_temp_dir()  # made once a process, and removed at its end
    finally:
        tempfile.tempdir = before
