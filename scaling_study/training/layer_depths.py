"""How deep in its network each parameter lies, for learning rates that fall towards the image."""

from collections.abc import Iterator

from torch import nn

from scaling_study.models.modules import Residual


def distances(module: nn.Module) -> dict[int, int]:
    """Of each parameter (by `id`), how many steps it is away from the classifier, which has 0.

    A step is a residual block, or where a network has none, a layer with parameters. What lies
    before the first block is one step further away than it, what lies between two blocks belongs to
    the later one, and what lies behind the last to the classifier, as in BEiT (Bao et al. 2021).
    """
    residual: list[nn.Module] = [part for part in module.modules() if isinstance(part, Residual)]
    blocks = residual or list(_blocks(module))
    layers = (part for part in module.modules() if list(part.parameters(recurse=False)))
    steps = blocks or list(layers)
    owner = {id(p): number for number, part in enumerate(steps, 1) for p in part.parameters()}
    depths: dict[int, int] = {}
    passed = 0
    for parameter in module.parameters():
        own = owner.get(id(parameter))
        passed = own or passed
        depths[id(parameter)] = own or (passed + 1 if passed else 0)
    last = max(depths.values(), default=0)
    return {parameter: last - depth for parameter, depth in depths.items()}


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Blocks of a family that builds modules: what the innermost rows of composed modules hold."""
    row = isinstance(module, nn.Sequential | nn.ModuleList)
    for part in module.children():
        composed = any(True for _ in part.children()) and any(True for _ in part.parameters())
        inner = list(_blocks(part))
        yield from inner or ([part] if row and composed else [])
