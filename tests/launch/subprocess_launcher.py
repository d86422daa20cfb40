"""A launcher of a user's own: every run in a Python of its own, one in each slot at a time."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator

from scaling_study.launch.base import Launch, Launcher
from scaling_study.launch.failure_causes import cause_of_exit
from scaling_study.launch.job import Job
from scaling_study.launch.lost_runs import outcome_after_exit
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import Slot

CHILD = """import pickle, sys
from scaling_study.launch.failure_causes import REQUESTS
from scaling_study.launch.stop_signals import listen
listen(REQUESTS)
pickle.loads(bytes.fromhex(sys.argv[1]))()"""


def launch(call: Launch) -> Iterator[Outcome]:
    waiting, free, at_work = deque(call.jobs), list(call.slots), {}
    try:
        while at_work or (waiting and not call.stop.reasons):
            while waiting and free and not call.stop.reasons:
                job, slot = waiting.popleft(), free.pop()
                at_work[_started(job, slot)] = job, slot
            time.sleep(0.05)
            for child, (job, slot) in list(at_work.items()):
                if (code := child.poll()) is not None:
                    del at_work[child]
                    free.append(slot)
                    yield outcome_after_exit(job, code, *cause_of_exit(code, 0))
                elif call.stop.reasons:
                    child.send_signal(signal.SIGUSR1)
    finally:
        for child in at_work:
            child.kill()
            child.wait()


def _started(job: Job, slot: Slot) -> "subprocess.Popen[bytes]":
    env = os.environ | slot.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, pickle.dumps(job).hex()]
    return subprocess.Popen(command, env=env, start_new_session=True)


LAUNCHER = Launcher(name=__name__, options=LauncherOptions, launch=launch)
