"""Out of memory: how to recognise it, and a file that carries the remedy to the next attempt."""

import re
from pathlib import Path

from scaling_study.common.files import replace_file
from scaling_study.common.reading import text_in

# Messages of torch's exception, whose class was renamed before, and of the libraries below it.
GPU_MEMORY = (
    "CUDA out of memory",
    "HIP out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)


def gpu_memory_ran_out(error: BaseException) -> bool:
    """Whether `error` says that a GPU had no memory left."""
    name = type(error).__name__
    return name == "OutOfMemoryError" or any(words in str(error) for words in GPU_MEMORY)


class HalvingsFile:
    """RUN/halvings.PROCESSES.txt: times to halve the micro-batch, with this many processes.

    One process of several cannot halve in the middle of a step, because the others wait for it in
    a collective operation; so the run fails, and its next attempt starts with what is in the file.
    """

    def __init__(self, run_dir: Path, processes: int) -> None:
        self._path = run_dir / f"halvings.{processes}.txt"

    def read(self) -> int:
        """The number in the file; 0 if there is none."""
        try:
            text = text_in(self._path).strip()
        except (OSError, ValueError):
            return 0
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else 0

    def write(self, halvings: int) -> None:
        replace_file(self._path, f"{halvings}\n")
