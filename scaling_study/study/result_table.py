"""All results of a study as one table, which is read where the folders of its runs are not."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, csv_in
from scaling_study.study.result import COLUMNS, Result, column_types, result_in

TABLE = "results.csv"
# Beside a result's columns: when its run began, which says whether the rules were fixed before.
BEGAN = "began"
BEGAN_MEANS = "when the run began, in s since 1970"


@dataclass(frozen=True)
class Tabled:
    """A result and when its run began, in s since 1970."""

    result: Result
    began: float


def result_table(rows: Iterable[Tabled]) -> str:
    """CSV with `COLUMNS` and `BEGAN`, a row per result; blank where nothing was measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, BEGAN])
    for row in rows:
        values = asdict(row.result)
        writer.writerow([*(_field(values[name]) for name in COLUMNS), row.began])
    return text.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value


def read_result_table(path: Path) -> dict[str, Tabled]:
    """The rows of a table by run id; none where there is no such file.

    Raises:
        InputError: a row that is no result.
    """
    if not path.is_file():
        return {}
    found = {}
    try:
        for number, row in enumerate(csv_in(path), 2):
            try:
                began = float(row.pop(BEGAN))
                record = {name: _value(name, text) for name, text in row.items()}
                found[row["run_id"]] = Tabled(result_in(record, row["run_id"]), began)
            except (KeyError, ValueError) as error:
                raise InputError(f"{path}, line {number}: no result of a run ({error})") from None
    except UnreadableError as error:
        raise InputError(f"{path} cannot be read as CSV ({error})") from None
    return found


def _value(name: str, text: str) -> Any:
    """What a field of a column stands for."""
    kinds = column_types().get(name, {str})
    if text == "" and type(None) in kinds:
        return None
    if bool in kinds:
        return {"true": True, "false": False}[text]
    if Mapping in kinds:
        return json.loads(text)
    if str in kinds:
        return text
    # A number without a fraction may stand in a column of fractions.
    return int(text) if int in kinds or text.lstrip("-").isdecimal() else float(text)
