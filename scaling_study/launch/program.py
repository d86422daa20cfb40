"""A run of the user's own program in this process: started, asked to stop, its outcome read.

docs/programs.md is the contract with programs.
"""

import ctypes
import importlib
import inspect
import json
import math
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from scaling_study.common import environment, stop_request
from scaling_study.common.files import file_end, replace_file
from scaling_study.common.reading import json_in, text_in
from scaling_study.common.stop_request import Stopped
from scaling_study.common.validation import is_number
from scaling_study.config.program import RUN_DIR, STOP, filled, folder_with, module_run, words_in
from scaling_study.config.run import RunConfig
from scaling_study.cost.program_cost import columns_of, measures_of, program_costs
from scaling_study.launch.failure_causes import ProgramError, cause_of_exit, kernel_oom_kills
from scaling_study.study.result import COLUMNS, FRACTIONS, POSITIVE
from scaling_study.tasks.program import COMMAND

FILE = "outcome.json"
DONE, CONTINUE = 0, 75  # EX_TEMPFAIL of sysexits.h
# From USR1 until TERM, and from TERM until the program is killed, in seconds.
GRACE_S, LAST_S = 50.0, 5.0
LOOK_S = 0.1
# What the process of a run and its program print, and the most characters of it in an error.
LOG, MOST_SAID = "log.txt", 300
# Columns that a program may report beside its costs; all other numbers are measures.
REPORTED = (
    *("outcome", "val_error", "train_error", "val_loss", "step_time_s", "step_time_mean_s"),
    *("step_time_cv", "images_per_s", "peak_memory_bytes", "n_train", "n_val", "batch_size"),
    *("params", "flops", "activations", "train_flops"),
)
WHOLE = (
    *("peak_memory_bytes", "n_train", "n_val", "batch_size", "params", "flops", "activations"),
    "train_flops",
)
PR_SET_PDEATHSIG = 1


def run_program(run: RunConfig, run_dir: Path, fence: Callable[[], None]) -> dict[str, Any]:
    """Run the program until it is done; the columns of its result.

    Raises:
        Stopped: it was asked to stop, and continues with the next attempt.
        ProgramError: it failed, or left no outcome that can be read.
    """
    program = run.program
    assert program is not None
    if (folder := folder_with(program)) is None:
        raise ProgramError(
            "the program was edited after the sweep had planned this run; sweep again"
        )
    spent, began = _spent(run_dir), time.monotonic()
    try:
        if program.name == COMMAND:
            _command(run, run_dir.resolve(), folder)
        else:
            _function(run, run_dir.resolve())
    finally:
        fence()
        wall_s = spent + time.monotonic() - began
        replace_file(run_dir / "spent.json", json.dumps({"wall_s": wall_s}) + "\n")
    return outcome_in(run_dir, run) | {"wall_s": wall_s}


def outcome_in(run_dir: Path, run: RunConfig) -> dict[str, Any]:
    """The result columns in outcome.json, on top of the costs by formula; a ProgramError if bad."""
    try:
        found = json.loads(text_in(run_dir / FILE))
    except FileNotFoundError:
        raise ProgramError(f"it ended well and left no {FILE} in its folder") from None
    except (ValueError, RecursionError) as error:
        raise ProgramError(f"{FILE}: no JSON ({error})") from None
    if not isinstance(found, dict) or "outcome" not in found:
        raise ProgramError(f"{FILE}: must be an object with a number `outcome`")
    # Not every language can write NaN.
    found["outcome"] = math.nan if found["outcome"] is None else found["outcome"]
    for name, value in found.items():
        if not is_number(value):
            raise ProgramError(f"{FILE}: {name}={value!r}: must be a number")
        if name != "outcome" and not (math.isfinite(value) and value >= 0):
            raise ProgramError(f"{FILE}: {name}={value:g}: must be a finite number, 0 or more")
        if name in POSITIVE and (round(value) if name in WHOLE else value) == 0:
            raise ProgramError(f"{FILE}: {name}={value:g}: must be above 0, or left out")
        if name in FRACTIONS and value > 1:
            raise ProgramError(f"{FILE}: {name}={value:g}: must be a fraction")
        if name in COLUMNS and name not in REPORTED:
            raise ProgramError(f"{FILE}: {name} is known before the run, and not the program's")
    columns = {k: round(v) if k in WHOLE else v for k, v in found.items() if k in REPORTED}
    costs = program_costs(run)
    more = {k: float(v) for k, v in found.items() if k not in REPORTED}
    finite = math.isfinite(found["outcome"])
    return {
        **{name: value for name, value in columns_of(costs).items() if value is not None},
        **columns,
        "outcome": float(found["outcome"]) if finite else None,
        "status": "ok" if finite else "diverged",
        "measures": measures_of(costs) | more or None,
    }


def _command(run: RunConfig, run_dir: Path, folder: Path) -> None:
    """Run the command until it exits with DONE, by the files in `folder`; as `run_program`."""
    assert run.program is not None
    words = filled(run.program.text, run.values | {"seed": run.seed, RUN_DIR: run_dir})
    copied, first = folder != Path.cwd(), None
    if copied:
        words, first = words_in(words, folder), folder if module_run(words) else None
    variables = environment.of_program(first) | {
        "SCALING_STUDY_RUN_DIR": str(run_dir),
        "SCALING_STUDY_RUN_ID": run.run_id,
        "SCALING_STUDY_SEED": str(run.seed),
        "SCALING_STUDY_GRACE_S": f"{GRACE_S:g}",
    }
    while True:
        kills, before, printed = kernel_oom_kills(), _written(run_dir), _size(run_dir / LOG)
        try:
            process = subprocess.Popen(words, env=variables, preexec_fn=_begin)
        except OSError as error:
            raise ProgramError(f"{words[0]}: cannot be started ({error.strerror})") from None
        code = _wait(process)
        if code == DONE and stop_request.requested() is None:
            return
        if code == DONE and (run_dir / FILE).exists():
            return
        if (reason := stop_request.requested()) is not None and code in (
            *(DONE, CONTINUE, -signal.SIGUSR1, -signal.SIGTERM, -signal.SIGKILL),
        ):
            raise Stopped(reason)
        if code != CONTINUE:
            cause, message = cause_of_exit(code, kernel_oom_kills() - kills)
            ended = f"exit code {code}" if code > 0 else message.replace("process", "program")
            last = _last_line(run_dir / LOG, printed)
            raise ProgramError(f"{ended}: {last}" if last else ended, cause)
        if _written(run_dir) == before:
            raise ProgramError(f"exit code {CONTINUE}, to be continued, and nothing written before")


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """The exit code of a program; after a request to stop it gets USR1, TERM and at last KILL."""
    asked: float | None = None
    sent = 0
    signals = (signal.SIGUSR1, 0.0), (signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S + LAST_S)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_S)
            if stop_request.requested() is None:
                continue
            asked = asked or time.monotonic()
            if sent < len(signals) and time.monotonic() - asked >= signals[sent][1]:
                process.send_signal(signals[sent][0])
                sent += 1
    finally:
        if process.poll() is None:  # this process is about to end
            process.kill()
            process.wait()


def _begin() -> None:
    """In the program's process: the kernel kills it when the one that started it is gone (Linux).

    Requests to stop that reach all processes at once are left to the one that started it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A terminal sends the first two to both, SLURM the last: its notice of the end of a job.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _function(run: RunConfig, run_dir: Path) -> None:
    """Call the function; what it returns is its outcome, None after a request to stop."""
    assert run.program is not None
    module, _, name = run.program.text.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    known: Mapping[str, Any] = run.values | {
        "seed": run.seed,
        RUN_DIR: run_dir,
        STOP: lambda: stop_request.requested() is not None,
    }
    call = partial(function, **{key: known[key] for key in inspect.signature(function).parameters})
    found = call()
    if found is None and (reason := stop_request.requested()) is not None:
        raise Stopped(reason)
    if found is not None:
        if not isinstance(found, Mapping):
            raise ProgramError(f"{run.program.text} returned {found!r}, which is no mapping")
        replace_file(run_dir / FILE, json.dumps(dict(found)) + "\n")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _last_line(log: Path, begin: int) -> str:
    """The last line that a program has printed since the log had `begin` bytes, shortened."""
    with suppress(OSError):
        lines = file_end(log, min(4000, _size(log) - begin)).splitlines()
        return next((line.strip()[:MOST_SAID] for line in reversed(lines) if line.strip()), "")
    return ""


def _spent(run_dir: Path) -> float:
    """Seconds of earlier attempts."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return float(json_in(run_dir / "spent.json")["wall_s"])
    return 0.0


def _written(run_dir: Path) -> set[tuple[str, int, int]]:
    """What lies in a run's folder, but for the notes of ours."""
    ours = ("job.json", "log.txt", "spent.json", "config.yaml")
    return {
        (path.name, path.stat().st_mtime_ns, path.stat().st_size)
        for path in run_dir.iterdir()
        if path.name not in ours
    }
