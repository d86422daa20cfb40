"""python -m soak: sequences of faults until the time is over; counts by kind of fault."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from soak.faults import FAULTS, Fault, MissingError
from soak.study import PromiseError, Study, check, finish, outcomes

# Bytes and files of the disks of results and of the cache, where they can be mounted.
DISK = "size=24m,nr_inodes=400"


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A small disk at `folder`; an ordinary folder where none can be mounted."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)]
    root = os.geteuid() == 0 and shutil.which("mount") is not None
    mounted = root and subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def new_study(parent: Path) -> Iterator[Study]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="soak", dir=parent))
        folder.chmod(0o755)
        disks = [stack.enter_context(disk(folder / name)) for name in ("results", "cache")]
        yield Study(folder, *disks)
    shutil.rmtree(folder)


class Soak:
    """Counts of what was done: faults by kind, sequences, runs compared, and what is not here."""

    def __init__(self, seed: int, parent: Path) -> None:
        self.parent, self.seed = parent, seed
        self.faults, self.lacks = Counter[str](), dict[str, str]()
        self.sequences = self.runs = self.apart = 0
        with new_study(parent) as study:
            finish(study)
            self.wanted: dict[str, dict[str, Any]] = outcomes(study)

    def sequence(self, kinds: Sequence[Fault] = FAULTS) -> None:
        """One study under one to three faults; a PromiseError, with its seed, for a broken one."""
        dice = random.Random(f"{self.seed} {self.sequences}")
        chosen = [dice.choice(kinds) for _ in range(dice.choice([1, 2, 3]))]
        self.play(dice, chosen)

    def play(self, dice: random.Random, chosen: Sequence[Fault]) -> None:
        with new_study(self.parent) as study:
            try:
                for fault in chosen:
                    self._disturb(fault, dice, study)
                finish(study)
                self.apart += check(study, self.wanted)
            except PromiseError as broken:
                names = ", ".join(fault.__name__ for fault in chosen)
                what = f"seed {self.seed}, sequence {self.sequences} ({names}): {broken}"
                raise PromiseError(what) from None
        self.sequences += 1
        self.runs += len(self.wanted)

    def _disturb(self, fault: Fault, dice: random.Random, study: Study) -> None:
        try:
            fault(dice, study)
            self.faults[fault.__name__] += 1
        except MissingError as missing:
            self.lacks[fault.__name__] = str(missing)

    def lines(self) -> list[str]:
        """The counts, for people."""
        rows = [f"  {name.replace('_', ' '):<22} {n:>5}" for name, n in sorted(self.faults.items())]
        lacks = [f"  {n.replace('_', ' ')}: not here, no {w}" for n, w in self.lacks.items()]
        return [
            f"{self.sequences} studies of {len(self.wanted)} runs, {self.faults.total()} faults:",
            *rows,
            *lacks,
            f"every run trained once; {self.runs - self.apart} of {self.runs} bit-equal to those "
            f"of an undisturbed study, {self.apart} diverged or with a halved micro-batch",
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first sequence")
    parser.add_argument(
        "--each", action="store_true", help="each fault once, in a study of its own"
    )
    parser.add_argument("--faults", help="only these, by name, with commas between")
    asked = parser.parse_args()
    names = (asked.faults or ",".join(f.__name__ for f in FAULTS)).split(",")
    kinds = [fault for fault in FAULTS if fault.__name__ in names]
    end = time.monotonic() + 3600 * asked.hours
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        Path(name).chmod(0o755)
        soak = Soak(asked.seed, Path(name))
        each = [partial(soak.play, random.Random(kind.__name__), [kind]) for kind in kinds]
        until = iter(lambda: time.monotonic() < end, False)
        code = 0
        for play in each if asked.each else (partial(soak.sequence, kinds) for _ in until):
            try:
                play()
            except PromiseError as broken:
                print(f"BROKEN: {broken}", flush=True)
                soak.sequences, code = soak.sequences + 1, 1
    print("\n".join(soak.lines()))
    return code


if __name__ == "__main__":
    sys.exit(main())
