"""The last screen of an analysis: for people first, details where they are asked for."""

import json
from pathlib import Path

import pytest

from analysis.__main__ import main
from helpers.made_up_results import runs
from helpers.study import write_study
from helpers.terminal import Terminal

EFFECTS = {4: -0.02, 24: 0.10}
QUESTION = "Does depth or width lower the error more, and does the answer turn with the length?"
GRID = f"name: demo\nquestion: {QUESTION}\n"


@pytest.mark.slow
def test_the_question_sentences_and_the_address_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = write_study(tmp_path, runs(EFFECTS), GRID), tmp_path / "a folder"
    assert main([str(study), "-o", str(out), "--formats", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (out / "report.html").as_uri()
    assert "%20" in lines[-1]
    at = lines.index(QUESTION)
    assert lines[at + 2].startswith("supported  At 24 epochs depth beats width at equal step time")
    assert "df" not in " ".join(lines)
    assert json.loads((out / "verdicts.json").read_text())["question"] == QUESTION
    assert QUESTION in (out / "report.html").read_text()
    assert main([str(study), "-o", str(out), "--formats", "none", "--details"]) == 0
    details = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line not in details] == []
    assert any(line.startswith("R1-long         supported  +") for line in details)


@pytest.mark.slow
def test_without_a_question_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path, runs(EFFECTS))
    assert main([str(study), "-o", str(tmp_path), "--formats", "none"]) == 0
    assert capsys.readouterr().out.startswith("supported  At 24 epochs depth beats width")
    assert "question" not in json.loads((tmp_path / "verdicts.json").read_text())


@pytest.mark.slow
def test_it_fits_a_terminal(tmp_path: Path) -> None:
    study = write_study(tmp_path, runs(EFFECTS), GRID)
    with Terminal(tmp_path, "analysis", str(study), "-o", "out", "--formats", "none") as terminal:
        assert terminal.wait() == 0, terminal.text
        *shown, address = terminal.text.strip("\n").split("\n")
    assert max(map(len, shown)) <= 80
    assert address == (tmp_path / "out/report.html").as_uri()
