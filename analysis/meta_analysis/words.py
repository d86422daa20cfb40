"""A summary as text, `WIDTH` columns wide."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from analysis.meta_analysis.entries import Entry
from analysis.meta_analysis.pool import PooledRule
from analysis.meta_analysis.records import rows
from analysis.stats.random_effects import FEWEST
from analysis.study.step_times import STEP_TIME
from scaling_study.common.format import cut

WIDTH = 80


def lines(
    entries: Sequence[Entry], pooled: Sequence[PooledRule], rest: Sequence[str]
) -> Iterator[str]:
    """Every rule with its effects and what they say together; then what to know of the studies."""
    count = len({e.data_set for e in entries})
    sets = "one data set" if count == 1 else f"{count} data sets"
    yield f"{len(entries)} studies of {sets}; effects with 95 % intervals"
    for p in pooled:
        yield ""
        yield from _wrapped(f"{p.rule.name}: {p.about}", "  ")
        yield from (_row(p, label, values) for _, label, values in rows(p))
        yield from _wrapped(f"  {_sentence(p)}", "  ")
    yield ""
    yield from (line for note in _notes(entries, pooled, rest) for line in _wrapped(note, "  "))


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _row(p: PooledRule, label: str, values: Mapping[str, float | None]) -> str:
    value, low, high = (values[name] for name in ("estimate", "low", "high"))
    digits = _digits(p)
    ends = ", ".join(f"{p.factor * (end or 0.0):.{digits}f}" for end in (low, high))
    shown = "" if value is None else f"{p.factor * value:+.{digits}f}{p.unit} "
    numbers = f"{shown}[{ends}]"
    room = WIDTH - len(numbers) - 3
    return f"  {cut(label, room):<{room}} {numbers}"


def _digits(p: PooledRule) -> int:
    """Digits after the point with which the narrowest interval of a study has two."""
    ends = [s.effect.interval for s in p.studies]
    half = p.factor * min(high - low for low, high in ends) / 2
    return max(0, 1 - math.floor(math.log10(half))) if half > 0 else 1


def _sentence(p: PooledRule) -> str:
    """What the effects say on average, of differences between data sets, and of a new one."""
    r = p.together
    if r is None:
        return f"All of it is {next(iter(p.data_sets))}; nothing is known of other data."
    low, high = r.mean.interval
    average = (
        "On average it cannot be told from 0"
        if low <= 0 <= high
        else f"On average it is {'above' if low > 0 else 'below'} 0"
    )
    if r.new is None:
        return f"{average}. Of a new data set {FEWEST} or more would say something."
    low, high = r.new
    above = 100 * (1 - r.share_below(0.0))
    new = (
        f"in a new data set it may be of either sign, above 0 with {above:.0f} % confidence"
        if low <= 0 <= high
        else f"in a new data set it would be {'above' if low > 0 else 'below'} 0 as well"
    )
    first, last = r.tau_interval
    digits = _digits(p)
    ends = ", ".join(f"{p.factor * end:.{digits}f}" for end in (first, last))
    spread = f"Data sets differ by an SD of {p.factor * r.tau:.{digits}f}{p.unit} [{ends}]."
    return f"{average}; {new}. {spread}"


def _notes(
    entries: Sequence[Entry], pooled: Sequence[PooledRule], rest: Sequence[str]
) -> Iterator[str]:
    for data_set, count in Counter(e.data_set for e in entries).items():
        if count > 1:
            names = ", ".join(e.name for e in entries if e.data_set == data_set)
            yield (
                f"{names} are of one data set, {data_set}, and count as one; if they are not, "
                "--data-set STUDY=NAME says so"
            )
    if open_ := [e.name for e in entries if e.exploratory]:
        yield f"exploratory by their own rules: {', '.join(open_)}"
    devices = {e.device for e in entries}
    if len(devices) > 1 and any(p.rule.cost == STEP_TIME for p in pooled):
        yield "step times are those of different devices; --cost flops compares at equal FLOPs"
    if rest:
        yield f"with an effect in one study or none: {', '.join(rest)}"
