"""make calibration: simulate every case and write docs/statistics.md with what they conclude.

Each study draws from a generator of its own, so that the numbers depend neither on the processes
nor on the order.
"""

import argparse
import csv
import sys
from collections.abc import Mapping
from multiprocessing import Pool

from calibration.report import PAGE, RESULTS, page, read, record
from calibration.runner import all_cases, run

# Studies per case in results.csv.
STUDIES = 4000


def main() -> int:
    """Run the cases whose names contain ONLY, and write both files: others keep their numbers."""
    parser = argparse.ArgumentParser(prog="calibration", description=__doc__)
    studies = f"simulated studies per case; other numbers than {STUDIES} are printed alone"
    parser.add_argument("--studies", type=int, default=STUDIES, help=studies)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--processes", type=int, default=None, help="default: one per core")
    arguments = parser.parse_args()
    cases = [case for case in all_cases() if arguments.only in case.key]
    keys = [case.key for case in cases]
    rows = {}
    with Pool(arguments.processes) as pool:
        work = pool.imap(_run, [(key, arguments.studies) for key in keys])
        for key, row in zip(keys, work, strict=True):
            rows[key] = row
            print(f"{'ok  ' if row['passes'] == 'yes' else 'FAIL'}  {key}", flush=True)
    if arguments.studies == STUDIES:
        _write(rows)
    return int(any(row["passes"] == "no" for row in rows.values()))


def _write(new: Mapping[str, Mapping[str, str]]) -> None:
    """Both files with these cases, by key, and what they had of the others."""
    known = {f"{row['rule']}: {row['case']}": row for row in read()} | dict(new)
    rows = [known[case.key] for case in all_cases() if case.key in known]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{PAGE} and {RESULTS} written")


def _run(work: tuple[str, int]) -> dict[str, str]:
    key, studies = work
    (case,) = (case for case in all_cases() if case.key == key)
    return record(case, run(case, studies))


if __name__ == "__main__":
    sys.exit(main())
