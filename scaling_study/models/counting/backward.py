"""Memory of the backward pass, from the graph that autograd has made of the forward pass.

The graph is walked in the order of torch's engine: of the operations whose gradients are there, the
latest first. Alive are the tensors that operations still to come have saved, the gradients that
wait for them or are made by the present one, and the gradients of the weights made by then.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

from scaling_study.models.counting.shapes import Shaped
from scaling_study.models.memory import FP32

# The gradient that these pass on is the one they get.
PASSED_ON = {
    *("AddBackward0", "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"),
    *("TransposeBackward0", "TBackward0", "PermuteBackward0", "UnsqueezeBackward0"),
    *("SqueezeBackward0", "SqueezeBackward1", "AliasBackward0", "CloneBackward0"),
}
# oneDNN has kernels of their own for depthwise filters up to this side, and blocks of channels.
LARGEST_OWN_KERNEL, BLOCK = 3, 16
WEIGHT = "torch::autograd::AccumulateGrad"


class Amount(NamedTuple):
    """Bytes: `fixed`, and those in proportion to the images, `per_image`."""

    per_image: int
    fixed: int

    def __add__(self, other: Any) -> "Amount":
        per_image, fixed = other
        return Amount(self.per_image + per_image, self.fixed + fixed)


def amount(size: int, batch: int) -> Amount:
    """Of a tensor of `size` bytes in a pass with `batch` images, a prime number."""
    return Amount(0, size) if size % batch else Amount(size // batch, 0)


class Gradient:
    """A gradient in memory, and how many operations it waits for."""

    def __init__(self, size: Amount) -> None:
        self.size, self.waits = size, 0


def peaks(root: Any, lasting: set[int], batch: int) -> list[Amount]:
    """What is alive at the operations of the backward pass that begins at the node `root`.

    `lasting` are the storages that are there anyway. Of all operations only those are listed at
    which the most is alive for some number of images.
    """
    walk = _Walk(root, lasting, batch)
    walk.run()
    return envelope(walk.steps)


class _Walk:
    """The state of the backward pass: `alive` is what is in memory now."""

    def __init__(self, root: Any, lasting: set[int], batch: int) -> None:
        self._batch, self._root = batch, root
        self._inputs = Counter[Any]()  # gradients that each node still waits for
        self._saved: dict[Any, list[int]] = {}  # storages that each node has saved
        self._sizes: dict[int, Amount] = {}
        self._users = Counter[int]()
        self.alive, self.steps = Amount(0, 0), list[Amount]()
        self._look_at(root, lasting)

    def _look_at(self, root: Any, lasting: set[int]) -> None:
        to_do = [root]
        while to_do:
            node = to_do.pop()
            if node in self._saved:
                continue
            self._saved[node] = []
            for tensor in _saved_by(node):
                key = storage(tensor)
                if key in lasting or key in self._saved[node]:
                    continue
                self._saved[node].append(key)
                self._users[key] += 1
                if key not in self._sizes:
                    size = tensor.meta.untyped_storage().nbytes()
                    self._sizes[key] = amount(size, self._batch)
                    self.alive += self._sizes[key]
            for child, _ in node.next_functions:
                if child is not None:
                    self._inputs[child] += 1
                    to_do.append(child)

    def run(self) -> None:
        """Go through all operations."""
        waiting: dict[Any, dict[int, Gradient]] = {self._root: {0: Gradient(Amount(0, 0))}}
        waiting[self._root][0].waits = 1
        order, ready = 0, [(0, 0, self._root)]
        while ready:
            *_, node = heapq.heappop(ready)
            got = waiting.pop(node, {})
            if node.name() == WEIGHT:
                continue  # the gradient stays
            for child, gradient, place in self._made(node, got):
                self._hand_over(waiting.setdefault(child, {}), place, gradient)
            self.steps.append(self.alive + Amount(0, _work_space(node)))
            for gradient in got.values():
                self._drop(gradient)
            for key in self._saved[node]:
                self._users[key] -= 1
                if not self._users[key]:
                    self._free(self._sizes[key])
            for child, _ in node.next_functions:
                if child is not None:
                    self._inputs[child] -= 1
                    if not self._inputs[child]:
                        order += 1
                        first = child.name() == WEIGHT
                        rank = -1 if first else 2**62 - child._sequence_nr()
                        heapq.heappush(ready, (rank, order, child))

    def _made(self, node: Any, got: dict[int, Gradient]) -> Iterator[tuple[Any, Gradient, int]]:
        """The gradients that a node makes, for which node, and which of its inputs they are."""
        for child, place in node.next_functions:
            if child is None:
                continue
            size = _size(child, place, self._batch)
            same = [gradient for gradient in got.values() if gradient.size == size]
            if node.name() in PASSED_ON and same:
                yield child, same[0], place
            else:
                self.alive += size
                yield child, Gradient(size), place

    def _hand_over(self, waiting: dict[int, Gradient], place: int, gradient: Gradient) -> None:
        """Add a gradient to the one that waits already, in place unless others wait for that."""
        there = waiting.get(place)
        if there is None:
            waiting[place] = gradient
            gradient.waits += 1
            return
        if there.waits > 1:
            waiting[place] = Gradient(there.size)
            waiting[place].waits = 1
            self.alive += there.size
            self.steps.append(self.alive)
            self._drop(there)
        if not gradient.waits:
            self._free(gradient.size)

    def _drop(self, gradient: Gradient) -> None:
        gradient.waits -= 1
        if not gradient.waits:
            self._free(gradient.size)

    def _free(self, size: Amount) -> None:
        self.alive += Amount(-size.per_image, -size.fixed)


def _work_space(node: Any) -> int:
    """Bytes that a kernel of the CPU takes for itself: oneDNN's for large depthwise filters.

    It has their gradient in blocks of 16 x 16 channels, of which a group of one channel fills one.
    """
    if node.name() != "ConvolutionBackward0" or node._saved_groups == 1:
        return 0
    out, per_group, *filters = node._saved_weight.shape
    if max(filters) <= LARGEST_OWN_KERNEL:
        return 0
    blocks = -(-out // node._saved_groups // BLOCK) * -(-per_group // BLOCK)
    return int(node._saved_groups * blocks * BLOCK**2 * math.prod(filters) * FP32)


def _size(node: Any, place: int, batch: int) -> Amount:
    """Bytes of the gradient that a node gets at `place`."""
    if node.name() == WEIGHT:
        weight: Tensor = node.variable
        return amount(weight.numel() * weight.element_size(), batch)
    about = node._input_metadata[place]
    return amount(math.prod(about.shape) * about.dtype.itemsize, batch)


@cache
def _names(kind: type) -> list[str]:
    """The attributes of a kind of node that hold saved tensors."""
    raw = "_raw_saved_"
    return [name.replace(raw, "_saved_") for name in dir(kind) if name.startswith(raw)]


def storage(tensor: Any) -> int:
    """Names the memory that a tensor without numbers would lie in."""
    return int(tensor.meta.untyped_storage()._cdata)


def _saved_by(node: Any) -> Iterator[Shaped]:
    kind: Any = type(node)
    found: list[Any] = [getattr(node, name) for name in _names(kind)]
    found += getattr(node, "saved_tensors", ())  # of a function written in Python
    for part in found:
        for tensor in part if isinstance(part, tuple | list) else (part,):
            if isinstance(tensor, Shaped):
                yield tensor


def envelope(steps: Sequence[Amount]) -> list[Amount]:
    """Those of `steps` that have the most bytes for some number of images, from 1 on."""
    found: list[Amount] = []
    for step in sorted(set(steps), reverse=True):
        if found and step.fixed <= found[-1].fixed:
            continue
        # The last one found is never the largest if this one overtakes it too late for that.
        while len(found) > 1 and _crossing(found[-2], step) >= _crossing(found[-2], found[-1]):
            found.pop()
        found.append(step)
    return found


def _crossing(steep: Amount, flat: Amount) -> float:
    """The number of images from which on `steep` is the larger."""
    return (flat.fixed - steep.fixed) / (steep.per_image - flat.per_image)
