"""RUN/corrupt.PROCESS.txt: the images of a run that could not be decoded, a line each."""

import os
from collections.abc import Iterable
from pathlib import Path


class CorruptImages:
    """Notes corrupt images, each once, over all attempts at a run and all of its processes."""

    def __init__(self, run_dir: Path, fail: bool) -> None:
        self._run_dir, self._fail = run_dir, fail
        self._known = self._read()
        self._path = run_dir / f"corrupt.{os.environ.get('RANK', '0')}.txt"

    def note(self, found: Iterable[tuple[str, str]]) -> None:
        """Each of `found` is a place and a reason.

        Raises:
            ValueError: the run is to fail on corrupt images.
        """
        for place, reason in found:
            if place in self._known:
                continue
            if self._fail:
                raise ValueError(
                    f"corrupt image {place} ({reason}); data.corrupt=skip leaves such images out"
                )
            print(f"corrupt image left out: {place} ({reason})", flush=True)
            self._known.add(place)
            with self._path.open("a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(f"{place}\n")

    def __len__(self) -> int:
        return len(self._known | self._read())

    def _read(self) -> set[str]:
        files = self._run_dir.glob("corrupt.*.txt")
        texts = [file.read_text(encoding="utf-8", errors="surrogateescape") for file in files]
        return {line for text in texts for line in text.splitlines()}
