"""Numbers and durations as text, and texts that fit a column."""


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
