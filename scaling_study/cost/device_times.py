"""What is known about time on a device: finished runs, probes, and a prior if asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scaling_study.common.device import UNKNOWN, device_name
from scaling_study.common.errors import InputError
from scaling_study.common.validation import require, suggest
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_prior import fitted_without
from scaling_study.cost.devices import Device, devices, named, of_table
from scaling_study.cost.step_law import Prior
from scaling_study.cost.time_model import Estimate, Forecast, Timing, forecast_for, shape_of
from scaling_study.study.result import Result

# Costs that are blank until something is measured.
MEASURED = ("step_time_s", "forecast_s", "gpu_hours")
HOUR = 3600
# Above this median error on held-out shapes the user is warned about the time model.
ABSURD = 0.5


class UnmeasuredError(InputError):
    """A condition, a solve or a budget needs a time, and none was measured on this device."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: nothing has been measured on this device yet; "
            "plan.probe=true measures a few cells first"
        )


# What a forecast rests on.
MEASURED_TIMES, PRIOR_TIMES, BOTH = "measurements", "prior", "prior and measurements"


class Times:
    """Forecasts of runs by `processes` processes together with `threads` CPU threads each.

    `slots_per_gpu` runs share a GPU. `device` is the name of the device whose times count for runs
    of its class; empty: this machine's. A machine without a GPU plans for the only one that was
    measured. With `data_sheet` a prior of that device stands in for what was not measured on it.
    """

    def __init__(
        self,
        timings: Iterable[Timing],
        threads: int,
        processes: int = 1,
        slots_per_gpu: int = 1,
        device: str = "",
        data_sheet: Device | None = None,
    ) -> None:
        self._timings = list(timings)
        self._how = threads, processes, slots_per_gpu, device, data_sheet
        self.processes, self.data_sheet = processes, data_sheet
        self._others: dict[int, Times] = {}
        self._conditions: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._forecasts: dict[tuple[Any, ...], Forecast] = {}

    def only_with(self, timings: Sequence[Timing]) -> "Times":
        """Copy that uses only `timings` for each (device class, precision) they cover."""
        copy = self.with_timings(self._timings)
        for conditions in dict.fromkeys(timing.conditions for timing in timings):
            copy._conditions[_class_of(conditions[0]), conditions[1]] = conditions
            copy._forecasts[conditions] = forecast_for(timings, conditions)
        return copy

    def of_processes(self, processes: int) -> "Times":
        """Forecasts of runs that so many processes train together."""
        if processes == self.processes:
            return self
        if processes not in self._others:
            threads, _, sharing, device, sheet = self._how
            found = Times(self._timings, threads, processes, sharing, device, sheet)
            self._others[processes] = found
        return self._others[processes]

    def measured_only(self) -> "Times":
        """Forecasts of the same runs without a prior."""
        return Times(self._timings, *self._how[:-1])

    def with_timings(self, timings: Iterable[Timing]) -> "Times":
        """Forecasts of the same runs from other measurements."""
        return Times(timings, *self._how)

    def used(self) -> list[Timing]:
        """The measurements that forecasts use."""
        return [timing for forecast in self._forecasts.values() for timing in forecast.timings]

    def devices(self, kind: str) -> list[str]:
        """Names of the measured devices of a class (cpu, cuda)."""
        names = {timing.conditions[0] for timing in self._timings}
        return sorted(name for name in names if _class_of(name) == kind)

    def device(self, kind: str) -> str:
        """Name of the device whose times are used for runs on cpu or cuda."""
        *_, asked, _ = self._how
        if _class_of(asked) == kind:
            return asked
        here, known = device_name(kind), self.devices(kind)
        return known[0] if here == UNKNOWN and len(known) == 1 else here

    def conditions(self, run: RunConfig) -> tuple[Any, ...]:
        """Conditions that a measurement must share with `run` to forecast it."""
        key = run.device, run.precision
        if key not in self._conditions:
            self._conditions[key] = self.device(run.device), run.precision, *self._how[:2]
        return self._conditions[key]

    def forecast(self, run: RunConfig) -> Forecast:
        """The forecast under the run's conditions."""
        conditions = self.conditions(run)
        if conditions not in self._forecasts:
            prior = self._prior(run)
            self._forecasts[conditions] = forecast_for(self._timings, conditions, prior)
        return self._forecasts[conditions]

    def _prior(self, run: RunConfig) -> Prior | None:
        if self.data_sheet is None or run.device != "cuda":
            return None
        return fitted_without().prior(self.data_sheet, run.precision, self.processes)

    def basis(self, run: RunConfig) -> str | None:
        """What the run's forecast rests on; None if it is blank."""
        found = self.forecast(run)
        if found.prior is None:
            return MEASURED_TIMES if found.timings else None
        return BOTH if found.timings else PRIOR_TIMES

    def step(self, run: RunConfig, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of one training step of a run with these columns; None if unmeasured."""
        return self.forecast(run).step_time(shape_of(columns))

    def whole(self, run: RunConfig, columns: Mapping[str, Any]) -> Estimate | None:
        """Seconds of the whole run; None if nothing is measured."""
        return self.forecast(run).run_time(columns)

    def gpus(self, run: RunConfig) -> float:
        """GPUs that train a run together, or slots where it trains on the CPU.

        All of its processes have one each, or a share of one. With `slots_per_gpu` auto, which is
        known once it is launched, it counts as alone.
        """
        _, _, slots_per_gpu, *_ = self._how
        return self.processes / (max(1, slots_per_gpu) if run.device == "cuda" else 1)

    def gpu_hours(self, run: RunConfig, time: Estimate) -> Estimate:
        """Hours of all of its `gpus` that a run of this time (s) takes."""
        return time.times(self.gpus(run) / HOUR)

    def notes(self, runs: Iterable[RunConfig]) -> list[str]:
        """Lines for a user: whose times are used if not this machine's; models that fit badly."""
        lines = []
        for run in {(run.device, run.precision): run for run in runs}.values():
            used, known = self.device(run.device), self.devices(run.device)
            if self.data_sheet is not None:
                lines.append(self._about_prior(run, self.data_sheet))
            elif used != device_name(run.device):
                lines.append(f"forecast: times are those of {used}, not of this machine")
            elif used == UNKNOWN and known:
                lines.append(
                    "forecast: blank, because no GPU is visible here and several were measured: "
                    f"{', '.join(known)}; plan.device='{known[0]}' says whose times count"
                )
            error = self.forecast(run).held_out_error
            if error is not None and error > ABSURD:
                lines.append(
                    f"warning: times of {used} do not follow the time model: shapes held out of it "
                    f"are {100 * error:.0f} % off (median); if the machine was busy then, "
                    "plan.probe=true measures what was probed again"
                )
        return list(dict.fromkeys(lines))

    def _about_prior(self, run: RunConfig, sheet: Device) -> str:
        """What a forecast with a data sheet rests on, or why there is none."""
        if run.device != "cuda":
            return f"forecast: plan.device={sheet.name} is not used for device={run.device}"
        if (found := self.forecast(run)).prior is None:
            known = ", ".join(sheet.flops_per_s)
            return (
                f"forecast: blank, because the data sheet of {sheet.name} has no peak in "
                f"{run.precision}; precision={known.partition(', ')[0]} has (known: {known})"
            )
        measured = f" with {len(found.timings)} measurements" if found.timings else ""
        return (
            f"forecast: a prior of {sheet.name} from its data sheet{measured}, not this machine's "
            "times; docs/forecasts.md says how far off it may be"
        )


def _class_of(device: str) -> str:
    """Of a device's name: cpu or cuda."""
    return device.partition(":")[0]


def device_named(name: str, timings: Iterable[Timing]) -> tuple[str, Device | None]:
    """The device of this name, a measured one with its class or without, or one of the table.

    One of the table comes with its data sheet, and by the name under which it was measured, if it
    was. Raises an InputError for any other name.
    """
    known = sorted({str(timing.conditions[0]) for timing in timings})
    if found := [device for device in known if name in (device, device.partition(": ")[2])]:
        return found[0], None
    if (sheet := of_table(name)) is not None:
        measured = [device for device in known if named(device) == sheet]
        several = f"measured as {', '.join(measured)}; give one of these names"
        require(len(measured) <= 1, "plan.device", name, several)
        return (measured or [f"cuda: {sheet.name}"])[0], sheet
    near = suggest(name, known) or suggest(name.lower(), [*devices()])
    none = f"nothing was measured on such a device{near}"
    raise InputError(
        f"plan.device={name!r}: {none}; known: {', '.join(known) or 'none'}; "
        f"a prior is known of {', '.join(devices())}"
    )


def timings_of(results: Iterable[Result | None]) -> list[Timing]:
    """The measurements in those results that could be read."""
    return [t for r in results if r is not None and (t := Timing.of(vars(r))) is not None]
