"""Tensors with shapes and no numbers that take themselves for those of a CPU.

They are a light kind of torch's fake tensors: each wraps a tensor on the meta device, where nothing
is computed, but autocast and attention choose what they choose on a CPU. A forward pass takes a
fifth of the time that it takes with fake tensors.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

CPU, META = torch.device("cpu"), torch.device("meta")
# Told of every operation and its output, both on the meta device.
Watch = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]
# Outputs of operations by what they were asked for.
_known: dict[Any, Any] = {}
MOST_KNOWN = 10_000


class Shaped(Tensor):
    """A tensor of a CPU without numbers; `meta` is the same on the meta device."""

    meta: Tensor

    @staticmethod
    def __new__(cls, meta: Tensor, requires_grad: bool = False) -> "Shaped":
        new: Shaped = Tensor._make_wrapper_subclass(
            cls,
            meta.shape,
            strides=meta.stride(),
            storage_offset=meta.storage_offset(),
            dtype=meta.dtype,
            device=CPU,
            requires_grad=requires_grad,
        )
        new.meta = meta
        return new

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return on_meta(func, args, kwargs or {})


class WithoutNumbers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it every operation gives `Shaped` tensors; `watch` is told of each."""

    def __init__(self, watch: Watch | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._watch = watch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return on_meta(func, args, kwargs or {}, self._watch)


def on_meta(func: Any, args: Any, kwargs: Any, watch: Watch | None = None) -> Any:
    """What an operation gives, without numbers."""
    wrapped: dict[int, Tensor] = {}

    def unwrap(value: Any) -> Any:
        if isinstance(value, Tensor):
            inner = value.meta if isinstance(value, Shaped) else value.to(META)
            wrapped[id(inner)] = value
            return inner
        if isinstance(value, list | tuple):
            return [unwrap(part) for part in value]
        return value

    def wrap(value: Any) -> Any:
        if isinstance(value, Tensor):
            # What an operation in place returns is what it got.
            return wrapped.get(id(value)) if id(value) in wrapped else Shaped(value)
        if isinstance(value, list | tuple):
            return type(value)(map(wrap, value))
        return value

    plain = tuple(map(unwrap, args))
    named = {name: unwrap(value) for name, value in kwargs.items()}
    if named.get("device") is not None or (not wrapped and _makes_tensors(func)):
        named["device"] = META
    out = _output(func, plain, named)
    if watch is not None:
        watch(func, plain, named, out)
    return wrap(out)


def _output(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation gives on the meta device; equal blocks of a network ask for it again."""
    if not _is_functional(func):
        return func(*args, **kwargs)
    try:
        asked = func, _described(args), _described([*kwargs.items()])
        known = _known.get(asked)
    except TypeError:  # some argument cannot be hashed
        return func(*args, **kwargs)
    if known is None:
        out = func(*args, **kwargs)
        if len(_known) > MOST_KNOWN:
            _known.clear()
        _known[asked] = out
        return out
    return _another(known)


def _described(value: Any) -> Any:
    """What of an argument decides the shape of an output."""
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype
    if isinstance(value, list | tuple):
        return tuple(map(_described, value))
    return type(value), value  # 1 == 1.0, which have other outputs


def _another(out: Any) -> Any:
    """An output like one before, in memory of its own."""
    if isinstance(out, Tensor):
        return torch.empty_strided(out.shape, out.stride(), dtype=out.dtype, device=META)
    if isinstance(out, list | tuple):
        return type(out)(map(_another, out))
    return out


@cache
def _is_functional(func: Any) -> bool:
    """Whether no output shares memory with an argument."""
    schema = func._schema
    return all(part.alias_info is None for part in (*schema.arguments, *schema.returns))


def _makes_tensors(func: Any) -> bool:
    return any(argument.name == "device" for argument in func._schema.arguments)


def strip(module: nn.Module) -> None:
    """Make the parameters and buffers of a module `Shaped`; what is shared stays shared."""
    known: dict[int, Tensor] = {}
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    if id(tensor) not in known:
                        meta = tensor.detach().to(META)
                        known[id(tensor)] = Shaped(meta, tensor.requires_grad)
                    tensors[name] = known[id(tensor)]  # type: ignore[assignment]
