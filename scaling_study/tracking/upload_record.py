"""RUN/wandb.json: what was sent where, so that a second call sends nothing and asks nothing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from scaling_study.common.files import replace_file


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mirror that the server has confirmed to hold."""

    url: str
    entity: str | None
    project: str
    group: str | None
    tags: tuple[str, ...]
    files_sha256: str


def read_mark(run_dir: Path) -> Mark | None:
    """The run's mark; None if there is none that can be read."""
    try:
        values = json.loads((run_dir / "wandb.json").read_text(encoding="utf-8"))
        return Mark(**values | {"tags": tuple(values["tags"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_mark(run_dir: Path, mark: Mark) -> None:
    """Replace RUN_DIR/wandb.json."""
    replace_file(run_dir / "wandb.json", json.dumps(asdict(mark), indent=1) + "\n")
