"""Trackers by name, and what commands ask of them."""

from scaling_study.common.errors import InputError
from scaling_study.common.extensions import declared, module_names
from scaling_study.config.tracking import Tracking
from scaling_study.tracking import trackers
from scaling_study.tracking.base import Tracker


def tracker(name: str) -> Tracker:
    """The tracker called `name`: a module of `trackers`, or with a dot any module's import path.

    Raises an InputError if there is none.
    """
    return declared("tracking.name", name, Tracker, trackers, "my_trackers.my_tracker")


def check(tracking: Tracking) -> None:
    """Raise an InputError unless what the user asked for can work; nothing is sent."""
    chosen = tracker(tracking.name)
    for option in tracking.requests:
        if option not in chosen.options:
            able = [name for name in module_names(trackers) if option in tracker(name).options]
            raise InputError(
                f"tracking.{option}=true: not with tracking={tracking.name}; "
                f"with tracking={' or '.join(able)}"
            )
    chosen.check(tracking)
