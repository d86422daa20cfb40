"""What Python imports first in disturbed processes: another clock, or a loss that is no number."""

import os
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
