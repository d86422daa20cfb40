"""Modules with shapes and no numbers, as quickly as they can be had."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# What sets numbers in place. On the meta device torch has some of them in Python: the first call
# loads its compiler, which takes as long as loading torch.
IN_PLACE = {
    *(Tensor.normal_, Tensor.uniform_, Tensor.erfinv_, Tensor.clamp_),
    *(Tensor.zero_, Tensor.fill_, Tensor.mul_, Tensor.add_),
    *(getattr(nn.init, name) for name in dir(nn.init) if name.endswith("_") and name[0] != "_"),
}


class _Undrawn(TorchFunctionMode):
    """Leaves tensors of the meta device as they are, where others would get numbers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in IN_PLACE:
            tensor = args[0] if args else named.get("tensor")
            if isinstance(tensor, Tensor) and tensor.is_meta:
                return tensor
        return func(*args, **named)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Within it modules are built on the meta device, and their weights are not drawn."""
    with torch.device("meta"), _Undrawn():
        yield
