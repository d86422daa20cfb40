"""The kinds of faults: each runs a sweep of a study, disturbs it, and waits until it has ended.

A fault that needs what this machine does not give raises a `MissingError` that says what.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from soak.study import PromiseError, Study, ended

INJECT = str(Path(__file__).with_name("inject"))
APART = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
NOBODY = 65534
Sweep = subprocess.Popen[str]


class MissingError(RuntimeError):
    """What a fault needs and this machine does not give."""


def moment(dice: random.Random, study: Study, sweep: Sweep) -> None:
    """Wait for a random moment: from the first milliseconds to the middle of the training."""
    if dice.random() < 0.25:
        time.sleep(dice.uniform(0, 3))
        return
    deadline = time.monotonic() + 60
    while not study.workers() and sweep.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(dice.uniform(0, 1.5))


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def clean(code: int, *more: int) -> None:
    """PromiseError for an exit code that a sweep that was not killed may not have."""
    if code not in (0, 1, 2, 130, *more):
        raise PromiseError(f"a sweep ended with {code}")


def sweep_killed(dice: random.Random, study: Study) -> None:
    sweep = study.start()
    moment(dice, study, sweep)
    sweep.kill()
    ended(sweep)


def sweep_stopped(dice: random.Random, study: Study) -> None:
    """INT, TERM or HUP, to the sweep or to all of its terminal, once or twice."""
    sweep = study.start()
    number = dice.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    moment(dice, study, sweep)
    for _ in range(dice.choice([1, 1, 2])):
        with suppress(ProcessLookupError):
            (os.killpg if dice.random() < 0.5 else os.kill)(sweep.pid, number)
        time.sleep(dice.uniform(0, 0.3))
    clean(ended(sweep), -number)


def worker_killed(dice: random.Random, study: Study) -> None:
    sweep = study.start()
    for _ in range(dice.choice([1, 2])):
        moment(dice, study, sweep)
        for pid in study.workers()[:1]:
            send(pid, signal.SIGKILL)
    clean(ended(sweep))


def worker_asked_to_stop(dice: random.Random, study: Study) -> None:
    sweep = study.start()
    moment(dice, study, sweep)
    for pid in study.workers():
        send(pid, dice.choice([signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM]))
    clean(ended(sweep))


def paused(dice: random.Random, study: Study) -> None:
    """A process that stands still for a while, beside another sweep that would take its run."""
    sweep = study.start()
    moment(dice, study, sweep)
    pids = [*study.workers()[:1], *([sweep.pid] if dice.random() < 0.5 else [])]
    for pid in pids:
        send(pid, signal.SIGSTOP)
    if stale := dice.random() < 0.5:
        study.time_passes()
    other = study.start() if stale else None
    time.sleep(dice.uniform(0.2, 2))
    for pid in pids:
        send(pid, signal.SIGCONT)
    for one in filter(None, (sweep, other)):
        clean(ended(one))


def several_sweeps(dice: random.Random, study: Study) -> None:
    sweeps = []
    for _ in range(dice.choice([2, 3])):
        sweeps.append(study.start())
        time.sleep(dice.uniform(0, 1))
    perhaps_killed(dice, study, sweeps, sweeps[0])


def perhaps_killed(
    dice: random.Random,
    study: Study,
    sweeps: "Sequence[subprocess.Popen[str]]",
    seen: "subprocess.Popen[str]",
) -> None:
    """The first sweep is killed half of the time, at a moment of the one that is seen; all end."""
    if dice.random() < 0.5:
        moment(dice, study, seen)
        sweeps[0].kill()
    for sweep in sweeps:
        clean(ended(sweep), -signal.SIGKILL)


def another_clock(dice: random.Random, study: Study) -> None:
    """Two sweeps whose clocks differ by minutes."""
    skew = str(dice.choice([-86400, -300, 300, 86400]))
    sweeps = [study.start(variables={"SOAK_CLOCK_S": skew, "PYTHONPATH": injected()})]
    sweeps.append(study.start())
    for sweep in sweeps:
        clean(ended(sweep))


def no_number(dice: random.Random, study: Study) -> None:
    """A loss that is no number from some step on: an observation, kept."""
    at = str(dice.randrange(100))
    sweep = study.start(variables={"SOAK_NAN_STEP": at, "PYTHONPATH": injected()})
    if dice.random() < 0.5:
        moment(dice, study, sweep)
        send(sweep.pid, signal.SIGTERM)
    clean(ended(sweep), -signal.SIGTERM)


def injected() -> str:
    return os.pathsep.join(filter(None, (INJECT, os.environ.get("PYTHONPATH"))))


def another_namespace(dice: random.Random, study: Study) -> None:
    """A sweep in a container and one outside, on one host."""
    if shutil.which("unshare") is None or subprocess.run([*APART, "true"], check=False).returncode:
        raise MissingError("namespaces of processes")
    sweeps = [study.start(before=APART), study.start()]
    perhaps_killed(dice, study, sweeps, sweeps[1])


def small_files(dice: random.Random, study: Study) -> None:
    """A limit on the size of files: what a full disk is where none can be made."""
    most = dice.choice([0, 200, 5_000, 50_000, 500_000])

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    clean(ended(study.start(preexec_fn=limit)))


def no_memory(dice: random.Random, study: Study) -> None:
    """A worker that gets no more memory from some moment on."""
    sweep = study.start()
    moment(dice, study, sweep)
    for pid in study.workers()[:1]:
        with suppress(OSError):
            most = 1_000_000 * dice.choice([1, 100, 1000])
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
    clean(ended(sweep))


def killed_for_memory(dice: random.Random, study: Study) -> None:
    """A worker that the kernel kills because its control group may hold no more memory."""
    with small_group(dice.choice([1, 8, 30]) << 20) as group:
        sweep = study.start()
        moment(dice, study, sweep)
        for pid in study.workers()[:1]:
            join(group, pid)
        clean(ended(sweep))


@contextmanager
def small_group(most_bytes: int) -> Iterator[Path]:
    """A control group, of either version, whose processes may hold so many bytes more."""
    hierarchies = (("memory", "memory.limit_in_bytes"), ("", "memory.max"))
    for hierarchy, limit in hierarchies:
        group = Path("/sys/fs/cgroup", hierarchy, f"soak{os.getpid()}")
        with suppress(OSError):
            group.mkdir()
            if (group / limit).exists():
                (group / limit).write_text(str(most_bytes), encoding="ascii")
                break
            group.rmdir()
    else:
        raise MissingError("control group that limits memory")
    try:
        yield group
    finally:
        while (group / "cgroup.procs").read_text(encoding="ascii"):
            time.sleep(0.02)  # what was killed is leaving
        group.rmdir()


def join(group: Path, pid: int) -> None:
    """Put a process into a control group, if it is still there."""
    with suppress(OSError):
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")


def stalled_disk(dice: random.Random, study: Study) -> None:
    """The disk of results does not answer for a while, beside a sweep for which it does."""
    gate = study.folder / "gate"
    waits = {"SOAK_GATE": str(gate), "SOAK_DISK": str(study.results), "PYTHONPATH": injected()}
    sweeps = [study.start(variables=waits)]
    moment(dice, study, sweeps[0])
    gate.touch()
    if dice.random() < 0.5:
        study.time_passes()
        sweeps.append(study.start())
    time.sleep(dice.uniform(0.2, 5))
    gate.unlink()
    for sweep in sweeps:
        clean(ended(sweep))


def full_disk(dice: random.Random, study: Study) -> None:
    """No room, or no inodes, on the disk of results from some moment on."""
    _on_own_disk(study.results)
    sweep = study.start()
    moment(dice, study, sweep)
    with filled(study.results, dice.choice([0, 4096, 60_000]), files=dice.random() < 0.3):
        clean(ended(sweep))


def full_cache(dice: random.Random, study: Study) -> None:
    """No room where images are cached and temporary files lie, from before the start."""
    _on_own_disk(study.cache)
    with filled(study.cache, dice.choice([0, 60_000]), files=False):
        clean(ended(study.start(variables={"TMPDIR": str(study.cache)})))


def read_only(dice: random.Random, study: Study) -> None:
    _on_own_disk(study.results)
    sweep = study.start()
    moment(dice, study, sweep)
    # Files that are open for writing keep a disk from becoming read-only: try again.
    tries = (_remounted(study.results, "ro") or time.sleep(0.01) for _ in range(500))
    became = any(tries)
    try:
        clean(ended(sweep))
    finally:
        _remounted(study.results, "rw")
    if not became:
        raise MissingError("moment at which nothing is written")


def another_user(dice: random.Random, study: Study) -> None:
    """Somebody who may read what is there and not change it."""
    if os.geteuid() != 0:
        raise MissingError("root")
    python = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if shutil.which("setpriv") is None:
        raise MissingError("setpriv")
    readable = subprocess.run([*python, "ls", str(study.folder)], capture_output=True, check=False)
    if readable.returncode:
        raise MissingError("folders that others may read")
    clean(ended(study.start(before=python, variables={"HOME": "/nonexistent"})), -signal.SIGKILL)


def _on_own_disk(folder: Path) -> None:
    if not folder.is_mount():
        raise MissingError("a small disk to mount")


def _remounted(folder: Path, how: str) -> bool:
    words = ["mount", "-o", f"remount,{how}", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@contextmanager
def filled(disk: Path, free: int, files: bool) -> Iterator[None]:
    """A disk with so many bytes left, or with no inode left; empty again afterwards."""
    filler = disk / "filler"
    filler.mkdir()
    try:
        if files:
            with suppress(OSError):
                for number in range(10**6):
                    (filler / str(number)).touch()
        else:
            with (filler / "bytes").open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(65536))
            with suppress(OSError):
                size = (filler / "bytes").stat().st_size
                os.truncate(filler / "bytes", max(0, size - free))
        yield
    finally:
        shutil.rmtree(filler)


Fault = Callable[[random.Random, Study], None]
FAULTS: tuple[Fault, ...] = (
    *(sweep_killed, sweep_stopped, worker_killed, worker_asked_to_stop, paused, several_sweeps),
    *(another_clock, no_number, another_namespace, small_files, no_memory, full_disk, full_cache),
    *(read_only, another_user, killed_for_memory, stalled_disk),
)
