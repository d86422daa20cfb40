"""Places for runs on one machine: GPUs, shares of GPUs, CPU cores."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scaling_study.common.device import cpu_cores, gpu_memory_bytes, visible_gpus
from scaling_study.common.errors import InputError

# The value of `slots` and `slots_per_gpu` for `auto`.
AUTO = -1
# Of a GPU's memory, this share may be forecast to be used: allocators fragment, contexts take some.
USABLE = 0.9
# GPU memory of a process beyond its tensors: the CUDA context and libraries.
CONTEXT_BYTES = 600_000_000


@dataclass(frozen=True)
class Slot:
    """A place for one run at a time: the environment that confines the run to it."""

    name: str
    environment: Mapping[str, str]


def slots_for(
    devices: Sequence[str],
    wanted: int,
    threads: int,
    slots_per_gpu: int = 1,
    memory_bytes: Sequence[int | None] = (),
) -> list[Slot]:
    """`wanted` slots for runs on `devices` (cpu, cuda, mps); with AUTO, as many as fit.

    With `slots_per_gpu` AUTO a GPU gets as many as hold the largest of `memory_bytes`, what the
    runs are forecast to need there; one, if a forecast is missing.

    Raises an InputError if a run wants a GPU that is not here.
    """
    if "cuda" in devices:
        if not (gpus := visible_gpus()):
            raise InputError("device=cuda: no GPU is visible here; device=cpu trains on the CPU")
        slots = gpu_slots(gpus, _fitting(memory_bytes) if slots_per_gpu == AUTO else slots_per_gpu)
        return slots if wanted == AUTO else slots[:wanted]
    if "mps" in devices:
        check_mps()
        return cpu_slots(1 if wanted == AUTO else wanted)  # all share the one GPU
    return cpu_slots(max(1, cpu_cores() // threads) if wanted == AUTO else wanted)


def check_mps() -> None:
    """Raises an InputError on machines without Apple's GPU."""
    if (sys.platform, platform.machine()) != ("darwin", "arm64"):
        raise InputError("device=mps: only Macs with Apple silicon have it; device=cpu trains here")


def _fitting(memory_bytes: Sequence[int | None]) -> int:
    """Runs of these forecast needs that the smallest GPU here holds together; 1 if unknown."""
    needs = [need for need in memory_bytes if need is not None]
    if not needs or len(needs) < len(memory_bytes) or not (sizes := gpu_memory_bytes()):
        return 1
    return max(1, int(USABLE * min(sizes) // (max(needs) + CONTEXT_BYTES)))


def cpu_slots(n: int) -> list[Slot]:
    """`n` slots of one CPU thread (or more, by the job's setting) without a GPU."""
    return [Slot(f"cpu{i}", {"CUDA_VISIBLE_DEVICES": ""}) for i in range(n)]


def gpu_slots(gpus: Sequence[str], each: int = 1) -> list[Slot]:
    """`each` slots for every GPU index or UUID, in an order that fills all GPUs evenly."""
    return [
        Slot(f"gpu{gpu}.{share}" if each > 1 else f"gpu{gpu}", {"CUDA_VISIBLE_DEVICES": gpu})
        for share in range(each)
        for gpu in gpus
    ]
