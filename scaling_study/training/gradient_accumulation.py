"""A step's gradients from as many forward passes as memory allows.

A pass sees a micro-batch. Their number is the recipe's `accumulation`, doubled each time memory
runs out: the gradient is that of the same batch, only batch norm sees fewer images at a time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scaling_study.common.ranks import World
from scaling_study.training import gpu_queue
from scaling_study.training.distributed import total, without_averaging
from scaling_study.training.out_of_memory import HalvingsFile, gpu_memory_ran_out

# Batch norm needs more than one image.
SMALLEST = 2
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
Scale = Callable[[Tensor], Tensor]


class MicroBatches:
    """Backward passes over one process's `share` (images) of each batch.

    `loss` gives the mean loss of a micro-batch in the network that it gets. Where several processes
    train, a step that runs out of memory fails, and `file` keeps the remedy for the next attempt.
    """

    def __init__(
        self, module: nn.Module, loss: Loss, share: int, accumulation: int, file: HalvingsFile
    ) -> None:
        self._module, self._loss, self._share = module, loss, share
        self._accumulation, self._halvings_file, self.halvings = accumulation, file, file.read()
        self._buffers = _by_type(module.buffers())
        self._saved = [[torch.empty_like(b) for b in alike] for alike in self._buffers]

    @property
    def passes(self) -> int:
        """Forward passes of one step."""
        return self._accumulation << self.halvings

    @property
    def size(self) -> int:
        """Images of the largest micro-batch."""
        return -(-self._share // self.passes)

    def backward(
        self, network: nn.Module, images: Tensor, labels: Tensor, seed: int, scale: Scale
    ) -> Tensor:
        """Add the gradients of this share's mean loss to those that are there; returns the loss.

        `seed` seeds torch's generator, which dropout and stochastic depth draw from. RuntimeError
        if even the smallest micro-batch does not fit, or memory runs out in a joint step.
        """
        _copy(self._saved, self._buffers)
        joint = network is not self._module and dist.is_initialized()
        while True:
            gpu_queue.seed(images.device.type, seed)
            try:
                return self._passes(network, images, labels, scale)
            except RuntimeError as error:
                if not gpu_memory_ran_out(error) or not self._can_halve():
                    raise
                if joint:  # the other ranks wait in the middle of it
                    self._halvings_file.write(self.halvings + 1)
                    raise
            # Out of the handler, so that nothing holds the failed pass's activations any more.
            self._restore()
            self._halve()

    def find_size(self, images: Tensor, labels: Tensor, world: World, kept: int) -> None:
        """Halve until a step fits on every rank, before they depend on each other in one.

        A rank that ran out of memory in the middle of a joint step would leave the others waiting.
        There is room left for `kept` more tensors of each weight's size in the optimizer; gradients
        are as large as the buckets that will replace them. There are no gradients before or after;
        statistics stay as they were.
        """
        _copy(self._saved, self._buffers)
        while True:
            failed = torch.zeros((), device=images.device)
            try:
                self._probe(images, labels, kept)
            except RuntimeError as error:
                if not gpu_memory_ran_out(error):
                    raise
                failed += 1
            self._restore()
            if not total(failed, world):
                return
            if not self._can_halve():
                raise torch.OutOfMemoryError(
                    f"no memory for {self.size} images at a time in every process"
                )
            self._halve()

    def _probe(self, images: Tensor, labels: Tensor, kept: int) -> None:
        """A step's passes while the memory that the optimizer will need is allocated."""
        _room = [torch.empty_like(w) for w in self._module.parameters() for _ in range(kept)]
        self._passes(self._module, images, labels, lambda loss: loss)

    def _passes(self, network: nn.Module, images: Tensor, labels: Tensor, scale: Scale) -> Tensor:
        passes, losses = self.passes, []
        pairs = zip(images.tensor_split(passes), labels.tensor_split(passes), strict=True)
        for number, (part, wanted) in enumerate(pairs, start=1):
            with nullcontext() if number == passes else without_averaging(network):
                loss = self._loss(network, part, wanted) * (len(part) / len(images))
                scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _can_halve(self) -> bool:
        return self._share // (2 * self.passes) >= SMALLEST

    def _restore(self) -> None:
        """Back to the start of the step: no gradients, and the running statistics of before."""
        for parameter in self._module.parameters():
            parameter.grad = None
        _copy(self._buffers, self._saved)

    def _halve(self) -> None:
        self.halvings += 1
        torch.cuda.empty_cache()
        print(
            f"warning: memory ran out; {self.passes} forward passes a step of at most {self.size} "
            "images from now on, so batch norm sees fewer at a time",
            flush=True,
        )


def _by_type(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """The tensors of each type together: of mixed ones torch copies one after the other."""
    found = defaultdict[torch.dtype, list[Tensor]](list)
    for tensor in tensors:
        found[tensor.dtype].append(tensor)
    return [*found.values()]


def _copy(to: list[list[Tensor]], source: list[list[Tensor]]) -> None:
    """Copy tensors in place."""
    for copies, originals in zip(to, source, strict=True):
        torch._foreach_copy_(copies, originals)
