"""What Python imports first in disturbed processes.

Another clock, a loss that is no number, or a disk that does not answer.
"""

import os
import sys
import time
from importlib import import_module

if skew := float(os.environ.get("SOAK_CLOCK_S", 0)):
    here = time.time
    time.time = lambda: here() + skew

if at := os.environ.get("SOAK_NAN_STEP"):
    loop = import_module("scaling_study.training.loop")
    rate = loop.learning_rate

    def broken(step, *arguments):
        return float("nan") if step == int(at) else rate(step, *arguments)

    loop.learning_rate = broken

if gate := os.environ.get("SOAK_GATE"):
    disk = os.environ["SOAK_DISK"]

    def wait(event, arguments):
        """As long as there is the gate, nothing on the disk is opened, renamed or listed."""
        if event.startswith(("open", "os.")) and arguments and str(arguments[0]).startswith(disk):
            while os.path.exists(gate):
                time.sleep(0.02)

    sys.addaudithook(wait)
