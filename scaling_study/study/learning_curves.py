"""The evaluations in a run's metrics.jsonl, made while it trained."""

from pathlib import Path
from typing import Any

from scaling_study.common.reading import UnreadableError, parsed_json, text_in
from scaling_study.common.validation import is_number

# Columns of a curve are named as those of a result, after this; a suffix marks raw weights.
PREFIX, RAW = "curve_", "_raw"
OUTCOME = "val_error"


def curve_in(run_dir: Path, outcome: str = OUTCOME) -> list[dict[str, Any]]:
    """A record for each evaluation of `outcome` in order; its columns, without PREFIX, and `epoch`.

    Empty where there is none, or no file that can be read; lines that are torn are left out.
    """
    try:
        lines = text_in(run_dir / "metrics.jsonl", errors="replace").splitlines()
    except (FileNotFoundError, UnreadableError):
        return []
    found = []
    for line in lines:
        if PREFIX not in line:
            continue
        try:
            record = parsed_json(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or not is_number(record.get("epoch")):
            continue
        values = {k.removeprefix(PREFIX): v for k, v in record.items() if k.startswith(PREFIX)}
        if all(map(is_number, values.values())) and outcome in values:
            found.append(values | {"epoch": float(record["epoch"])})
    return found
