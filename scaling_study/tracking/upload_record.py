"""RUN/wandb.json: what was sent where; with it a second call neither sends nor asks again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in


@dataclass(frozen=True, kw_only=True)
class UploadRecord:
    """A payload that the server has confirmed to have, and where."""

    url: str
    entity: str | None
    project: str
    group: str | None
    tags: tuple[str, ...]
    files_sha256: str
    checkpoint: bool = False


def read_record(run_dir: Path) -> UploadRecord | None:
    """The run's record; None if there is none or it cannot be read."""
    try:
        values = json_in(run_dir / "wandb.json")
        return UploadRecord(**values | {"tags": tuple(values["tags"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(run_dir: Path, record: UploadRecord) -> None:
    """Replace RUN_DIR/wandb.json."""
    replace_file(run_dir / "wandb.json", json.dumps(asdict(record), indent=1) + "\n")
