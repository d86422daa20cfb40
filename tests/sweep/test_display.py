"""The plan on a screen: what fits, nothing broken, whole lines in a pipe."""

import re
from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.packaged_plans import planned
from helpers.terminal import Terminal
from scaling_study.cost.devices import devices
from scaling_study.sweep.display import Column, lines, table_lines


def test_columns_that_do_not_fit_are_left_out_the_least_important_first() -> None:
    columns = [
        Column("run", ["abcdefgh"], right=False),
        Column("a", ["1234"], 2),
        Column("b", ["12345"], 1),
        Column("blank", [""], 1),
        Column("state", ["ok"], right=False),
    ]
    assert table_lines(columns, 80) == ["run          a      b  state", "abcdefgh  1234  12345  ok"]
    assert table_lines(columns, 24) == ["run           b  state", "abcdefgh  12345  ok"]
    assert table_lines(columns, 5) == ["run       state", "abcdefgh  ok"]


def test_the_largest_run_is_held_by_the_device_that_is_named() -> None:
    rows, _ = planned("paper/published_resnet_rs_50")

    def told(sheet: str | None) -> str:
        text = lines(rows, 1, "blocked", sheet=None if sheet is None else devices()[sheet])
        return next(line for line in text if line.startswith("largest run"))

    assert "which 80 GB do not hold: 2 do" in told(None)
    assert "do not hold" not in told("h200")  # 141 GB
    assert "which 24 GB do not hold: 8 do" in told("l4")


def test_why_a_data_sheet_gives_no_forecast_is_said_once(sweep_here: Command) -> None:
    done = sweep_here(
        *("+grid=smoke", "device=cuda", "precision=bf16", "plan.device=t4", "dry_run=true")
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("forecast")] == [
        "forecast: blank, because the data sheet of t4 has no peak in bf16; precision=fp16 has "
        "(known: fp16, fp32)"
    ]


@pytest.mark.parametrize(
    "name", ["depth_vs_width", "slow_resolution", "additive_study", "paper/fig3_depth_vs_width"]
)
def test_the_table_of_runs_fits_80_columns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows, _ = planned(name)
    head, *listed = lines(rows, 2, "blocked")[: len(rows) + 1]
    assert head.split()[0] == "run"
    assert max(map(len, (head, *listed))) <= 80
    assert [line.split()[0] for line in listed] == [row.run.run_id for row in rows]
    monkeypatch.setenv("COLUMNS", "150")
    assert lines(rows, 2, "blocked")[0].split()[1:5] == ["params", "FLOPs", "training", "memory"]


@pytest.mark.slow
def test_on_a_terminal_no_line_is_longer_than_it_and_no_word_is_broken(
    tmp_path: Path, sweep_here: Command
) -> None:
    words = ("+grid=paper/fig3_depth_vs_width", "dry_run=true", f"cache_dir={tmp_path / 'cache'}")
    with Terminal(tmp_path, "scaling_study.sweep", *words) as terminal:
        assert terminal.wait() == 0, terminal.text
        shown = terminal.text.strip("\n").split("\n")
    assert max(map(len, shown)) <= 80
    assert shown[:2] == [
        "Does depth or width lower the error more, and does the answer turn with the",
        "length of training?",
    ]
    piped = sweep_here(*words).stdout
    assert shown != piped.splitlines()
    assert " ".join(" ".join(shown).split()) == " ".join(piped.split())


def test_rules_are_explained_where_that_is_asked(sweep_here: Command, tmp_path: Path) -> None:
    done = sweep_here("+grid=depth_vs_width", "explain=rules")
    assert done.returncode == 0
    assert re.search(r"^R1-long \(16 epochs\): decides .* df 3, seed SD 0\.6 pp", done.stdout, re.M)
    assert "R5: not testable: a study has one family" in done.stdout
    assert [*tmp_path.iterdir()] == []
    assert sweep_here("+grid=smoke", "explain=maybe").returncode == 2
