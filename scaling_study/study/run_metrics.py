"""The end of a run's metrics.jsonl: how far it is."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaling_study.common.files import file_end
from scaling_study.common.reading import parsed_json


@dataclass(frozen=True)
class Reached:
    """Epochs that a run has trained, fractions included, and its mean loss in the last one.

    `loss` is None where no line has one, `at` when the file was last written, in s since 1970.
    """

    epoch: float
    loss: float | None
    at: float


def reached(run_dir: Path) -> Reached | None:
    """What the last complete lines of a run's metrics say; None without any."""
    path, epoch, loss = run_dir / "metrics.jsonl", None, None
    try:
        lines, at = file_end(path).splitlines(), path.stat().st_mtime
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError, TypeError, KeyError):  # it may be only half written yet
            record = parsed_json(line)
            epoch = float(record["epoch"]) if epoch is None else epoch
            # The line of the final scores has no loss.
            loss = float(record["loss"])
            break
    return None if epoch is None else Reached(epoch, loss, at)
