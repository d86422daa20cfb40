"""`launcher=local`: a pool of processes on this machine."""

from scaling_study.launch.base import Launcher
from scaling_study.launch.local import pool
from scaling_study.launch.options import PolicyOptions

LAUNCHER = Launcher(
    name="local",
    options=PolicyOptions,
    launch=lambda call: pool.launch(call.jobs, call.slots, call.options, call.stop),
    advice={
        "host_memory": "runs at work share this machine's memory; launcher.slots=1 starts one at "
        "a time"
    },
)
