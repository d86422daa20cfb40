"""Numbers on their way to a device."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def on(device: torch.device, values: Any, kind: torch.dtype) -> Tensor:
    """Numbers as a tensor on a device; a GPU is not waited for."""
    tensor = torch.tensor(np.asarray(values), dtype=kind)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
