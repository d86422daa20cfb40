"""One measurement of a network's speed, in a process that is forked as those of runs are."""

import os
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from scaling_study.common.stop_request import Stopped
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch.failure_causes import REQUESTS
from scaling_study.launch.local.fork_server import start, start_fork_server
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop_signals import listen
from scaling_study.study.measured import STEP_TIME

# What a process has to end in once it is asked to.
GRACE_S = 10
Row = dict[str, Any]


def measured_alone(run: RunConfig, execution: ExecutionConfig, slot: Slot) -> Row | str:
    """What `benchmark.measure` finds, in a process of its own, or why there is nothing.

    What one network allocates says nothing of the memory of the next. Runs of the caller's must
    have ended.
    """
    context = start_fork_server(execution.threads)
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(run, execution, slot, writer))
    start(process)
    writer.close()  # so that the end of the process is the end of the pipe
    try:
        found: Row | str = reader.recv()
    except EOFError:
        process.join()
        return f"the process ended with exit code {process.exitcode}"
    finally:
        process.terminate()  # after Ctrl-C it would go on
        process.join(GRACE_S)
        process.kill()
        process.join()
        reader.close()
    return found


def _measure(run: RunConfig, execution: ExecutionConfig, slot: Slot, sender: Connection) -> None:
    """Send what is measured, or the error; nothing once it is asked to stop."""
    listen(REQUESTS)
    os.environ.update(slot.environment)
    from scaling_study.training.benchmark import measure

    try:
        measured = measure(run, execution)
        timed = measured[STEP_TIME] is not None
        found: Row | str = measured if timed else "no step could be timed"
    except Stopped:
        return
    except Exception as error:
        found = repr(error)
    with suppress(BrokenPipeError):  # the parent is gone
        sender.send(found)
