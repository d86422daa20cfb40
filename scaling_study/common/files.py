"""Files replaced whole, and the ends of logs."""

import os
from pathlib import Path


def replace_file(path: Path, text: str, survives_crash: bool = True) -> None:
    """Write `text` so that a reader sees the old file or the whole new one.

    That holds after a crash of the machine only if the text `survives_crash`: it costs a sync.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if survives_crash:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def file_end(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a text.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")
