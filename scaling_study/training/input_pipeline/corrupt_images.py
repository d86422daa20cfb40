"""RUN/corrupt.RANK.txt: the images of a run that could not be decoded, a line each."""

from collections.abc import Iterable
from pathlib import Path

from scaling_study.common.files import no_link


class CorruptImages:
    """Records corrupt images, each once, over all attempts at a run and all of its processes.

    ValueError if corrupt images must fail the run, and an earlier attempt left some out.
    """

    def __init__(self, run_dir: Path, fail: bool) -> None:
        self._run_dir, self._fail = run_dir, fail
        self._known = self._read()
        if fail and self._known:
            raise ValueError(
                f"data.corrupt=fail: an earlier attempt left out {len(self._known)} corrupt "
                f"images; repair them and remove {run_dir}, or go on with data.corrupt=skip"
            )

    def record(self, found: Iterable[tuple[str, str]], rank: int) -> None:
        """Record places and reasons in the file of `rank`; ValueError if they must fail the run."""
        for name, reason in found:
            place = name.replace("\n", "\\n")  # a line each
            if place in self._known:
                continue
            if self._fail:
                raise ValueError(
                    f"corrupt image {place} ({reason}); data.corrupt=skip leaves such images out"
                )
            print(f"corrupt image left out: {place} ({reason})", flush=True)
            self._known.add(place)
            path = self._run_dir / f"corrupt.{rank}.txt"
            with open(path, "ab", opener=no_link) as file:
                file.write(f"{place}\n".encode("utf-8", "surrogateescape"))

    def __len__(self) -> int:
        return len(self._known | self._read())

    def _read(self) -> set[str]:
        files = self._run_dir.glob("corrupt.*.txt")
        texts = [file.read_bytes().decode("utf-8", "surrogateescape") for file in files]
        # Not splitlines: names may hold what it takes for the end of a line.
        return {line for text in texts for line in text.split("\n") if line}
