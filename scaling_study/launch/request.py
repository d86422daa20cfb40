"""What a run asks of a launcher."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scaling_study.launch.job import Job


@dataclass(frozen=True)
class Request:
    """A run to start, with forecasts of its seconds and of the memory on its device, in bytes.

    Forecasts are None if unknown. `failures` counts the causes of earlier attempts.
    """

    job: Job
    forecast_s: float | None = None
    memory_bytes: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
