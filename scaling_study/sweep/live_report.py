"""A running sweep's report: every so often, if there is news, an analysis in its own process.

Nothing here can fail the sweep or delay a run: the analysis has low priority, one thread and a time
limit, what it prints goes to STUDY/report.log, and a refresh that fails is tried again next time.
At the end the sweep waits for a last one, for at most `LAST_LIMIT_S`.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import no_link, replace_file
from scaling_study.common.validation import group
from scaling_study.study.measured import FILE
from scaling_study.study.table import read_plan

UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
LEAST_S = 1.0
# A refresh that takes longer than this is given up; one of 500 runs takes about ten seconds.
LIMIT_S = 900.0
LAST_LIMIT_S = 120.0
NICENESS = 10
# What makes a page reload itself.
LIVE = re.compile(r'"live_s":[^,}]+')
# The runs have the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def _written(path: Path) -> int | None:
    """When a file was, in ns since 1970; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def seconds(value: object) -> float | None:
    """60, "60s", "5min" or "1h" in s; None stays None. An InputError for all else, or below 1 s."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|)", str(value).strip())
    if isinstance(value, bool) or not found or (s := float(found[1]) * UNITS[found[2]]) < LEAST_S:
        raise InputError(
            f"report.every={value!r}: must be a time of a second or more, as in 60s, 5min or 1h, "
            "or null"
        )
    return s


def refresher(settings: Mapping[str, Any], study_dir: Path, waits_for_runs: bool) -> "Refresher":
    """What `report.every` and `report.out` ask for.

    `waits_for_runs`: whether the sweep stays until its runs are done; else nobody would be there to
    refresh the report, which is an InputError, as is a value that makes no sense.
    """
    values = group(settings, "report")
    out = values.get("out")
    if not (out is None or isinstance(out, str)):
        raise InputError(f"report.out={out!r}: must be a folder, or null for figures/GRID")
    folder = Path(out) if out else Path("figures") / study_dir.name
    every_s = seconds(values.get("every"))
    if every_s is not None and not waits_for_runs:
        raise InputError(
            f"report.every={values['every']}: this sweep submits its runs and leaves; give "
            f"launcher.wait=true, or repeat `python -m analysis {study_dir} -o {folder} --live "
            f"{every_s:g}`"
        )
    return Refresher(study_dir, folder, every_s)


class Refresher:
    """Writes the study's report to `figures_dir` every `every_s` seconds inside a with block.

    Leaving the block ends a refresh in work and makes a last one, unless an exception leaves it;
    however that goes, the page that stays does not load itself anew. With `every_s` None nothing
    is done.
    """

    def __init__(self, study_dir: Path, figures_dir: Path, every_s: float | None) -> None:
        self.study_dir, self.figures_dir, self.every_s = study_dir, figures_dir, every_s
        self._page, self._stop = figures_dir / "report.html", threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Refresher":
        if self.every_s is not None:
            print(f"report: {self._page}, refreshed every {self.every_s:g} s", flush=True)
            self._thread.start()
        return self

    def rest(self) -> None:
        """End a refresh in work, and begin none before the last one."""
        self._stop.set()
        if self.every_s is not None:
            self._thread.join()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.rest()
        if self.every_s is None:
            return
        if kind is None and self._refresh(threading.Event(), [], LAST_LIMIT_S):
            return
        # The page must stop reloading itself and showing that the sweep is running.
        with suppress(OSError, ValueError):  # there is none
            text = self._page.read_bytes().decode("utf-8")
            if LIVE.search(text):
                replace_file(self._page, LIVE.sub('"live_s":null', text))
        if kind is None:
            log = self.study_dir / "report.log"
            lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
            reason = next((line for line in reversed(lines) if line.strip()), f"see {log}")
            print(f"the report was not refreshed: {reason}")

    def _work(self) -> None:
        shown: object = None
        while not self._stop.wait(self.every_s):
            there = self._there()
            if there != shown and self._refresh(self._stop, ["--live", str(self.every_s)], LIMIT_S):
                shown = there

    def _there(self) -> object:
        """What a report would show: which runs have begun, when each result was written, and more.

        Where nothing is new, the cores are left to the runs.
        """
        try:
            ids = [row["run_id"] for row in read_plan(self.study_dir)]
        except InputError:
            return object()  # as nothing else is
        folders = [self.study_dir.parent / "runs" / run_id for run_id in ids]
        files = [self.study_dir / name for name in ("plan.csv", FILE)]
        files += [folder / "result.json" for folder in folders]
        return [*map(_written, files), *((folder / "job.json").exists() for folder in folders)]

    def _refresh(self, stop: threading.Event, extra: list[str], limit_s: float) -> bool:
        """Analyse once, until `stop`, for at most `limit_s`; whether that went well."""
        # Not `-m analysis`: the working folder may have a package of that name.
        command = [sys.executable, "-m", "scaling_study", "report", str(self.study_dir)]
        command += ["-o", str(self.figures_dir), *extra]
        try:
            with open(self.study_dir / "report.log", "w", opener=no_link) as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ | ONE_THREAD,
                    start_new_session=True,
                )
        except OSError:
            return False
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        end = time.monotonic() + limit_s
        while process.poll() is None:
            if stop.wait(0.1) or time.monotonic() > end:
                process.kill()
                process.wait()
                return False
        return process.returncode == 0
