"""Runs of no study are shown, and removed only if that is asked for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_up_results import runs
from helpers.study import make_study, write_plan, write_run
from scaling_study.prune import main
from scaling_study.study.claims import claim_of_this_process, write_note
from scaling_study.study.store import Store

RESULTS = runs({4: -0.05})
ALONE = [replace(RESULTS[0], run_id=f"alone-{name}") for name in "abc"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A study and three runs that it does not list, one of them in work, one queued."""
    make_study(tmp_path / "demo", RESULTS)
    for result in ALONE:
        write_run(tmp_path / "runs", result)
    for name in ("work", "queue"):
        (tmp_path / "runs" / name).mkdir()
    note = claim_of_this_process()
    write_note(tmp_path / "runs" / "work" / "job.json", note)
    write_note(tmp_path / "runs" / "queue" / "job.json", {"queued": "slurm:1"})
    return tmp_path


def prune(
    results: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, set[str]]:
    """The exit code, what was said, and the runs that are gone."""
    before = {*Store(results).run_ids()}
    code = main([*words, "--results", str(results)])
    said = capsys.readouterr()
    return code, said.out + said.err, before - {*Store(results).run_ids()}


def test_without_a_word_nothing_is_removed(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, gone = prune(results, capsys)
    assert (code, gone) == (0, set())
    for result in ALONE:
        assert f"{result.run_id}  ok " in said
    assert "work     running" in said
    assert RESULTS[1].run_id not in said
    assert "5 runs of no study" in said
    assert "nothing removed" in said


def test_delete_removes_what_no_study_lists_and_nobody_works_on(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, gone = prune(results, capsys, "--delete")
    assert (code, gone) == (0, {result.run_id for result in ALONE})
    assert "removed 3 runs" in said
    assert "work: left, it is running" in said
    assert "queue: left, it is queued" in said
    assert {*Store(results).run_ids()} == {r.run_id for r in RESULTS} | {"work", "queue"}


def test_a_named_run_is_removed_alone(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, gone = prune(results, capsys, "alone-b")
    assert (code, gone) == (0, {"alone-b"})


@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        (RESULTS[3].run_id, "not removed, demo lists it"),
        ("alone-d", "no such run in"),
        ("../demo", "no such run in"),
        ("work", "not removed, it is running"),
        ("queue", "not removed, it is queued"),
    ],
)
def test_what_is_not_to_be_removed_stops_everything(
    results: Path, capsys: pytest.CaptureFixture[str], run_id: str, said: str
) -> None:
    code, told, gone = prune(results, capsys, "alone-a", run_id)
    assert (code, gone) == (2, set())
    assert told.startswith(f"error: {run_id}: ")
    assert said in told
    assert len(told.splitlines()) == 1


def test_runs_that_a_study_once_planned_stay(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its verdicts say that they were dropped, and where they are.
    kept = RESULTS[:-1]
    write_plan(results / "demo", [{"run_id": r.run_id, "epochs": r.epochs} for r in kept])
    _, _, gone = prune(results, capsys, "--delete")
    assert RESULTS[-1].run_id not in gone
    # Without a freeze only the plan says what is listed.
    (results / "demo" / "freeze.json").unlink()
    _, _, gone = prune(results, capsys, "--delete")
    assert gone == {RESULTS[-1].run_id}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("plan.csv", "run_id\nx\n"),
        ("freeze.json", "{"),
        ("freeze.json", "[]"),
        ("freeze.json", json.dumps({"plans": [1]})),
    ],
)
def test_a_study_that_cannot_be_read_may_list_any_run(
    results: Path, capsys: pytest.CaptureFixture[str], file: str, content: str
) -> None:
    (results / "demo" / file).write_text(content)
    for words in ((), ("--delete",), ("alone-a",)):
        code, told, gone = prune(results, capsys, *words)
        assert (code, gone) == (2, set())
        assert told.startswith(f"error: {results / 'demo' / file}")


def test_names_and_delete_together_are_refused(results: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["alone-a", "--delete", "--results", str(results)])
    assert left.value.code == 2
    assert (results / "runs" / "alone-a").is_dir()
