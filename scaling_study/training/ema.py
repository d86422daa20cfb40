"""Exponential moving average of weights and batch-norm statistics."""

import torch
from torch import Tensor, nn

from scaling_study.training.schedule import ema_decay


class Ema:
    """Averages of floating-point tensors of a module's state; with `limit` 0 the state itself."""

    def __init__(self, module: nn.Module, limit: float) -> None:
        self._limit, state = limit, module.state_dict()
        self._average = {name: t.clone() if limit else t for name, t in state.items()}
        floating = [name for name, tensor in state.items() if tensor.is_floating_point()]
        self._live_float = [state[name] for name in floating]
        self._average_float = [self._average[name] for name in floating]

    def update(self, step: int) -> None:
        """average = decay x average + (1 - decay) x live, with the decay of 0-based `step`."""
        if self._limit:
            weight = 1 - ema_decay(step, self._limit)
            torch._foreach_lerp_(self._average_float, self._live_float, weight)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages, under the names of the module's own state."""
        return dict(self._average)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, average in self._average.items():
            average.copy_(state[name])
