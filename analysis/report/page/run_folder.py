"""What the page shows of a run's folder: its files, the end of its log, its learning curve."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaling_study.common.reading import parsed_json, text_in
from scaling_study.common.validation import is_number
from scaling_study.study.learning_curves import curve_in

# Most characters of one log, and of those of all runs of a page.
LOG, LOGS = 1500, 1_500_000
# Most points of a curve: what a small plot can show.
POINTS = 60
# Colours of a terminal.
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NOTHING: dict[str, Any] = {"folder": None, "files": [], "log": "", "curve": None}


def folder_values(run_dir: Path, runs: int) -> dict[str, Any]:
    """`folder`, `files` (name, bytes), the `log`'s last lines, and the `curve`, or None.

    A page of many `runs` has less of each log.
    """
    if not run_dir.is_dir():
        return NOTHING
    files = sorted(path for path in run_dir.iterdir() if path.is_file())
    return {
        "folder": f"{run_dir.parent.name}/{run_dir.name}",
        "files": [(path.name, path.stat().st_size) for path in files],
        "log": _log_end(run_dir, min(LOG, LOGS // max(1, runs))),
        "curve": _curve(run_dir),
    }


def _log_end(run_dir: Path, most: int) -> str:
    with suppress(OSError, ValueError):
        text = ESCAPES.sub("", text_in(run_dir / "log.txt", errors="replace")).strip()
        if len(text) > most:
            text = text[-most:].partition("\n")[2] or text[-most:]
        return text
    return ""


def _curve(run_dir: Path) -> dict[str, Any] | None:
    """Epochs and what was measured at them: outcomes where these were evaluated, else the loss."""
    if points := curve_in(run_dir):
        names = [n for n in ("val_error", "train_error") if all(n in p for p in points)]
    else:
        points, names = _losses(run_dir), ["loss"]
    if len(points) < 2:
        return None
    step = -(-len(points) // POINTS)
    kept = [*points[:-1:step], points[-1]]
    lines = {name: [float(f"{p[name]:.5g}") for p in kept] for name in names}
    return {"epoch": [float(f"{p['epoch']:.5g}") for p in kept], "lines": lines}


def _losses(run_dir: Path) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError):
        records = []
        for line in text_in(run_dir / "metrics.jsonl", errors="replace").splitlines():
            with suppress(ValueError):
                records.append(parsed_json(line))
        return [
            r
            for r in records
            if isinstance(r, dict) and is_number(r.get("loss")) and is_number(r.get("epoch"))
        ]
    return []
