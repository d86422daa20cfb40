"""Memory that a training step takes on a device, before anything is trained. No torch.

It is torch's allocations (not the resident set of a CPU process), within `models.memory.TOLERANCE`.
"""

from dataclasses import replace
from functools import cache

from scaling_study.config.evaluation import outputs
from scaling_study.config.recipe import TrainConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.normalisation import CHANNELS, FLOAT, normalisation_bytes
from scaling_study.models import family
from scaling_study.models.counting.counts import counts
from scaling_study.models.drop_path import dropping, with_drop_path
from scaling_study.models.family import ModelConfig
from scaling_study.models.forward_cost import cached_network
from scaling_study.models.layers import Shape
from scaling_study.models.memory import TOLERANCE, Footprint, footprint

# The device that `devices_needed` counts in: bytes of memory, of which a step may take all but a
# share for kernels' work space.
LARGE_DEVICE_BYTES, USABLE = 80e9, 1 - TOLERANCE


def memory_bytes(run: RunConfig, processes: int, augment_on: str = "cpu") -> int | None:
    """Most bytes that a training step has allocated on each device where `processes` share it.

    On a GPU the next batch is prepared meanwhile: normalised, and with `augment_on` device, as
    `loader.augment_on` says, augmented.
    """
    images = -(-run.train.batch_size // processes)
    joint = processes > 1
    peak = step_bytes(_memory(run), run.train, run.data.resolution, images, joint)
    if peak is None or (run.device != "cuda" and augment_on != "device"):
        return peak
    if augment_on != "device":
        return peak + normalisation_bytes(run, images)
    # Pillow and the policies, which no other plan needs.
    from scaling_study.cost.device_augmentation import augmentation_bytes

    return peak + augmentation_bytes(run, images)


def step_bytes(
    memory: Footprint, train: TrainConfig, side: int, images: int, joint: bool = False
) -> int | None:
    """Most bytes alive in a step on `images` of this side (px), of which a pass takes a part.

    All of them are on the device from the first pass to the last. `joint`: other processes train
    the same run. None if nothing is known.
    """
    kept, passing = train.optimizer_tensors
    in_pass = -(-images // train.accumulation)
    # Those of the passes before, or DDP's buckets, which it keeps from step to step.
    gradients_last = joint or train.accumulation > 1
    peak = memory.peak_bytes(in_pass, kept, passing, gradients_last)
    waiting = (images - in_pass) * CHANNELS * side**2 * FLOAT
    return None if peak is None else peak + waiting


def has_batch_norm(run: RunConfig) -> bool:
    """Whether the network has running statistics, as far as is known."""
    memory = _memory(run)
    return memory.buffers > 0 or not len(memory.fixed)


def devices_needed(run: RunConfig, device_bytes: float = LARGE_DEVICE_BYTES) -> int | None:
    """The least number of GPUs of this memory, 1, 2, 4, …, that hold a step as the recipe has it.

    None if two images, the least that batch norm takes, are too many for one, of a program, or if
    nothing is known.
    """
    if run.program is not None:
        return None
    on_gpu = replace(run, device="cuda")
    most, devices = run.train.batch_size // (2 * run.train.accumulation), 1
    while (memory := memory_bytes(on_gpu, devices)) is None or memory > USABLE * device_bytes:
        devices *= 2
        if devices > most:
            return None
    return devices


def _memory(run: RunConfig) -> Footprint:
    side, rate = run.data.resolution, run.train.drop_path
    return network_memory(run.model, side, outputs(run), run.precision, rate)


@cache
def network_memory(
    model: ModelConfig, side: int, outputs: int, precision: str, drop_path: float
) -> Footprint:
    """What a network takes for images of this side (px), with stochastic depth at this rate."""
    if family(model.family).build is not None:
        return counts(dropping(model, drop_path), outputs, side, precision).memory
    dropped = with_drop_path(cached_network(model, outputs), drop_path)
    return footprint(dropped.layers, Shape(3, side), precision)
