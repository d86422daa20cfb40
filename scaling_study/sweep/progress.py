"""A sweep's progress: a bar with the runs in work on a terminal, a line a run in a log."""

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scaling_study.common.format import duration, fitted, screen_width
from scaling_study.common.terminal import console, printable
from scaling_study.launch.outcome import Outcome, ended
from scaling_study.launch.stop_signals import Stop
from scaling_study.study.result import FINISHED
from scaling_study.sweep.work import InWork, Work

if TYPE_CHECKING:
    from rich.console import RenderableType

# How many runs in work are shown, and how often a second.
SHOWN, REFRESHES = 8, 2
# What became of runs without a result of this sweep, by status.
UNFINISHED = {
    "failed": "failed",
    "running": "in work in another process",
    "stopped": "stopped, to continue from their checkpoints",
}
STOPPING = "stopping: runs write checkpoints; Ctrl-C again kills them"


def follow(outcomes: Iterable[Outcome], work: Work, stop: Stop) -> str:
    """Show `outcomes` as they come, and at last how many of the runs have finished; returns that.

    Asked to `stop`, the outcomes still come; no more is said of the time that is left.
    """
    started = time.monotonic()
    if sys.stdout.isatty():
        _on_terminal(outcomes, work, stop, started)
    else:
        _in_log(outcomes, work, stop)
    text = _sum(work, time.monotonic() - started)
    if work.finished or stop.reasons:  # else they were only submitted
        print(fitted(text), flush=True)
    return text


def _in_log(outcomes: Iterable[Outcome], work: Work, stop: Stop) -> None:
    for outcome in outcomes:
        work.add(outcome)
        left = None if stop.reasons else work.look(time.time()).left
        rest = "" if left is None else f", {duration(left)} left"
        print(f"[{work.finished}/{work.runs}] {ended(outcome)}{rest}", flush=True)


def _on_terminal(outcomes: Iterable[Outcome], work: Work, stop: Stop, started: float) -> None:
    from rich.live import Live

    def screen() -> "RenderableType":
        return _screen(work, stop, time.monotonic() - started)

    options: dict[str, Any] = {"refresh_per_second": REFRESHES, "transient": True}
    with Live(get_renderable=screen, console=console(), **options) as live:
        for outcome in outcomes:
            work.add(outcome)
            if outcome.status not in ("ok", "stopped"):
                live.console.print(printable(ended(outcome)), markup=False, highlight=False)


def _screen(work: Work, stop: Stop, elapsed_s: float) -> "RenderableType":
    """The bar, and below it the runs in work."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    now = work.look(time.time())
    left = "" if now.left is None else f", {duration(now.left)} left"
    if stop.reasons:
        left = ""
    head = f"{work.finished}/{work.runs} runs  {100 * now.share:.1f} %  {duration(elapsed_s)}{left}"
    row = Table.grid(padding=(0, 2))
    row.add_row(ProgressBar(1.0, now.share, width=max(10, screen_width() - 55)), Text(head))
    lines = [_line(one) for one in now.working[:SHOWN]]
    if (more := len(now.working) - SHOWN) > 0:
        lines.append(f"  … and {more} more in work")
    lines += [STOPPING] if stop.reasons else []
    return Group(row, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))


def _line(one: InWork) -> str:
    loss = "" if one.loss is None else f"  loss {one.loss:.3g}"
    return f"  {one.row.run.run_id}  epoch {one.epoch:.4g} of {one.row.run.train.epochs}{loss}"


def _sum(work: Work, elapsed_s: float) -> str:
    """What has finished, and what has not."""
    counts = work.statuses
    finished = sum(counts[status] for status in FINISHED)
    text = f"{finished} of {work.runs} runs finished in {duration(elapsed_s)}"
    for status, words in UNFINISHED.items():
        if counts[status]:
            text += f"; {counts[status]} {words}"
    if rest := work.runs - counts.total():
        text += f"; {rest} to do"
    return text
