"""Messages of a sweep, on request: it has ended, or has stopped because its runs fail alike."""

from scaling_study.common.errors import InputError
from scaling_study.config.tracking import Tracking
from scaling_study.launch.base import Launcher
from scaling_study.tracking.announce import send_alert
from scaling_study.tracking.base import Alert


def check(tracking: Tracking, launcher: Launcher) -> None:
    """Raise an InputError where a sweep has ended before its runs have."""
    if tracking.alerts and launcher.leaves_jobs:
        raise InputError(
            f"tracking.alerts=true: with launcher={launcher.name} a sweep ends when its jobs are "
            "in the queue; with launcher=local or inline it ends with its runs"
        )


def say_ended(tracking: Tracking, text: str, failed: int) -> None:
    """`text` sums up what became of the runs, `failed` of which failed."""
    title = f"{tracking.study}: the sweep has ended"
    send_alert(tracking, Alert(title, text, "WARN" if failed else "INFO"))


def say_repeated(tracking: Tracking, error: str) -> None:
    """The sweep has stopped because its first runs failed alike."""
    title = f"{tracking.study}: stopped, runs fail alike"
    send_alert(tracking, Alert(title, error, "ERROR"))
