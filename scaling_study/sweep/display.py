"""What a person sees of a sweep: the plan as text, progress with an ETA, the summary."""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from scaling_study.common.format import duration, engineering
from scaling_study.cost.closed_form import LARGE_DEVICE_BYTES, devices_needed
from scaling_study.cost.time_model import COVERAGE, Estimate
from scaling_study.launch.outcome import Outcome, ended
from scaling_study.planning.order import makespan, to_do
from scaling_study.planning.plan import Planned

# More runs than this are not listed one by one; plan.out=FILE.csv has all.
MOST_LINES = 200


def lines(
    rows: Sequence[Planned], slots: int, order: str, processes: int = 1, names: Sequence[str] = ()
) -> list[str]:
    """The plan for people: a line a run, then the totals for `slots` runs at a time.

    `processes` train a run together, each with the memory that is shown. `names` are display names
    of the runs, where their ids do not show every axis.
    """
    titles = _titles([row.run.run_id for row in rows], names)
    head = (
        f"{titles[0]}  {'params':>8}  {'FLOPs/img':>9}  {'train FLOPs':>11}  {'memory':>8}  "
        f"{'actual':>8}  {'forecast':>8}  state"
    )
    listed = [_line(row, title) for row, title in zip(rows[:MOST_LINES], titles[1:], strict=False)]
    if more := len(rows) - len(listed):
        listed.append(f"… and {more} runs more; plan.out=FILE.csv has them all")
    return [head, *listed, *_totals(rows, slots, order, processes)]


def _titles(run_ids: Sequence[str], names: Sequence[str]) -> list[str]:
    """The first columns of the plan, its head on top: run ids and, if there are any, names."""
    columns = [("run", *run_ids), *([("name", *names)] if names else [])]
    widths = [max(map(len, column)) for column in columns]
    lines = zip(*columns, strict=True)
    return ["  ".join(f"{t:{w}}" for t, w in zip(line, widths, strict=True)) for line in lines]


def _line(row: Planned, title: str) -> str:
    c = row.columns
    text = (
        f"{title}  {engineering(c['params']):>8}  {engineering(c['flops']):>9}  "
        f"{c['train_flops']:>11.3g}  {engineering(row.cost.memory_bytes):>7}B  "
        f"{duration(row.actual_s):>8}  {duration(row.forecast_s):>8}  {row.state}"
    )
    notes = [row.cell.variant] if row.cell.variant else []
    if row.cell.lr_factor != 1:
        notes.append(f"learning rate x {row.cell.lr_factor:g}")
    if s := row.cell.solved:
        notes.append(f"{s.quantity} {s.achieved:.4g}, {100 * s.off:+.1f} % of {s.target:.4g}")
    return f"{text}  {'; '.join(notes)}" if notes else text


def _totals(rows: Sequence[Planned], slots: int, order: str, processes: int) -> list[str]:
    missing = to_do(rows, order, slots)
    flops = sum(row.columns["train_flops"] for row in missing)
    states = ", ".join(f"{n} {state}" for state, n in Counter(r.state for r in rows).items())
    text = [f"{len(rows)} runs: {states}; {flops:.3g} training FLOPs to do (2 x multiply-adds)"]
    if missing:
        disk = sum(row.cost.disk_bytes for row in missing)
        text.append(f"{_largest(missing, processes)}; all: {engineering(disk)}B on disk when done")
    times = [row.time for row in missing if row.time is not None]
    if len(times) < len(missing):
        text.append(
            "forecast: blank, because nothing has been measured on this device yet "
            "(plan.probe=true measures)"
        )
    elif missing:
        # Several GPUs may train a run, and several runs may share one.
        hours = [r.gpu_hours.value for r in missing if r.gpu_hours and r.run.device == "cuda"]
        cost = f", {sum(hours):.4g} GPU-hours" if hours else ""
        whole, level = sum(time.value for time in times), f", {100 * COVERAGE:g} %"
        text.append(
            f"forecast: {duration(whole)} of run time{_interval(times, level)}, "
            f"{duration(makespan(missing, slots))} on {slots} slots{cost}"
        )
    return text


def _largest(rows: Sequence[Planned], processes: int) -> str:
    """What the run with most memory needs, and how many devices hold it if one does not."""
    row = max(rows, key=lambda row: row.cost.memory_bytes)
    memory = row.cost.memory_bytes
    where = "one device" if processes == 1 else f"each of {processes} devices"
    text = f"largest run: {engineering(memory)}B of memory on {where}"
    if memory <= LARGE_DEVICE_BYTES:
        return text
    devices = devices_needed(row.run)
    held = "nor does any number" if devices is None else f"{devices} do, or more passes"
    return f"{text}, which 80 GB do not hold: {held}"


def _interval(times: Sequence[Estimate], level: str = "") -> str:
    """Ends of the interval of a sum whose errors go together, the worst case."""
    low, high = sum(t.low for t in times), sum(t.high for t in times)
    return f" ({duration(low)} to {duration(high)}{level})"


def compared(rows: Sequence[Planned], held_out: float | None) -> list[str]:
    """Forecast and actual wall time of those of `rows` that have ended since."""
    done = [row for row in rows if row.actual_s is not None and row.forecast_s is not None]
    width = max((len(row.run.run_id) for row in done), default=0)
    text = [
        f"{row.run.run_id:{width}}  forecast {duration(row.forecast_s)}"
        f"{_interval([row.time]) if row.time else ''}, "
        f"actual {duration(row.actual_s)}"
        for row in done[:MOST_LINES]
    ]
    if done:
        off = statistics.median(abs(row.forecast_s / row.actual_s - 1) for row in done)  # type: ignore[operator]
        text.append(f"forecast against actual: median absolute error {100 * off:.0f} %")
    if held_out is not None:
        held = "step times of shapes held out of the time model"
        text.append(f"{held}: median absolute error {100 * held_out:.0f} %")
    return text


def follow(outcomes: Iterable[Outcome], rows: Sequence[Planned]) -> None:
    """Show `outcomes` as they come: a progress bar on a terminal, a line each in a log."""
    # Shares of the work, for the ETA: training FLOPs are known without any measurement.
    weights = {row.run.run_id: float(row.columns["train_flops"]) for row in rows}
    if sys.stdout.isatty():
        _show_bar(outcomes, weights)
        return
    started, done, whole = time.monotonic(), 0.0, sum(weights.values())
    for number, outcome in enumerate(outcomes, 1):
        done += weights[outcome.run_id]
        left = (time.monotonic() - started) * (whole - done) / done
        print(f"[{number}/{len(rows)}] {ended(outcome)}, {duration(left)} left", flush=True)


def _show_bar(outcomes: Iterable[Outcome], weights: Mapping[str, float]) -> None:
    from rich import progress

    columns = (
        progress.BarColumn(),
        progress.TextColumn("{task.fields[done]}/{task.fields[runs]} runs"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("elapsed, left"),
        progress.TimeRemainingColumn(elapsed_when_finished=False),
    )
    with progress.Progress(*columns, speed_estimate_period=600) as bar:
        task = bar.add_task("", total=sum(weights.values()), done=0, runs=len(weights))
        for number, outcome in enumerate(outcomes, 1):
            bar.update(task, advance=weights[outcome.run_id], done=number)
            if outcome.status != "ok":
                bar.print(ended(outcome), markup=False)
