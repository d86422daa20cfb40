"""The cause of a failure, one of `result.CAUSES`, from an exception, exit code or other rank."""

import errno
import json
import signal
from contextlib import suppress
from pathlib import Path

from scaling_study.common.reading import read_json
from scaling_study.common.stop_request import Stopped
from scaling_study.training.out_of_memory import gpu_memory_ran_out

# Reasons to stop after which a run just continues later: no failure is recorded.
RESUMED = ("interrupted", "preempted")
# Signals that a run's process understands as a request to stop, and what for.
REQUESTS = {
    signal.SIGTERM: "cancelled",
    signal.SIGALRM: "timeout",
    signal.SIGUSR1: "interrupted",
    signal.SIGUSR2: "preempted",
}
# Within a scheduler's job TERM may be a requeue as well: the scheduler knows, the process does not.
REQUESTS_IN_JOB = {**REQUESTS, signal.SIGTERM: "interrupted"}
# RUN/error.json: the first error of any of a run's processes. Rank 0 reads it, because other ranks
# only see a closed connection.
ERROR_FILE = "error.json"
HOST_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough mem")
# How a process hears that another one of its run is gone: a rank, or a worker of its loader.
LOST = (
    *("Connection closed by peer", "Connection reset by peer", "remote process exited"),
    *("is killed by signal: Killed", "exited unexpectedly"),
)
# Messages of broken machines: a retry elsewhere helps, a retry here does not.
NODE = (
    "uncorrectable ECC error",
    "has fallen off the bus",
    "no CUDA-capable device is detected",
    "all CUDA-capable devices are busy or unavailable",
    "unspecified launch failure",
    "NCCL error: remote process exited or there was a network error",
)


class ProgramError(RuntimeError):
    """A user's program ended otherwise than by its contract, for one of `CAUSES`."""

    def __init__(self, message: str, cause: str = "error") -> None:
        super().__init__(message)
        self.cause = cause


def cause_of(error: BaseException, oom_kills: int = 0) -> str:
    """The cause of what a run raised; for `Stopped` its reason, which may be one of `RESUMED`.

    `oom_kills`: how many processes the kernel killed for memory on this machine meanwhile.
    """
    if isinstance(error, Stopped):
        return error.reason
    if isinstance(error, ProgramError):
        return error.cause
    if gpu_memory_ran_out(error):
        return "gpu_memory"
    text, no_memory = str(error), isinstance(error, OSError) and error.errno == errno.ENOMEM
    if no_memory or isinstance(error, MemoryError) or any(words in text for words in HOST_MEMORY):
        return "host_memory"
    if oom_kills > 0 and any(words in text for words in LOST):
        return "host_memory"
    return "node" if any(words in text for words in NODE) else "error"


def kernel_oom_kills() -> int:
    """Processes that Linux has killed since boot because memory ran out; 0 elsewhere."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def cause_of_exit(exit_code: int | None, oom_kills: int) -> tuple[str, str]:
    """Cause and message for a process that left no result; `oom_kills` happened while it lived."""
    if exit_code is None or exit_code >= 0:
        return "error", f"the process ended with exit code {exit_code} and left no result"
    name = signal.Signals(-exit_code).name
    if name == "SIGKILL" and oom_kills > 0:
        return "host_memory", "the process was killed by SIGKILL because memory ran out"
    return "error", f"the process was killed by {name}"


def write_error(run_dir: Path, error: BaseException, oom_kills: int = 0) -> None:
    """Leave `error` for rank 0, unless a process that failed before has left its own."""
    record = {"error": f"{type(error).__name__}: {error}", "cause": cause_of(error, oom_kills)}
    with suppress(FileExistsError), (run_dir / ERROR_FILE).open("x", encoding="utf-8") as file:
        json.dump(record, file)


def read_error(run_dir: Path) -> tuple[str, str] | None:
    """Error and cause that the first process to fail has left; None if none has."""
    record = read_json(run_dir / ERROR_FILE, {})
    known = {"error", "cause"} <= record.keys()
    return (str(record["error"]), str(record["cause"])) if known else None
