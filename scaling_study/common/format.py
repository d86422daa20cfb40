"""Numbers and durations as text, and texts that fit a screen or a column."""

import shutil
import sys
import textwrap


def cut(text: str, width: int) -> str:
    """The text in at most `width` characters; what is cut off is marked."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def engineering(value: float) -> str:
    """1.23M and the like."""
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """7.4s, 3:05 min or 12.5 h; blank for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    return f"{seconds / 3600:.1f} h"


def screen_width() -> int:
    """Columns of the terminal, or of one that is not there: 80."""
    return shutil.get_terminal_size((80, 24)).columns


def fitted(text: str, start: str = "", indent: int | None = None) -> str:
    """The text after `start`; on a terminal in lines that fit it, no word broken.

    Lines after the first begin with `indent` spaces, by default as many as `start` has characters.
    In a file or a pipe a line stays whole, so that it can be searched for.
    """
    if not sys.stdout.isatty():
        return start + text
    hanging = " " * (len(start) if indent is None else indent)
    return textwrap.fill(
        text,
        screen_width(),
        initial_indent=start,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
