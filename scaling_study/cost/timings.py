"""Measurements of time, a line each: probes in the cache, and those a study was solved with."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from scaling_study.common.files import no_link
from scaling_study.common.reading import parsed_json, text_in
from scaling_study.cost.time_model import CONDITIONS, SHAPE, Timing

# Of a cache: what probes and `measure` have timed.
PROBES = "probes.jsonl"


def read_timings(path: Path) -> list[Timing]:
    """The measurements in a file, a line each; other lines are ignored."""
    try:
        lines = text_in(path, errors="surrogateescape").split("\n")
    except (OSError, ValueError):
        return []
    return [timing for line in lines if (timing := _timing(line)) is not None]


def _timing(line: str) -> Timing | None:
    try:
        line.encode()  # a ValueError where bytes were no UTF-8
        record = parsed_json(line)
        wall_s = record["wall_s"]
        timing = Timing(
            tuple(record["conditions"]),
            tuple(record["shape"]),
            float(record["step_time_s"]),
            float(record["steps"]),
            float(record["scored"]),
            None if wall_s is None else float(wall_s),
        )
        shape = [
            size for name, size in zip(SHAPE, timing.shape, strict=True) if not _blank(name, size)
        ]
        sizes = [*shape, timing.step_time_s, 1.0 if wall_s is None else timing.wall_s]
        good = all(math.isfinite(size) and size > 0 for size in sizes)
        good = good and math.isfinite(timing.steps + timing.scored)
        good = good and all(isinstance(value, str | int) for value in timing.conditions)
        lengths = len(timing.shape), len(timing.conditions)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return timing if good and lengths == (len(SHAPE), len(CONDITIONS)) else None


def _blank(name: str, size: object) -> bool:
    """Whether it is what a network without convolutions has of activations."""
    return name == "activations" and size is None


def written(timings: Iterable[Timing]) -> str:
    """What `read_timings` reads."""
    return "".join(json.dumps(asdict(timing)) + "\n" for timing in timings)


def kept_probes(cache_dir: Path) -> list[Timing]:
    """The probes in a cache, of each shape under the same conditions the newest."""
    found = {(t.conditions, t.shape): t for t in read_timings(cache_dir / PROBES)}
    return list(found.values())


def keep_probes(cache_dir: Path, timings: Sequence[Timing]) -> None:
    """Append probes to those in a cache."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    with open(cache_dir / PROBES, "a", encoding="utf-8", opener=no_link) as file:
        file.write(written(timings))
