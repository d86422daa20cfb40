"""What is known about time on this device: finished runs of the store, and probes."""

from collections.abc import Iterable, Mapping
from typing import Any

from scaling_study.config import RunConfig
from scaling_study.device import device_name
from scaling_study.errors import InputError
from scaling_study.forecast import Estimate, Forecast, Timing, forecast_for, shape_of
from scaling_study.results import Result

# Costs that are blank until something is measured.
MEASURED = ("step_time_s", "forecast_s", "gpu_hours")
HOUR = 3600


class UnmeasuredError(InputError):
    """A condition, a solve or a budget asks for a time, and none is measured on this device."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: nothing has been measured on this device yet; "
            "plan.probe=true measures a few cells first"
        )


class Times:
    """Forecasts of runs by `processes` processes together with `threads` CPU threads each."""

    def __init__(self, timings: Iterable[Timing], threads: int, processes: int = 1) -> None:
        self._timings = list(timings)
        self._together = threads, processes
        self._conditions: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._forecasts: dict[tuple[Any, ...], Forecast] = {}

    def conditions(self, run: RunConfig) -> tuple[Any, ...]:
        """What must agree for a measurement to say something about `run`."""
        key = run.device, run.precision
        if key not in self._conditions:
            self._conditions[key] = (device_name(run.device), run.precision, *self._together)
        return self._conditions[key]

    def forecast(self, run: RunConfig) -> Forecast:
        """What is known under the run's conditions."""
        conditions = self.conditions(run)
        if conditions not in self._forecasts:
            self._forecasts[conditions] = forecast_for(self._timings, conditions)
        return self._forecasts[conditions]

    def step(self, run: RunConfig, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of one training step of a run with these columns; None if unmeasured."""
        return self.forecast(run).step_time(shape_of(columns))

    def whole(self, run: RunConfig, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of the whole run; None if nothing is measured."""
        return self.forecast(run).run_time(columns)


def timings_of(results: Iterable[Result]) -> list[Timing]:
    """The measurements in finished runs."""
    return [t for r in results if (t := Timing.of(vars(r))) is not None]
