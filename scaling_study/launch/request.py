"""What a run asks of a machine."""

from collections.abc import Mapping
from dataclasses import dataclass

from scaling_study.launch.job import Job


@dataclass(frozen=True)
class Request:
    """A run to submit: forecast of its seconds and host memory, None if unknown, and its past."""

    job: Job
    forecast_s: float | None
    memory_bytes: int | None
    failures: Mapping[str, int]
