"""What a plan's GPU-hours cost besides time: energy, CO2, money; each only where asked for."""

from collections.abc import Sequence

from scaling_study.common.errors import InputError
from scaling_study.cost.device_times import Times
from scaling_study.cost.devices import Device, devices, named
from scaling_study.cost.time_model import COVERAGE, Estimate
from scaling_study.planning.labels import to_label
from scaling_study.planning.plan import Planned


def expense_lines(
    rows: Sequence[Planned],
    times: Times,
    energy: bool,
    kg_co2_per_kwh: float | None,
    price_per_gpu_hour: float | None,
) -> list[str]:
    """Lines about what the runs in `rows` will need; none where nothing was asked for.

    Energy is the limit of the board's power for as long as the runs take: an upper bound for the
    GPU, without its host and the cooling. CO2 (kg) is energy times the region's factor.

    InputError if the power of a board is asked for that the table of devices does not have.
    """
    hours = _hours(rows)
    asked = energy or kg_co2_per_kwh is not None
    if not rows or not (asked or price_per_gpu_hour is not None):
        return []
    if hours is None:
        return ["energy and price: blank, because the forecast is"]
    lines = []
    if asked:
        sheet = _device(rows, times)
        kwh = hours.times(sheet.watts / 1000)
        text = f"energy: {_about(kwh)} kWh at {sheet.watts:g} W, the board's limit, of {sheet.name}"
        lines.append(f"{text}, without host and cooling")
        if kg_co2_per_kwh is not None:
            kg = kwh.times(kg_co2_per_kwh)
            lines.append(f"CO2: {_about(kg)} kg at {kg_co2_per_kwh:g} kg/kWh")
    if price_per_gpu_hour is not None:
        text = f"at {price_per_gpu_hour:g} a GPU-hour"
        lines.append(f"price: {_about(hours.times(price_per_gpu_hour))} {text}")
    return lines


def _hours(rows: Sequence[Planned]) -> Estimate | None:
    """GPU-hours of all rows, and of labels that they need and that are not there; None if one is
    blank. Errors go together in the worst case.
    """
    every = [one.gpu_hours for part in (rows, to_label(rows)) for one in part]
    if len(found := [hours for hours in every if hours is not None]) < len(every):
        return None
    ends = (sum(getattr(hours, end) for hours in found) for end in ("value", "low", "high"))
    return Estimate(*ends)


def _device(rows: Sequence[Planned], times: Times) -> Device:
    """The data sheet of the device whose times count."""
    kind = rows[0].run.device
    sheet = times.data_sheet or named(times.device(kind))
    if sheet is None or kind != "cuda":
        raise InputError(
            f"plan.energy: the board's power of {times.device(kind)} is not in the table; "
            f"plan.device takes one of {', '.join(devices())}, for runs with device=cuda"
        )
    return sheet


def _about(estimate: Estimate) -> str:
    value, low, high = map(_number, (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high}, {100 * COVERAGE:g} %)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
