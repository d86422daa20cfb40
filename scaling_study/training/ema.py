"""Exponential moving average of weights and batch-norm statistics."""

import torch
from torch import Tensor, nn


class Ema:
    """Keeps one average per floating-point tensor of a module's state; integers are copied."""

    def __init__(self, module: nn.Module) -> None:
        self._live = list(module.state_dict().values())
        self._average = [tensor.detach().clone() for tensor in self._live]
        self._names = list(module.state_dict())
        floating = [tensor.is_floating_point() for tensor in self._live]
        self._live_float = [t for t, f in zip(self._live, floating, strict=True) if f]
        self._average_float = [t for t, f in zip(self._average, floating, strict=True) if f]

    def update(self, decay: float) -> None:
        """average = decay x average + (1 - decay) x live."""
        torch._foreach_lerp_(self._average_float, self._live_float, 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages, under the names of the module's own state."""
        return dict(zip(self._names, self._average, strict=True))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(state[name])
