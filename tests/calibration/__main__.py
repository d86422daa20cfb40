"""make calibration: simulate every case and write docs/statistics.md with what they conclude.

Each study draws from a generator of its own, so that the numbers depend neither on the processes
nor on the order.
"""

import argparse
import sys
from multiprocessing import Pool

from calibration.compute import compared
from calibration.report import COMPUTE, PAGE, RESULTS, read_rows, record, updated, write
from calibration.runner import all_cases, run
from calibration.surfaces import surfaces

# Studies per case in results.csv, surfaces in compute.csv and studies on each.
STUDIES, SURFACES, STUDIES_A_SURFACE = 4000, 200, 20


def main() -> int:
    """Run the cases whose names contain ONLY, and write both files with what they gave."""
    parser = argparse.ArgumentParser(prog="calibration", description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies per case")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--processes", type=int, default=None, help="default: one per core")
    arguments = parser.parse_args()
    keys = [case.key for case in all_cases()]
    chosen = [key for key in keys if arguments.only in key]
    rows = []
    with Pool(arguments.processes) as pool:
        work = pool.imap(_run, [(key, arguments.studies) for key in chosen])
        for key, row in zip(chosen, work, strict=True):
            rows.append(row)
            print(f"{'ok  ' if row['passes'] == 'yes' else 'FAIL'}  {key}", flush=True)
    compute = read_rows(COMPUTE)
    if arguments.only in "adaptive":
        with Pool(arguments.processes) as pool:
            found = pool.imap(_compared, range(SURFACES))
            compute = [row for part in found for row in part]
    try:
        write(updated(read_rows() if arguments.only else [], rows, keys), compute)
        print(f"{PAGE} and {RESULTS} written")
    except ValueError as error:
        print(f"{PAGE} is not written: it would have {error}")
    return int(any(row["passes"] == "no" for row in rows))


def _compared(number: int) -> list[dict[str, str]]:
    return compared(surfaces(SURFACES)[number], number, STUDIES_A_SURFACE)


def _run(work: tuple[str, int]) -> dict[str, str]:
    key, studies = work
    (case,) = (case for case in all_cases() if case.key == key)
    return record(case, run(case, studies))


if __name__ == "__main__":
    sys.exit(main())
