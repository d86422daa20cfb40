"""What a tracker is: one value that says how runs are mirrored, and by which sink."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling_study.common.sink import Sink
from scaling_study.config.tracking import Tracking


class TrackingError(Exception):
    """A sink did not take what it was given, and may later; the message says why."""


@dataclass(frozen=True)
class TrackedRun:
    """A run as a sink gets it.

    `name` is for people, `config` its columns that are known before training and, under `run`, all
    of its settings. `folder` holds its files; `pid` is the process that trains it, if one does.
    """

    run_id: str
    name: str
    config: Mapping[str, Any]
    folder: Path
    tracking: Tracking
    pid: int | None = None


@dataclass(frozen=True)
class Alert:
    """A message about a sweep; `level` is INFO, WARN or ERROR."""

    title: str
    text: str
    level: str = "INFO"


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """How runs are mirrored.

    `title` is what messages call it. `open` makes the sink of a run, in a process of its own beside
    the run's; None: a run has its own files alone. It may raise a TrackingError, after which it is
    tried again, as may the sink. `check` raises an InputError, before anything is launched, if what
    was asked for cannot work. `options` are those of `Tracking.requests` that it fulfils.
    `later` says what the user can do about runs that were not taken whole. `page` is the address
    of a project's web page, asked for in a thread; None if it has none or it is unknown. `alert`
    sends a message, in a process of its own.
    """

    title: str
    open: Callable[[TrackedRun], Sink] | None
    check: Callable[[Tracking], None] = lambda tracking: None
    options: tuple[str, ...] = ()
    later: str = ""
    page: Callable[[Tracking], str | None] = lambda tracking: None
    alert: Callable[[Tracking, Alert], None] | None = None
