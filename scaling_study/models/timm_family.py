"""`model.family=timm:NAME`: any classifier of timm's, where timm can be imported.

`arguments` are those of `timm.create_model`, which may say how depth and width scale the network:
"depth=depth, embed_dim=64*width, num_heads=width".
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scaling_study.common.errors import InputError
from scaling_study.common.extras import require_package
from scaling_study.common.validation import require, suggest
from scaling_study.models.family import Family, ModelConfig

if TYPE_CHECKING:
    from torch import nn

PREFIX = "timm:"
OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
}
AXES = ("depth", "width")
# Depths and widths that a search may try; what a network makes of them its arguments say.
DEEPEST = 1000
_libraries: list[Any] = []


@dataclass(frozen=True, kw_only=True)
class TimmConfig(ModelConfig):
    """`depth` and `width` are what `arguments` make of them, and 1 where these name neither."""

    arguments: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.values()
        for axis in AXES:
            used = self.names(axis) or getattr(self, axis) == 1
            accepted = f"must be 1, or model.arguments must say what {axis} scales"
            require(used, f"model.{axis}", f"{getattr(self, axis):g}", accepted)

    def values(self) -> dict[str, Any]:
        """The arguments; InputError for what is no list of numbers, names and sums of these."""
        return {
            keyword.arg: self._value(keyword.value) for keyword in self._keywords() if keyword.arg
        }

    def names(self, axis: str) -> bool:
        """Whether an argument depends on an axis."""
        nodes = (node for keyword in self._keywords() for node in ast.walk(keyword.value))
        return any(isinstance(node, ast.Name) and node.id == axis for node in nodes)

    def _keywords(self) -> list[ast.keyword]:
        try:
            call = ast.parse(f"f({self.arguments})", mode="eval").body
        except SyntaxError:
            call = None
        if not isinstance(call, ast.Call) or call.args or not all(k.arg for k in call.keywords):
            raise self._bad("it")
        return call.keywords

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name) and node.id in AXES:
            value = getattr(self, node.id)
            return int(value) if value == int(value) else value
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(map(self._value, node.elts))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            try:
                value = OPERATIONS[type(node.op)](self._value(node.left), self._value(node.right))
            except (TypeError, ZeroDivisionError):
                raise self._bad(ast.unparse(node)) from None
            return int(value) if isinstance(value, float) and value == int(value) else value
        raise self._bad(ast.unparse(node))

    def _bad(self, what: str) -> InputError:
        accepted = "NAME=VALUE, …, of numbers, text, lists, depth and width with + - * / //"
        return InputError(f"model.arguments={self.arguments!r}: {what} is not {accepted}")


def family_of_timm(name: str) -> Family:
    """The family of `timm:NAME`; InputError if timm is not installed."""
    require_package("timm", "timm", f"model.family={name}")
    return FAMILY


def version() -> str:
    """Of timm; an empty text where it says none."""
    # A plan without such a network has no use for it.
    from importlib import metadata

    try:
        return metadata.version("timm")
    except metadata.PackageNotFoundError:
        return ""


def build(model: TimmConfig, outputs: int, resolution: int) -> nn.Module:
    """The network by timm's name, drawn anew; those with an image size get it."""
    timm, name = imported(), model.family.removeprefix(PREFIX)
    if not timm.is_model(name):
        near = suggest(name, timm.list_models())
        raise InputError(f"model.family={model.family}: timm {version()} has no such network{near}")
    values = {"num_classes": outputs, **model.values()}
    try:
        module: nn.Module = timm.create_model(name, img_size=resolution, **values)
    except TypeError:
        module = timm.create_model(name, **values)
    return module


def imported() -> Any:
    """timm. It imports torchvision, whose compiled part does not load beside a torch for CPUs.

    What it looks for there is two operations, which are declared instead; no network uses them.
    """
    try:
        import timm  # type: ignore[import-not-found]
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        import torch

        for name in [n for n in sys.modules if n.partition(".")[0] in ("timm", "torchvision")]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
        _libraries.append(library)  # it ends with the object
        import timm
    return timm


FAMILY = Family(
    config=TimmConfig,
    build=build,
    depths=lambda model: range(1, DEEPEST + 1) if model.names("depth") else [1],
    width_step=1 / 64,
    smallest_width=lambda model: 1 / 64,
    stride=lambda model: 1,
)
