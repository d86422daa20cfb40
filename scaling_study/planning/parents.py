"""Runs of a plan that others start from: which of them a part needs, and whether weights stay."""

from collections.abc import Mapping, Sequence

from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.models.initial_weights import ParentRun
from scaling_study.planning.plan import Planned
from scaling_study.study.parents import CHECKPOINT_FILE, TO_START, TRUNK_FILE
from scaling_study.study.result import FINISHED, Result
from scaling_study.study.store import Store

# What messages call the files that others start from.
WORDS = {CHECKPOINT_FILE: "checkpoint", TRUNK_FILE: "trunk"}


def needed(parents: Sequence[Planned], rows: Sequence[Planned]) -> list[Planned]:
    """Those of `parents`, in their order, that these runs start from, or that their parents do."""
    by_id = {row.run.run_id: row for row in parents}
    wanted, look = set[str](), [parent for row in rows for parent in row.run.parents]
    while look:
        if (run_id := look.pop()) in by_id and run_id not in wanted:
            wanted.add(run_id)
            look += by_id[run_id].run.parents
    return [row for row in parents if row.run.run_id in wanted]


def with_needed(part: Sequence[Planned], rows: Sequence[Planned]) -> list[Planned]:
    """`part` of `rows` with what else of them it starts from, in their order."""
    ids = {row.run.run_id for row in (*part, *needed(rows, part))}
    return [row for row in rows if row.run.run_id in ids]


def check_kept(rows: Sequence[Planned], store: Store, execution: ExecutionConfig) -> None:
    """Raise an InputError where runs to do start from others whose weights are not kept."""
    by_id = {row.run.run_id: row for row in rows}
    children = [row for row in rows if row.state not in FINISHED]
    wanted = {file for row in children for file in _files_of(row) if file[0] in by_id}
    for run_id, name in sorted(wanted):
        if by_id[run_id].state != "ok":
            if execution.checkpoint_keep == "none":
                advice = "runs of this grid start from the weights of others; give final"
                raise InputError(f"checkpoint.keep=none: {advice}")
        elif not (store.run_dir(run_id) / name).is_file():
            raise InputError(
                f"{run_id}: runs of this grid start from it, and its {WORDS[name]} was not kept; "
                f"remove {store.run_dir(run_id)} to train it again"
            )


def check_processes(
    rows: Sequence[Planned], store: Store, results: Mapping[str, Result | None]
) -> None:
    """Raise an InputError where a run would go on from the trunk of another number of processes."""
    by_id = {row.run.run_id: row for row in rows}
    for row in rows:
        if row.run.trunk is None or row.state not in (*TO_START, "failed"):
            continue
        trunk = row.run.trunk.run
        result = results.get(trunk) if by_id[trunk].state == "ok" else None
        if result is not None and (began := result.world_size or 1) != row.processes:
            raise InputError(
                f"{trunk}: {began} process(es) trained it, and {row.processes} would go on from "
                f"its trunk otherwise; give launcher.gpus_per_run and launcher.nodes that make "
                f"{began}, or remove {store.run_dir(trunk)} to train it again"
            )


def _files_of(row: Planned) -> list[tuple[str, str]]:
    """The runs that a run needs with the file of each: none of a teacher that has labelled."""
    run, labels = row.run, row.labelling
    needs = [(run.trunk.run, TRUNK_FILE)] if run.trunk else []
    if isinstance(run.init, ParentRun):
        needs.append((run.init.run, CHECKPOINT_FILE))
    if run.teacher is not None and (labels is None or not labels.done):
        needs.append((run.teacher.run, CHECKPOINT_FILE))
    return needs
