"""Expressions of a grid, such as `flops < 2e9 and not (width > 1 and epochs <= 10)`.

The language has numbers, quoted text, settings (`depth`, `train.lr_per_256`), arithmetic,
comparisons, `in [..]`, `and or not` and FUNCTIONS. Python's `ast` parses it and nothing is
evaluated as Python: numbers, texts and names are first replaced by placeholders, and only the kinds
of syntax tree in `_Compiler._node` are accepted. Every number is a float, so nothing can grow.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import is_number, suggest

Lookup = Mapping[str, Any]
Node = Callable[[Lookup], Any]
Test = Callable[[Any, Any], bool]

LONGEST, DEEPEST = 1000, 40
# Columns of each token in the source that Python parses: enough for `_999` and a space.
COLUMNS = 5
TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z_\d.])"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)"
    r"|(?P<text>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],])"
    r"|(?P<other>\S.*)",
    re.ASCII | re.DOTALL,
)
WORDS = ("and", "or", "not", "in")
# Python accepts a trailing comma and an empty list, and blames adjacent operands on the first one.
MISPLACED = re.compile(r"(?:_\d+|[)\]]) +(?=_)|, +(?=[)\]])|\[ +(?=\])")
FUNCTIONS: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        *(abs, min, max, math.sqrt, math.log, math.log2, math.log10, math.exp),
        *(math.floor, math.ceil, round),
    )
}
ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # always a float or an error, where `**` can be complex
}
COMPARISONS: dict[type, Test] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True)
class Expression:
    """A checked condition: `names` are the settings that it asks for."""

    text: str
    names: frozenset[str]
    _node: Node

    def holds(self, values: Lookup) -> bool:
        """Whether it is true of `values`, by name; InputError if it fails or is no truth value."""
        try:
            found = self._node(values)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise InputError(f"{self.text!r}: cannot be computed ({error})") from None
        if not isinstance(found, bool):
            raise InputError(f"{self.text!r}: must be true or false, and is {found!r}")
        return found

    def number(self, values: Lookup) -> float:
        """What it is of `values`, by name; InputError if it fails or is no finite number."""
        try:
            found = _number(self._node(values))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise InputError(f"{self.text!r}: cannot be computed ({error})") from None
        if not math.isfinite(found):
            raise InputError(f"{self.text!r}: must be a finite number, and is {found}")
        return found


def formula(text: object, known: Mapping[str, Any] | set[str]) -> Expression:
    """The formula in `text`, or a number; InputError as `condition` raises it."""
    return condition(str(text) if is_number(text) else text, known)


def condition(text: object, known: Mapping[str, Any] | set[str]) -> Expression:
    """The condition in `text`; InputError if it is none, too large, or has names not in `known`."""
    if not isinstance(text, str):
        raise InputError(f"{text!r}: must be a condition in quotes, such as 'flops < 2e9'")
    if len(text) > LONGEST:
        raise InputError(f"{text[:40]!r}…: longer than {LONGEST} characters")
    node = (compiler := _Compiler(text)).compile()
    for name in sorted(compiler.names):
        if name not in known:
            near = suggest(name, list(known))
            raise InputError(f"{text!r}: {name}: no such setting, axis or cost{near}")
    return Expression(text, frozenset(compiler.names), node)


class _Compiler:
    """Compiles text to closures; token i is at column i * COLUMNS of the source for Python."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self._tokens: list[tuple[str, str]] = []
        for match in TOKEN.finditer(text.strip()):
            if other := match["other"]:
                raise self._error(f"{other[:20]!r} not expected")
            assert match.lastgroup
            self._tokens.append((match.lastgroup, match[0]))

    def compile(self) -> Node:
        source = "".join(
            f"{text if kind == 'sign' or text in WORDS else f'_{index}':{COLUMNS}}"
            for index, (kind, text) in enumerate(self._tokens)
        )
        if max(accumulate((c == "(") - (c == ")") for c in source), default=0) >= DEEPEST:
            raise self._error(f"nested more than {DEEPEST} deep")
        if misplaced := MISPLACED.search(source):
            raise self._unexpected(misplaced.end())
        try:
            return self._node(ast.parse(source, mode="eval").body)
        except SyntaxError as error:
            for opening, closing in ("()", "[]"):
                if source.count(opening) > source.count(closing):
                    raise self._error(f"{closing!r} is missing") from None
            if not error.offset:
                raise self._error("it ends too early") from None
            raise self._unexpected(error.offset - 1) from None
        except RecursionError:
            raise self._error("too many operators in a row") from None

    def _error(self, what: str) -> InputError:
        return InputError(f"{self.text!r}: not an expression: {what}")

    def _unexpected(self, column: int) -> InputError:
        return self._error(f"{self._tokens[column // COLUMNS][1]!r} was not expected")

    def _node(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Name():
                return self._operand(*self._tokens[tree.col_offset // COLUMNS])
            case ast.BoolOp(op, values):
                combine = any if isinstance(op, ast.Or) else all
                parts = [self._node(value) for value in values]
                return lambda v: combine(_truth(part(v)) for part in parts)
            case ast.UnaryOp(op, part):
                node = self._node(part)
                if isinstance(op, ast.Not):
                    return lambda v: not _truth(node(v))
                return node if isinstance(op, ast.UAdd) else lambda v: -_number(node(v))
            case ast.BinOp(first, op, second):
                function, left, right = ARITHMETIC[type(op)], self._node(first), self._node(second)
                return lambda v: function(_number(left(v)), _number(right(v)))
            case ast.Compare(first, ops, rest):
                steps = [self._step(op, right) for op, right in zip(ops, rest, strict=True)]
                return partial(_chain, self._node(first), steps)
            case ast.Call(ast.Name(), arguments, []):
                return self._call(tree.func.col_offset // COLUMNS, arguments)
            case ast.Call(part) | ast.Subscript(part) | ast.Tuple([part, *_]):
                assert part.end_col_offset is not None
                raise self._unexpected(part.end_col_offset + COLUMNS)
        raise self._unexpected(tree.col_offset)

    def _operand(self, kind: str, text: str) -> Node:
        if kind == "number":
            number = float(text)
            return lambda v: number
        if kind == "text" or text in ("true", "false"):
            constant = text[1:-1] if kind == "text" else text == "true"
            return lambda v: constant
        self.names.add(text)
        return lambda v: v[text]

    def _step(self, op: ast.cmpop, right: ast.expr) -> tuple[Test, Node]:
        if not isinstance(op, ast.In | ast.NotIn):
            return partial(_compared, COMPARISONS[type(op)]), self._node(right)
        if not isinstance(right, ast.List):
            raise self._error("'[' is missing")
        items, inside = [self._node(item) for item in right.elts], isinstance(op, ast.In)
        return lambda a, b: (a in b) == inside, lambda v: [item(v) for item in items]

    def _call(self, index: int, arguments: list[ast.expr]) -> Node:
        kind, name = self._tokens[index]
        if kind != "name" or name in ("true", "false"):
            raise self._unexpected((index + 1) * COLUMNS)
        if name not in FUNCTIONS:
            near = suggest(name, list(FUNCTIONS))
            raise self._error(f"{name}: no such function{near}; known: {', '.join(FUNCTIONS)}")
        several = name in ("min", "max")
        if not arguments or several != (len(arguments) > 1):
            raise self._error(f"{name} takes {'two or more values' if several else 'one value'}")
        function, parts = FUNCTIONS[name], [self._node(argument) for argument in arguments]
        return lambda v: float(function(*(_number(part(v)) for part in parts)))


def _chain(first: Node, steps: Sequence[tuple[Test, Node]], values: Lookup) -> bool:
    """A chain of comparisons; as in Python, operands after a failed one are not computed."""
    left = first(values)
    for test, node in steps:
        right = node(values)
        if not test(left, right):
            return False
        left = right
    return True


def _compared(test: Test, left: object, right: object) -> bool:
    if isinstance(left, str) != isinstance(right, str):
        raise TypeError(f"{left!r} and {right!r} cannot be compared")
    return test(left, right)


def _number(value: object) -> float:
    if is_number(value):
        return float(value)
    raise TypeError(f"{value!r} is no number")


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value
