"""Data sheets of accelerators: peaks, memory, bandwidth and power, as devices.csv has them."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("devices.csv")
# Which peaks count for a precision of ours, the first that the device has: convolutions in fp32 use
# TF32 where there is that, as torch's do by default.
PEAKS = {
    "bf16": ("bf16_tflops",),
    "fp16": ("fp16_tflops",),
    "fp32": ("tf32_tflops", "fp32_tflops"),
}
# What names begin with that drivers use.
VENDORS = ("nvidia ", "tesla ", "amd ")
# Bytes of an activation.
WIDTHS = {"bf16": 2, "fp16": 2, "fp32": 4}


@dataclass(frozen=True)
class Device:
    """One device as torch sees it: a GPU, a die of an MI250X, a core of a TPU.

    `driver_name` is a regular expression of what its driver calls it. `flops_per_s` are dense peaks
    by precision, without those that it lacks; memory in bytes, bandwidth in bytes a second, power
    of the board in watts.
    """

    name: str
    driver_name: str
    memory_bytes: float
    flops_per_s: dict[str, float]
    bytes_per_s: float
    watts: float
    source: str


@cache
def devices() -> dict[str, Device]:
    """All devices of the table by name."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return {row["device"]: _device(row) for row in csv.DictReader(file)}


def of_table(name: str) -> Device | None:
    """The device of the table that a person calls so, None if there is none: in any case, also with
    its memory, as in H100-80GB, or as its driver does, as in NVIDIA A100-SXM4-80GB."""
    plain = name.strip().lower()
    by_memory = {f"{d.name}-{d.memory_bytes / 1e9:g}gb": d for d in devices().values()}
    driver = named(f"cuda: {name.strip()}") if plain.startswith(VENDORS) else None
    return devices().get(plain) or by_memory.get(plain) or driver


def named(device: str) -> Device | None:
    """The device of the table that a driver calls so, as results name it; None if there is none."""
    kind, _, name = device.partition(": ")
    found = (d for d in devices().values() if kind == "cuda" and re.search(d.driver_name, name))
    return next(found, None)


def _device(row: dict[str, str]) -> Device:
    peaks = {precision: _first(row, columns) for precision, columns in PEAKS.items()}
    return Device(
        name=row["device"],
        driver_name=row["driver_name"],
        memory_bytes=float(row["memory_gb"]) * 1e9,
        flops_per_s={p: 1e12 * float(text) for p, text in peaks.items() if text},
        bytes_per_s=float(row["bandwidth_gb_s"]) * 1e9,
        watts=float(row["board_power_w"]),
        source=row["source"],
    )


def _first(row: dict[str, str], columns: tuple[str, ...]) -> str:
    return next((row[column] for column in columns if row[column]), "")
