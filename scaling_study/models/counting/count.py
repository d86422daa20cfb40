"""Parameters, FLOPs, activations and memory of a module, counted by torch without computing.

The module is built on torch's meta device, which has shapes and no numbers, and runs forward with
`shapes`. One pass with BATCH images is enough: BATCH is prime, so whatever has a multiple of it is
in proportion to the images.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from scaling_study.common.errors import InputError
from scaling_study.models.counting.backward import Amount, peaks, storage
from scaling_study.models.counting.counts import Counts
from scaling_study.models.counting.shapes import Shaped, WithoutNumbers, strip
from scaling_study.models.memory import Footprint
from scaling_study.models.shapes_alone import shapes_alone

# More than any layer has channels for, and prime.
BATCH = 10_007
LOWER = {"bf16": torch.bfloat16, "fp16": torch.float16}


def counted(
    build: Callable[[], nn.Module], outputs: int, resolution: int, precision: str
) -> Counts:
    """The costs of the module for square images; `missing` says why some could not be counted.

    InputError if the module gives something else than `outputs` numbers for an image.
    """
    reasons = []
    for numbers in (shapes_alone, nullcontext):
        # Some modules need numbers when they are built.
        with torch.random.fork_rng(devices=[]):
            try:
                with numbers():
                    module = build()
            except InputError:
                raise
            except Exception:
                if numbers is nullcontext:
                    raise
                continue
        try:
            costs, steps = _forward(module, outputs, resolution, precision)
        except InputError:
            raise
        except Exception as error:  # nor do some that run
            reasons.append(f"{type(error).__name__}: {error}".partition("\n")[0])
            continue
        return _counts(module, costs, steps)
    why = f"torch cannot run it without numbers ({reasons[0]})"
    return _counts(module, None, [], why)


def _counts(
    module: nn.Module, costs: "Costs | None", steps: list[Amount], missing: str = ""
) -> Counts:
    weights = list(module.parameters())
    state = module.state_dict()
    names = {name for name, _ in module.named_parameters()}
    memory = Footprint(
        weights=sum(map(_bytes, weights)),
        buffers=sum(_bytes(tensor) for name, tensor in state.items() if name not in names),
        tensors=len(state),
        fixed=np.array([step.fixed for step in steps], dtype=np.float64),
        per_image=np.array([step.per_image for step in steps], dtype=np.float64),
    )
    if costs is not None and not costs.flops:
        missing = "torch's counter knows none of its operations"
    return Counts(
        params=sum(weight.numel() for weight in weights if weight.requires_grad),
        flops=(costs and costs.flops) or None,
        activations=(costs and costs.activations) or None,
        memory=memory,
        missing=missing,
    )


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


class Costs:
    """FLOPs of a forward pass by the formulas of torch's counter, and outputs of convolutions.

    Both are those of one image.
    """

    def __init__(self) -> None:
        self.flops = self.activations = 0
        aten = torch.ops.aten
        self._formulas = dict(flop_registry)
        # The counter has formulas for the other kernels of attention, but not for the CPU's.
        self._formulas[aten._scaled_dot_product_flash_attention_for_cpu] = _attention
        self._convolutions = {aten.convolution, aten._convolution}

    def add(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Count an operation."""
        packet = func._overloadpacket
        if (formula := self._formulas.get(packet)) is not None:
            self.flops += _of_one_image(formula(*args, **kwargs, out_val=out))
        if packet in self._convolutions:
            self.activations += _of_one_image(out.numel())


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    count = sdpa_flop_count(query.shape, key.shape, value.shape)  # type: ignore[no-untyped-call]
    return int(count)


def _of_one_image(number: int) -> int:
    """Of BATCH images; what is no multiple does not depend on their number."""
    return number if number % BATCH else number // BATCH


def _forward(
    module: nn.Module, outputs: int, resolution: int, precision: str
) -> tuple[Costs, list[Amount]]:
    """Costs of a training step's forward pass, and the memory at the operations of its backward."""
    costs = Costs()
    # As most recipes have it; the other layout takes as much, but for copies in a few operations.
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    strip(module)
    pixels = torch.empty(BATCH, 3, resolution, resolution, device="meta")
    images = Shaped(pixels.contiguous(memory_format=torch.channels_last))
    labels = Shaped(torch.empty(BATCH, dtype=torch.int64, device="meta"))
    with (
        WithoutNumbers(costs.add),
        torch.autocast("cpu", LOWER.get(precision), enabled=precision in LOWER),
    ):
        found = module(images)
        if not isinstance(found, Tensor) or found.shape != (BATCH, outputs):
            shape = [*getattr(found, "shape", [type(found).__name__])]
            accepted = f"the network of a run gives ({BATCH}, {outputs})"
            raise InputError(f"model: {BATCH} images give {shape}; {accepted}")
        loss = cross_entropy(found, labels)
        lasting = {storage(tensor) for tensor in (*module.parameters(), *module.buffers(), images)}
        of_images = Amount(_bytes(images) // BATCH, 0)
        steps = [step + of_images for step in peaks(loss.grad_fn, lasting, BATCH)]
    return costs, steps
