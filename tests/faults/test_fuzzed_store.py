"""A store in which one file is damaged in any way: every reader answers, or says one sentence.

tests/faults/test_damaged_files.py has the files that were found to do harm; here they are made up.
"""

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from analysis.rules.freeze import read_freeze
from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.real_study import write_real_study
from helpers.strange import answered, damaged, damaged_bytes, seeded
from scaling_study import cancel, prune, studies
from scaling_study.common.errors import InputError
from scaling_study.cost.timings import read_timings
from scaling_study.launch.failure_causes import read_error
from scaling_study.launch.submissions import Submissions
from scaling_study.status import __main__ as status
from scaling_study.study.forecasts import read_forecasts
from scaling_study.study.image_outcomes import read_image_outcomes
from scaling_study.study.learning_curves import curve_in
from scaling_study.study.measured import measurements_of, read_measured
from scaling_study.study.run_metrics import reached
from scaling_study.study.store import Store
from scaling_study.study.table import read_study
from scaling_study.tracking.payload import payload_of
from scaling_study.tracking.upload_record import read_record

pytestmark = pytest.mark.slow

LINES = [{"step": 8, "epoch": 1, "loss": 2.0, "time": 1.0}, {"step": 16, "epoch": 2, "loss": 1.0}]
ATTEMPT = {"node": "n", "job": "7_1", "began": 1.0, "ended": 2.0, "cause": "node"}
SUBMISSION = {
    **{"submission": "a", "job": "7", "submitted": 1.0, "runs": [["r"]], "git_commit": None},
    **{"resources": {"cpus_per_task": 1}, "snapshot": "s"},
}
# Files that a finished study of made-up runs lacks: what is in them, by where they lie.
OF_RUN: dict[str, Any] = {
    "job.json": {**ATTEMPT, "pid": 1, "host": "h", "started": "1", "attempts": [ATTEMPT]},
    "images.json": {"schema": 1, "classes": [4, 4], "right": "gA=="},
    "error.json": {"message": "m", "cause": "error"},
    "wandb.json": {"digest": "x", "entity": "e", "project": "p"},
}
OF_STUDY: dict[str, Any] = {
    "jobs.json": [SUBMISSION],
    "stopped.json": {"submission": "a", "error": "e"},
    "sweep.json": {"pid": 1, "host": "h", "started": "1", "slots": 2},
}
TEXTS: dict[str, str] = {
    "metrics.jsonl": "".join(json.dumps(line) + "\n" for line in LINES),
    "measured.csv": "shape,device,threads,config_ids,step_time_s,measurements,step_time_log_sd\n"
    "s,cpu: test,1,a b,0.01,3,0.02\n",
}


TIMING = json.dumps({"conditions": ["cpu", 1], "shape": [1, 2], "step_time_s": 0.1}) + "\n"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study, with every file that a study or one of its runs may have."""
    folder = tmp_path_factory.mktemp("store") / "results" / "demo"
    write_real_study(folder, seeds=2, resolutions=(16,))
    run = run_of(folder)
    for name, value in OF_RUN.items():
        (run / name).write_text(json.dumps(value), encoding="utf-8")
    for name, value in OF_STUDY.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    for name, text in TEXTS.items():
        ((run if name == "metrics.jsonl" else folder) / name).write_text(text, encoding="utf-8")
    (folder / "timings.jsonl").write_text(TIMING, encoding="utf-8")
    return folder


def run_of(study: Path) -> Path:
    return min(path for path in (study.parent / "runs").iterdir() if path.is_dir())


def command(call: Callable[..., int], *words: str) -> None:
    answered(lambda: call([*words]))


def judged(study: Path) -> None:
    table = table_of(read_study(study), {})
    rules = load_rules(study, table.grid)
    judge(table, StudyCells.of(table.rows, rules.base), rules, None)


def look(study: Path) -> None:
    """All that reads a store and changes nothing."""
    store, run, results = Store(study.parent), run_of(study), str(study.parent)
    store.read()
    for ask in (store.state, store.attempts, store.job, store.sign_of_life):
        ask(run.name)
    for read in (read_error, read_image_outcomes, curve_in, reached, read_record):
        read(run)
    with suppress(ValueError, OSError):
        payload_of(run)
    read_forecasts(study)
    read_timings(study / "timings.jsonl")
    submissions = Submissions(study)
    submissions.stop_reason()
    submissions.unfinished([run.name])
    with suppress(InputError):
        read_freeze(study)
    with suppress(InputError):
        [*map(measurements_of, read_measured(study))]
    command(status.main, str(study))
    command(studies.main, results)
    command(prune.main, "--results", results)
    command(cancel.main, str(study))


# What verdicts are made of.
JUDGED = ("plan.csv", "grid.yaml", "prereg.yaml", "freeze.json", "measured.csv", "result.json")


def dumped(path: Path, value: object) -> bytes:
    """A value in the format of a file, as far as it can hold it."""
    if path.suffix == ".yaml":
        text = yaml.safe_dump(value, allow_unicode=True)
    elif path.suffix == ".jsonl":
        text = "\n".join(map(json.dumps, value if isinstance(value, list) else [value]))
    elif path.suffix == ".csv":
        lines = io.StringIO()
        rows = value if isinstance(value, list) else [value]
        csv.writer(lines).writerows(row if isinstance(row, list) else [row] for row in rows)
        text = lines.getvalue()
    else:
        text = json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


def parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return yaml.safe_load(text)
    if path.suffix == ".jsonl":
        return [*map(json.loads, text.splitlines())]
    return [*csv.reader(io.StringIO(text))] if path.suffix == ".csv" else json.loads(text)


FILES = (
    *(("runs", name) for name in ("result.json", "config.yaml", "metrics.jsonl", *OF_RUN)),
    *(("demo", name) for name in ("plan.csv", "grid.yaml", "prereg.yaml", "freeze.json")),
    *(("demo", name) for name in ("forecasts.csv", "timings.jsonl", "measured.csv", *OF_STUDY)),
)


@pytest.mark.parametrize(("where", "name"), FILES, ids=[name for _, name in FILES])
def test_any_content_of_a_file(
    study: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str
) -> None:
    monkeypatch.setattr(cancel, "PATIENCE_S", 0)
    path = (run_of(study) if where == "runs" else study) / name
    before = path.read_bytes()
    good = parsed(path)

    @seeded(12)
    @given(damaged(good).map(lambda value: dumped(path, value)) | damaged_bytes(before))
    def case(content: bytes) -> None:
        path.write_bytes(content)
        look(study)
        if name in JUDGED:
            with suppress(InputError):
                judged(study)

    try:
        look(study)
        judged(study)
        case()
    finally:
        path.write_bytes(before)
