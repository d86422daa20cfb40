"""What a network costs for one image: closed forms of its layers, or counted. No torch."""

from dataclasses import dataclass
from functools import cache

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.models import family, network
from scaling_study.models.counting.counts import counts
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import Shape, total

cached_network = cache(network)
# Of the depths that a family has, in a message.
MOST_LISTED = 8


@dataclass(frozen=True)
class NetworkCost:
    """Of one image, as `models.layers` says. None is what the network has not, such as activations
    without convolutions, or what cannot be counted, for the reason in `missing`.
    """

    params: int
    flops: int | None
    activations: int | None
    missing: str = ""


@cache
def forward_cost(model: ModelConfig, resolution: int, outputs: int, precision: str) -> NetworkCost:
    """What a network of `outputs` outputs costs for one square image of `resolution` px.

    InputError if it cannot be built for such images.
    """
    kind = family(model.family)
    if kind.build is not None:
        _require_legal(kind, model, resolution)
        found = counts(model, outputs, resolution, precision)
        return NetworkCost(found.params, found.flops, found.activations, found.missing)
    net = cached_network(model, outputs)
    if resolution < net.stride:
        small = net.stride > 16 and hasattr(model, "stem")
        raise InputError(
            f"data.resolution={resolution}: too small for a network that halves the image to "
            f"1/{net.stride}; the smallest side is {net.stride} px"
            f"{' (model.stem=small takes 16 px)' if small else ''}"
        )
    cost = total(net.layers, Shape(3, resolution))[1]
    return NetworkCost(cost.params, cost.flops or None, cost.activations or None)


def _require_legal(kind: Family, model: ModelConfig, resolution: int) -> None:
    """InputError for a size that the family does not declare, before any module is built."""
    depths, step = kind.depths(model), kind.width_step
    some = ", ".join(f"{depth:g}" for depth in depths[:MOST_LISTED])
    more = ", …" if len(depths) > MOST_LISTED else ""
    require(model.depth in depths, "model.depth", f"{model.depth:g}", f"must be {some}{more}")
    smallest, number = kind.smallest_width(model), model.width / step
    fits = model.width > smallest - 1e-9 and abs(number - round(number)) < 1e-6
    accepted = f"must be a multiple of {step:g}, at least {smallest:g}"
    require(fits, "model.width", f"{model.width:g}", accepted)
    side = kind.image_step(model, 1)
    fits = resolution % side == 0
    require(fits, "data.resolution", resolution, f"must be a multiple of {side} px")
