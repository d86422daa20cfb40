"""STUDY/measured.csv: step times of a study's networks, measured with the machine to themselves.

A row is a `shape` (one network at one batch size and precision, by the id of a short run of it) on
a device with a number of CPU threads; `config_ids` are the cells of the study that train it. The
other columns are for people, but for `MEASUREMENTS` and the times with their SD.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_csv

FILE = "measured.csv"
SHAPE, DEVICE, THREADS, CONFIG_IDS = "shape", "device", "threads", "config_ids"
STEP_TIME, FORWARD_TIME, MEASUREMENTS = "step_time_s", "inference_time_s", "measurements"
# SD of the logarithm of each time between measurements.
LOG_SD = {STEP_TIME: "step_time_log_sd", FORWARD_TIME: "inference_time_log_sd"}
# Below so many measurements nothing says how well a step time is known.
ENOUGH = 2
Key = tuple[str, str, str]


def key_of(row: Mapping[str, Any]) -> Key:
    """What a row is about: shape, device and threads."""
    return str(row.get(SHAPE)), str(row.get(DEVICE)), str(row.get(THREADS))


def measurements_of(row: Mapping[str, Any]) -> int:
    """How often a row's shape was measured; 0 where it does not say."""
    text = str(row.get(MEASUREMENTS))
    return int(text) if text.isdecimal() else 0


def config_ids_of(row: Mapping[str, Any]) -> list[str]:
    """The cells that have the step time of a row; none where an earlier version wrote it."""
    return str(row.get(CONFIG_IDS) or "").split()


def read_measured(study_dir: Path) -> list[dict[str, str]]:
    """The rows of a study, as text; none without the file.

    Raises:
        InputError: the file cannot be read as a table.
    """
    path = study_dir / FILE
    if not path.is_file():
        return []
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [{name: row[name] or "" for name in rows.fieldnames or ()} for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(study_dir, error) from None


def unreadable(study_dir: Path, error: Exception) -> InputError:
    """What is said of a file that holds no measurements."""
    return InputError(
        f"{study_dir / FILE} cannot be read ({error!r}); `python -m scaling_study.measure` "
        "writes it anew"
    )


def keep_measured(rows: Iterable[Mapping[str, Any]], study_dir: Path) -> None:
    """Write these rows over those of the same shape, device and threads; other rows stay.

    A file that cannot be read is replaced, and so are rows that name no cells.
    """
    try:
        before: Sequence[Mapping[str, Any]] = read_measured(study_dir)
    except InputError:
        before = []
    kept = {key_of(row): row for row in before if config_ids_of(row)}
    kept |= {key_of(row): row for row in rows}
    columns = list(dict.fromkeys(name for row in reversed(kept.values()) for name in row))
    table = [[row.get(name, "") for name in columns] for row in kept.values()]
    replace_csv(study_dir / FILE, [columns, *table])
