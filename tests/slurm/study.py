"""A study on the cluster, as a user starts it."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster import Cluster
from helpers import warm_python

# A second or two of training on a core, and a few hundred bytes of images.
SMALL = (
    "train.epochs=1",
    "train.warmup_epochs=0",
    "data.train_per_class=8",
    "data.val_per_class=4",
    "train.batch_size=8",
)
# The longest that a test waits for anything; a busy machine needs some of it.
PATIENCE_S = 300
# Long enough to be interrupted: 10 to 20 s on a core.
LONG = ("train.epochs=120", "data.val_per_class=4", "grid.axes.seed=[0]")
# For runs whose end nobody waits for.
ENDLESS = ("train.epochs=20000", *LONG[1:])
# The nodes' names mean nothing to the resolver of this machine.
TWO_NODES = (
    "launcher.nodes=2",
    "launcher.setup=['export MASTER_ADDR=127.0.0.1']",
    "train.sync_batch_norm=true",
)
COUNTED = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "sinfo")


class Study:
    """A study in a folder of its own: its commands, and what its files and the queue say."""

    def __init__(self, cluster: Cluster, folder: Path, cache: Path) -> None:
        self.cluster, self.folder, self.cache = cluster, folder, cache
        self.calls = folder / "calls"
        self.started: list[subprocess.Popen[str]] = []
        path = f"{_counting(folder / 'bin', self.calls)}:{cluster.environment['PATH']}"
        self.environment = cluster.environment | {"PATH": path}

    def start(self, *overrides: str) -> "subprocess.Popen[str]":
        """A sweep that goes on, until the test ends at the latest."""
        words = ("scaling_study.sweep", *self._common(), *overrides)
        sweep = warm_python.start(*words, cwd=self.folder, env=self.environment)
        self.started.append(sweep)
        return sweep

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = (f"scaling_study.{module}", *arguments)
        return warm_python.run(*words, cwd=self.folder, env=self.environment)

    def sweep(self, *overrides: str, small: bool = True) -> subprocess.CompletedProcess[str]:
        """The sweep's command with what all tests have in common."""
        done = self.run("sweep", *self._common(), *(SMALL if small else ()), *overrides)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _common(self) -> tuple[str, ...]:
        return (
            *("+grid=smoke", "launcher=slurm", "grid.axes.depth=[14]", f"cache_dir={self.cache}"),
            *("launcher.allow_dirty=true", "launcher.fallback_memory_gb=1", "checkpoint.every_s=0"),
        )

    def status(self) -> dict[str, Any]:
        done = self.run("status", "results/smoke", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def counts(self) -> dict[str, int]:
        return {state: n for state, n in self.status()["counts"].items() if n}

    def impatient(self) -> None:
        """From now on wait a second only for a controller that may be gone."""
        conf = Path(self.cluster.environment["SLURM_CONF"]).read_text(encoding="utf-8")
        path = self.folder / "slurm.conf"
        path.write_text(re.sub("MessageTimeout=.*", "MessageTimeout=1", conf), encoding="utf-8")
        self.environment |= {"SLURM_CONF": str(path)}

    def wait(self, seconds: float = PATIENCE_S, **counts: int) -> dict[str, Any]:
        """The status once it has these counts."""
        trace: tuple[list[str], int] | None = None
        seen_s = 0.0

        def look() -> dict[str, Any] | None:
            nonlocal trace, seen_s
            before, trace = trace, (self.queue(), len([*self.folder.glob("results/runs/*/res*")]))
            # A look starts Python, which takes from the jobs that are waited for.
            if trace == before and time.monotonic() < seen_s + 5:
                return None
            seen_s = time.monotonic()
            return status if _has(status := self.status(), counts) else None

        try:
            return until(look, "", seconds)
        except AssertionError:
            now = self.counts(), self.queue(), self.cluster.run("sinfo", "-N", "-l")
            raise AssertionError(f"not within {seconds} s: {counts}; now {now}") from None

    def submissions(self) -> list[dict[str, Any]]:
        return list(json.loads((self.folder / "results/smoke/jobs.json").read_text()))

    def runs(self) -> list[Path]:
        return sorted(p for p in (self.folder / "results/runs").iterdir() if p.is_dir())

    def note(self, run: Path) -> dict[str, Any]:
        return dict(json.loads((run / "job.json").read_text()))

    def checkpoint(self) -> Path:
        """A run's folder once the run has a checkpoint and is in work."""
        return until(self._begun, "a checkpoint")

    def _begun(self) -> Path | None:
        found = list(self.folder.glob("results/runs/*/checkpoint.pt"))
        live = [p.parent for p in found if "ended" not in self.note(p.parent)]
        return live[0] if live else None

    def queue(self) -> list[str]:
        return self.cluster.run("squeue", "-h", "-r", "-o", "%i %T").splitlines()

    def until_queue_is_empty(self) -> None:
        until(lambda: True if not self.queue() else None, "an empty queue")

    def called(self) -> list[str]:
        return self.calls.read_text().split() if self.calls.exists() else []


def until(
    found: Callable[[], Any], what: str, seconds: float = PATIENCE_S, every_s: float = 0.3
) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (value := found()) is not None:
            return value
        time.sleep(every_s)
    raise AssertionError(f"not within {seconds} s: {what}")


def _has(status: dict[str, Any], counts: dict[str, int]) -> bool:
    return {state: n for state, n in status["counts"].items() if n} == counts


def _counting(folder: Path, log: Path) -> Path:
    """Programs of SLURM's that note each call and then do what they do."""
    folder.mkdir()
    for name in COUNTED:
        script = folder / name
        script.write_text(f'#!/bin/sh\necho {name} >>{log}\nexec /usr/bin/{name} "$@"\n')
        script.chmod(0o755)
    return folder


def spans(study: Study, runs: list[Path]) -> list[tuple[float, float, str]]:
    notes = [study.note(run) for run in runs]
    return sorted((note["began"], note["ended"], note["job"]) for note in notes)
