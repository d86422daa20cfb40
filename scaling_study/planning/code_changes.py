"""Why runs are new: the store has the same ones, trained by other code."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.reading import yaml_in
from scaling_study.config.run import RunConfig, stored_run
from scaling_study.planning.plan import Planned
from scaling_study.study.parents import TO_START
from scaling_study.study.store import Store

# Configs of the store that are read to tell.
MOST_READ = 300


def code_changes(rows: Sequence[Planned], store: Store, results: Mapping[str, Any]) -> list[str]:
    """A line for each change of code that makes runs of the plan new; `results` are the store's."""
    alike: dict[str, list[str]] = defaultdict(list)
    for run_id in results:
        alike[_readable(run_id)].append(run_id)
    found: dict[str, int] = defaultdict(int)
    read = 0
    waiting = (row.run for row in rows if row.state in TO_START)
    for run in (run for run in waiting if run.code or run.program):
        for run_id in alike[_readable(run.run_id)]:
            read += 1
            if read <= MOST_READ and (why := _why(run, store, run_id)):
                found[why] += 1
                break
    return [
        f"{n} {'run is' if n == 1 else 'runs are'} new, because {why}; the results of before stay"
        for why, n in found.items()
    ]


def _readable(run_id: str) -> str:
    """A run's id without its hash."""
    return run_id.rpartition("-")[0]


def _why(run: RunConfig, store: Store, run_id: str) -> str:
    """What differs between the code of a run and of one of the store; empty if it is another."""
    try:
        values = yaml_in(store.run_dir(run_id) / "config.yaml")
        other = stored_run(values) if isinstance(values, Mapping) else None
    except (OSError, InputError, ValueError):
        return ""
    if other is None or other.run_id == run.run_id or _with_code(other, run).run_id != run.run_id:
        return ""
    if run.program:
        return f"the code of {run.data.name} changed"
    if not other.code:
        return f"the code of {_names(run.code)} is part of their ids now"
    modules = other.code.keys() | run.code.keys()
    return (
        f"the code of {_names(m for m in modules if other.code.get(m) != run.code.get(m))} changed"
    )


def _with_code(other: RunConfig, run: RunConfig) -> RunConfig:
    """A run with the code of another."""
    if other.program and run.program:
        return replace(other, task=replace(other.program, source=run.program.source))
    return replace(other, code=run.code)


def _names(modules: Iterable[str]) -> str:
    return ", ".join(sorted(modules))
