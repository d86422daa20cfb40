"""How deep in its network each parameter lies, for learning rates that fall towards the image."""

from torch import nn

from scaling_study.models.modules import Residual


def distances(module: nn.Module) -> dict[int, int]:
    """Of each parameter (by `id`), how many steps it is away from the classifier, which has 0.

    A step is a residual block, or where a network has none, a layer with parameters. What lies
    before the first block is one step further away than it, what lies between two blocks belongs to
    the later one, and what lies behind the last to the classifier, as in BEiT (Bao et al. 2021).
    """
    units = _units(module)
    residual = any(isinstance(part, Residual) for part in units)
    depths: dict[int, int] = {}
    blocks = 0
    for part in units:
        parameters = list(part.parameters())
        if isinstance(part, Residual) or (parameters and not residual):
            blocks += 1
            depth = blocks
        else:
            depth = blocks + 1 if blocks else 0
        depths |= {id(parameter): depth for parameter in parameters}
    last = max(depths.values(), default=0)
    return {parameter: last - depth for parameter, depth in depths.items()}


def _units(module: nn.Module) -> list[nn.Module]:
    """The layers of a network in order, rows of residual blocks one by one."""
    units: list[nn.Module] = []
    for part in module.children():
        row = isinstance(part, nn.Sequential) and any(isinstance(p, Residual) for p in part)
        units += list(part.children()) if row else [part]
    return units
