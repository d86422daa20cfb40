"""scaling-study prune: runs that no study lists; removed only if that is asked for."""

import sys
from collections.abc import Sequence
from pathlib import Path

from scaling_study.common.command_line import add_results, parser, run
from scaling_study.common.errors import InputError
from scaling_study.common.format import engineering
from scaling_study.common.validation import suggest
from scaling_study.study.folders import listings
from scaling_study.study.store import Store

IN_WORK = ("running", "queued")


def show(results_dir: Path) -> list[str]:
    """The runs that no study lists, and how to remove them; nothing is changed."""
    store, found = Store(results_dir), _unlisted(results_dir)
    if not found:
        return [f"every run in {results_dir} is listed by a study"]
    sizes = {run_id: size(store.run_dir(run_id)) for run_id in found}
    width = max(map(len, found))
    return [
        *(f"{r:<{width}}  {store.state(r):<10} {engineering(sizes[r]):>6}B" for r in found),
        f"{_runs(len(found))} of no study, {engineering(sum(sizes.values()))}B; nothing removed",
        "scaling-study prune --delete removes them, scaling-study prune RUN_ID one of them",
    ]


def remove(results_dir: Path, run_ids: Sequence[str]) -> list[str]:
    """Remove these runs, or all that no study lists if there are none.

    Raises:
        InputError: a name that is no run, a run that a study lists or that is in work, or a study
            that cannot be read, so that nobody knows what it lists. Nothing is removed then.
    """
    store, listed = Store(results_dir), listings(results_dir)
    known = store.run_ids()
    for run_id in run_ids:
        if run_id not in known:
            raise InputError(f"{run_id}: no such run in {store.root}{suggest(run_id, known)}")
        if studies := listed.get(run_id):
            raise InputError(f"{run_id}: not removed, {', '.join(studies)} lists it")
        if (state := store.state(run_id)) in IN_WORK:
            raise InputError(f"{run_id}: not removed, it is {state}")
    removed, freed, lines = 0, 0, []
    for run_id in run_ids or _unlisted(results_dir):
        bytes_ = size(store.run_dir(run_id))
        if store.remove(run_id):
            removed, freed = removed + 1, freed + bytes_
        else:
            lines.append(f"{run_id}: left, it is {store.state(run_id)}")
    return [*lines, f"removed {_runs(removed)}, {engineering(freed)}B"]


def _unlisted(results_dir: Path) -> list[str]:
    if not results_dir.is_dir():
        raise InputError(f"{results_dir}: no such folder; give the one that results_dir names")
    listed = listings(results_dir)
    return sorted(run_id for run_id in Store(results_dir).run_ids() if run_id not in listed)


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for what cannot be removed."""
    asked = parser(
        "scaling_study prune",
        "Lists the runs that no study lists, single runs of `train` among them. Removes them with "
        "--delete, or those that are named; never a run that a study lists, that runs, or that "
        "waits in a queue.",
    )
    asked.add_argument("runs", nargs="*", metavar="RUN_ID", help="remove this run")
    asked.add_argument("--delete", action="store_true", help="remove all runs of no study")
    add_results(asked)
    args = asked.parse_args(arguments)
    if args.runs and args.delete:
        asked.error("--delete removes all runs of no study; give it, or names of runs")
    if args.runs or args.delete:
        return run(lambda: remove(args.results, args.runs))
    return run(lambda: show(args.results))


if __name__ == "__main__":
    sys.exit(main())
