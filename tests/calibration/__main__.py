"""make calibration: simulate every case and write docs/statistics.md with what they conclude.

`--only adaptive` is about adaptive studies alone: their cases, what they save on surfaces, and
finished studies that are replayed. `--study DIR` takes a finished study among the latter.

Each study draws from a generator of its own, so that the numbers depend neither on the processes
nor on the order.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.pool import Pool
from pathlib import Path

from calibration.compute import compared, designs
from calibration.finished import finished, keep
from calibration.replay import RULES, replayed
from calibration.report import COMPUTE, PAGE, REPLAY, RESULTS, read_rows, record, updated, write
from calibration.runner import all_cases, run

# Studies per case in results.csv, surfaces in compute.csv and studies on each, and replays.
STUDIES, SURFACES, STUDIES_A_SURFACE, REPLAYS = 4000, 200, 20, 100
# What is computed besides the cases, where `--only` is part of its name.
SAVED, REPLAYED = "adaptive on surfaces: {}", "adaptive, finished studies replayed"


def main() -> int:
    """Run the cases whose names contain ONLY, and write both files with what they gave."""
    parser = argparse.ArgumentParser(prog="calibration", description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies per case")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--processes", type=int, default=None, help="default: one per core")
    parser.add_argument("--study", type=Path, help="a finished study to keep and replay")
    arguments = parser.parse_args()
    if arguments.study:
        print(f"{keep(arguments.study)} written; finished.py lists what is replayed")
        return 0
    keys = [case.key for case in all_cases()]
    with Pool(arguments.processes) as pool:
        rows = [*_cases([key for key in keys if arguments.only in key], arguments.studies, pool)]
        saved, again = _saved(arguments.only, pool), _replays(arguments.only, pool)
    try:
        write(updated(read_rows() if arguments.only else [], rows, keys), saved, again)
        print(f"{PAGE} and {RESULTS} written")
    except ValueError as error:
        print(f"{PAGE} is not written: it would have {error}")
    return int(any(row["passes"] == "no" for row in rows))


def _cases(keys: Sequence[str], studies: int, pool: Pool) -> Iterator[dict[str, str]]:
    """The rows of these cases; prints each as it comes."""
    for key, row in zip(keys, pool.imap(_run, [(key, studies) for key in keys]), strict=True):
        print(f"{'ok  ' if row['passes'] == 'yes' else 'FAIL'}  {key}", flush=True)
        yield row


def _saved(only: str, pool: Pool) -> list[dict[str, str]]:
    """The rows of what adaptive studies save, simulated anew where that is asked for."""
    rows = read_rows(COMPUTE)
    for number, design in enumerate(designs(SURFACES)):
        if only in SAVED.format(design.name):
            pairs = [(number, surface) for surface in range(len(design.surfaces))]
            found = [row for part in pool.imap(_compared, pairs) for row in part]
            rows = [row for row in rows if row["grid"] != design.name] + found
    return rows


def _replays(only: str, pool: Pool) -> list[dict[str, str]]:
    """The rows of finished studies, replayed anew where that is asked for."""
    if only not in REPLAYED:
        return read_rows(REPLAY)
    pairs = [(study, rule) for study in range(len(finished())) for rule in range(len(RULES))]
    return [*pool.imap(_replayed, pairs)]


def _compared(pair: tuple[int, int]) -> list[dict[str, str]]:
    design, number = pair
    return compared(designs(SURFACES)[design], number, STUDIES_A_SURFACE)


def _replayed(pair: tuple[int, int]) -> dict[str, str]:
    number, rule = pair
    return replayed(finished()[number], RULES[rule], REPLAYS)


def _run(work: tuple[str, int]) -> dict[str, str]:
    key, studies = work
    (case,) = (case for case in all_cases() if case.key == key)
    return record(case, run(case, studies))


if __name__ == "__main__":
    sys.exit(main())
