"""Exponential moving average of weights and batch-norm statistics."""

import torch
from torch import Tensor, nn

from scaling_study.training.schedule import ema_decay


class Ema:
    """One average per floating-point tensor of a module's state; integers stay as they began.

    With `limit` 0 there is no average: the state is the module's own.
    """

    def __init__(self, module: nn.Module, limit: float) -> None:
        state = module.state_dict()
        self._limit, self._names, self._live = limit, list(state), list(state.values())
        self._average = [tensor.clone() for tensor in self._live] if limit else self._live
        floating = [tensor.is_floating_point() for tensor in self._live]
        self._live_float = [t for t, f in zip(self._live, floating, strict=True) if f]
        self._average_float = [t for t, f in zip(self._average, floating, strict=True) if f]

    def update(self, step: int) -> None:
        """average = decay x average + (1 - decay) x live, with the decay of 0-based `step`."""
        if self._limit:
            weight = 1 - ema_decay(step, self._limit)
            torch._foreach_lerp_(self._average_float, self._live_float, weight)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages, under the names of the module's own state."""
        return dict(zip(self._names, self._average, strict=True))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, average in zip(self._names, self._average, strict=True):
            average.copy_(state[name])
