"""What this machine trains on, found without torch."""

import math
import os
import platform
import re
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path

from scaling_study.common.processes import said

# An index or a UUID, as CUDA_VISIBLE_DEVICES has them.
GPU = re.compile(r"\d+|(GPU|MIG)-.+")
# Compute capability (Ampere) from which on GPUs multiply bf16, and any that is lower.
BF16_SINCE, BEFORE_BF16 = 8.0, 7.5
# Names of GPUs up to Turing, for drivers that do not tell the compute capability.
OLDER_GPU = re.compile(
    r"\b(V100S?|T4|TITAN|GTX|P100|P40|P4|K80|M60|RTX 20[678]0|Quadro RTX [3-8]000)\b", re.IGNORECASE
)
# Name of a GPU where there is none.
UNKNOWN = "cuda: unknown"
# Where runs train: a processor, NVIDIA's and AMD's GPUs, Apple's GPUs.
DEVICES = ("cpu", "cuda", "mps")
# In the environment of a run in a pool: the CPU cores of its slot.
CORES_OF_SLOT = "SCALING_STUDY_CORES"


@cache
def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def visible_gpus() -> list[str]:
    """Indices or UUIDs of the GPUs that a run may use, one string each."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        gpus = [gpu.strip() for gpu in visible.split(",")]
        # As in CUDA itself, what is no GPU hides what comes after it: -1, or SLURM's NoDevFiles.
        return list(takewhile(GPU.fullmatch, gpus))
    return [str(index) for index, _ in enumerate(_of_gpus("name"))]


@cache
def _of_gpus(column: str) -> list[str]:
    """What nvidia-smi says of each GPU; empty if there is none."""
    command = ["nvidia-smi", f"--query-gpu={column}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split("\n")[:-1]


def gpu_memory_bytes() -> list[int]:
    """Memory of each GPU of this machine; empty if there is none."""
    try:
        return [int(mebibytes) << 20 for mebibytes in _of_gpus("memory.total")]
    except ValueError:
        return []


def cpu_cores() -> int:
    """CPU cores that this process may use: by its affinity, its container, and its SLURM job."""
    allowed = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if allowed else os.cpu_count() or 1
    if "SLURM_JOB_ID" in os.environ:
        given = os.environ.get("SLURM_CPUS_PER_TASK", "")
        cores = min(cores, int(given) if given.isdecimal() else cores)
    return max(1, int(min(cores, container_cores())))


def cores_of_run() -> int:
    """CPU cores of a run in a pool, which shares those of the machine with other slots."""
    share = os.environ.get(CORES_OF_SLOT, "")
    return min(cpu_cores(), int(share)) if share.isdecimal() else cpu_cores()


def container_cores(
    mount: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float:
    """CPU time a second that the control groups above this process allow; inf without a limit.

    Both versions: cpu.max of the one hierarchy, and cpu.cfs_quota_us of the controller cpu.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = mount / controllers
        folder = base / path.strip("/")
        # In a container the path may be that on its host, which is not mounted there.
        for one in (base, *(f for f in (folder, *folder.parents) if base in f.parents)):
            limits.append(_quota(one))
    return min(limits)


def _quota(group: Path) -> float:
    """Cores that one control group allows."""
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((group / n).read_text(encoding="ascii").strip() for n in names)
        return math.inf if quota in ("max", "-1") else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def device_name(device: str) -> str:
    """Class and model, as in 'cpu: AMD EPYC' or 'cuda: NVIDIA H100'; times compare within it."""
    if device == "cuda":
        names = _of_gpus("name")
        return f"cuda: {names[0]}" if names else UNKNOWN
    models = [line for line in _cpuinfo().split("\n") if line.startswith("model name")]
    model = models[0].split(":", 1)[1].strip() if models else _apple_chip() or platform.machine()
    return f"{device}: {model}"


@cache
def _apple_chip() -> str:
    """As in Apple M2: its GPU has no name of its own. Empty on other machines."""
    return said("sysctl", "-n", "machdep.cpu.brand_string").strip()


def best_precision(device: str) -> str:
    """The fast half precision that the device multiplies in hardware, or fp32 where it has none.

    GPUs have bf16 from compute capability 8.0 on, and fp16 before: a V100 or a T4 has no bf16
    convolutions. With several the oldest decides. Where no GPU can be asked, as on a login node,
    it is bf16. CPUs emulate bf16, slowly, unless they have instructions for it. Apple's GPUs train
    in fp32 until somebody has measured what they gain by less.
    """
    if device == "mps":
        return "fp32"
    if device == "cuda":
        known = [capability for capability in _compute_capabilities() if capability is not None]
        return "bf16" if min(known, default=BF16_SINCE) >= BF16_SINCE else "fp16"
    return "bf16" if any(flag in _cpuinfo() for flag in ("avx512_bf16", "amx_bf16")) else "fp32"


def _compute_capabilities() -> list[float | None]:
    """Of each GPU; None where neither the driver nor the GPU's name says it."""
    if answers := _of_gpus("compute_cap"):
        return [_number(answer) for answer in answers]
    # Drivers before 510 do not know the column.
    names = _of_gpus("name")
    return [BEFORE_BF16 if OLDER_GPU.search(name) else None for name in names]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
