"""When memory has run out: how that is told, and what the next attempt at a run is told of it."""

from pathlib import Path

from scaling_study.common.files import replace_file

# Torch's exception, which has been renamed before, and the libraries that torch passes on.
GPU_MEMORY = ("CUDA out of memory", "HIP out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def gpu_memory_ran_out(error: BaseException) -> bool:
    """Whether `error` says that a GPU had no memory left."""
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in GPU_MEMORY)


class HalvingNote:
    """RUN/halvings.PROCESSES.txt: how often so many must halve the micro-batch for a step to fit.

    One process of several cannot halve in the middle of a step, so the next attempt does.
    """

    def __init__(self, run_dir: Path, processes: int) -> None:
        self._path = run_dir / f"halvings.{processes}.txt"

    def read(self) -> int:
        """The number noted; 0 where there is none."""
        try:
            return int(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def write(self, halvings: int) -> None:
        replace_file(self._path, f"{halvings}\n")
