"""All results of a study as one table: what is written is read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.made_up_results import runs
from scaling_study.common.errors import InputError
from scaling_study.study.result import Result
from scaling_study.study.result_table import TABLE, Tabled, read_result_table, result_table

(KNOWN, OTHER) = runs({4: 0.05})[:2]
ODD = {
    "git_dirty": False,
    "versions": {"torch": "2.13", "python": "3.11"},
    "measures": {"tokens": 1e9},
    "wall_s": None,
    "corrupt_images": 0,
    "val_error": 0,
}


def read_again(tmp_path: Path, rows: list[Tabled]) -> list[Tabled]:
    path = tmp_path / TABLE
    path.write_text(result_table(rows), encoding="utf-8", newline="")
    return [*read_result_table(path).values()]


@settings(max_examples=30)
@given(
    st.floats(0, 1),
    st.floats(1e-9, 1e9),
    st.integers(1, 10**15),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r")),
    st.floats(0, 2e9),
)
def test_results_survive(
    tmp_path_factory: pytest.TempPathFactory,
    error: float,
    seconds: float,
    count: int,
    said: str,
    began: float,
) -> None:
    changes: dict[str, Any] = ODD | {"val_error": error, "step_time_s": seconds, "params": count}
    one = replace(KNOWN, **changes)
    failed = replace(OTHER, status="failed", cause="error", error=said or None, val_error=None)
    rows = [Tabled(one, began), Tabled(failed, 1.0)]
    assert read_again(tmp_path_factory.mktemp("table"), rows) == rows


def test_without_a_table_there_are_none(tmp_path: Path) -> None:
    assert read_result_table(tmp_path / TABLE) == {}


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("val_error", "much", "line 2: no result of a run"),
        ("val_error", "1.5", "val_error=1.5 is not possible"),
        ("status", "fine", "status='fine' is not possible"),
        ("git_dirty", "maybe", "line 2: no result of a run"),
        ("versions", "{", "line 2: no result of a run"),
        ("began", "", "line 2: no result of a run"),
        ("schema", "99", "not a result of this program|schema 99"),
    ],
)
def test_a_row_that_is_no_result_is_named(
    tmp_path: Path, column: str, text: str, said: str
) -> None:
    head, line, *_ = result_table([Tabled(KNOWN, 1.0)]).splitlines()
    fields = dict(zip(head.split(","), line.split(","), strict=True))
    path = tmp_path / TABLE
    path.write_text(f"{head}\n{','.join((fields | {column: text}).values())}\n")
    with pytest.raises(InputError, match=said):
        read_result_table(path)


def test_every_column_of_a_result_is_one_of_the_table() -> None:
    head = result_table([]).strip().split(",")
    assert {*head} == {*Result.__dataclass_fields__, "began"}
