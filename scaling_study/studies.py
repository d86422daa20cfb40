"""scaling-study studies [RESULTS]: the studies of a results folder, a line each."""

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scaling_study.common.command_line import parser, run
from scaling_study.common.errors import InputError
from scaling_study.common.format import cut, duration
from scaling_study.study.folders import studies_in
from scaling_study.study.result import FINISHED
from scaling_study.study.store import Store
from scaling_study.study.table import read_grid, read_plan

WIDTH = 80
NAME, RUNS = 20, 17


@dataclass(frozen=True)
class Summary:
    """A study: its runs by state, what they took so far, and when the last of them ended.

    `wall_s` is the time of all finished runs together, s, `train_flops` what they trained; `last`
    is in s since 1970, that of the plan without a finished run. `problem` says why its plan or its
    grid cannot be read.
    """

    name: str
    question: str = ""
    states: dict[str, int] | None = None
    wall_s: float = 0.0
    train_flops: float = 0.0
    last: float = 0.0
    problem: str = ""


def summary(study_dir: Path) -> Summary:
    """What the files of a study say."""
    store = Store(study_dir.parent)
    try:
        run_ids = [row["run_id"] for row in read_plan(study_dir)]
        question = str(read_grid(study_dir).get("question") or "")
    except InputError as error:
        return Summary(study_dir.name, problem=str(error))
    states = {run_id: store.state(run_id) for run_id in run_ids}
    ended = [run_id for run_id, state in states.items() if state in FINISHED]
    results = [result for run_id in ended if (result := store.result(run_id)) is not None]
    return Summary(
        study_dir.name,
        question,
        dict(Counter(states.values())),
        sum(result.wall_s or 0.0 for result in results),
        float(sum(result.own_train_flops or 0 for result in results)),
        max(map(store.ended, ended), default=(study_dir / "plan.csv").stat().st_mtime),
    )


def line(found: Summary) -> str:
    """One line of at most `WIDTH` columns, unless the name alone is longer."""
    if found.states is None:
        return f"{cut(found.name, NAME):<{NAME}} cannot be read; --json says why"
    states = ", ".join(f"{n} {state}" for state, n in found.states.items())
    when = time.strftime("%Y-%m-%d", time.localtime(found.last))
    start = f"{found.name:<{NAME}} {states:<{RUNS}} {duration(found.wall_s):>9} {when}"
    return cut(f"{start}  {found.question}".rstrip(), WIDTH)


def lines(results_dir: Path) -> list[str]:
    """The table; raises an InputError if there is no such folder."""
    found = _summaries(results_dir)
    if not found:
        return [f"{results_dir} has no study yet; scaling-study run +grid=NAME makes one"]
    head = f"{'study':<{NAME}} {'runs':<{RUNS}} {'run time':>9} {'last':<10}  question"
    return [head, *map(line, found)]


def _summaries(results_dir: Path) -> list[Summary]:
    if not results_dir.is_dir():
        raise InputError(f"{results_dir}: no such folder; give the one that results_dir names")
    return [summary(folder) for folder in studies_in(results_dir)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a folder that is not there."""
    asked = parser(
        "scaling_study studies",
        "Lists the studies of a results folder: runs by state, the time that finished runs took "
        "together, the day when the last one ended, and the question of the grid.",
    )
    help_ = "the folder of all studies (default: %(default)s)"
    asked.add_argument("results", type=Path, nargs="?", default=Path("results"), help=help_)
    asked.add_argument("--json", action="store_true", help="everything, for programs")
    args = asked.parse_args(arguments)
    if args.json:
        return run(lambda: [json.dumps([asdict(s) for s in _summaries(args.results)], indent=1)])
    return run(lambda: lines(args.results))


if __name__ == "__main__":
    sys.exit(main())
