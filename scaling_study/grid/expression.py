"""Expressions of a grid, such as `flops < 2e9 and not (width > 1 and epochs <= 10)`.

A parser of our own for a language with numbers, quoted names, settings (`depth`,
`train.lr_per_256`), arithmetic, comparisons, `in [..]`, `and or not` and a few functions. There is
nothing else in it: no attributes, no calls of anything but FUNCTIONS, and every number is a float,
so nothing can grow.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest

Lookup = Mapping[str, Any]
Node = Callable[[Lookup], Any]

LONGEST, DEEPEST = 1000, 40
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z_\d.])"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)"
    r"|(?P<text>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],]))",
    re.ASCII,
)
FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}
WORDS = ("and", "or", "not", "in", "true", "false")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
# How tightly binary operators bind; ** is above the sign of a number and groups to the right.
SUMS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub}
PRODUCTS: dict[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


@dataclass(frozen=True)
class Expression:
    """A checked condition: `names` are the settings that it asks for."""

    text: str
    names: frozenset[str]
    _node: Node

    def holds(self, values: Lookup) -> bool:
        """Whether the condition is true of `values`, a value for each of `names`.

        Raises:
            InputError: the values cannot be computed with, or the result is no truth value.
        """
        try:
            found = self._node(values)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise InputError(f"{self.text!r}: cannot be computed ({error})") from None
        if not isinstance(found, bool):
            raise InputError(f"{self.text!r}: must be true or false, and is {found!r}")
        return found


def condition(text: object, known: Mapping[str, Any] | set[str]) -> Expression:
    """The expression in `text`, which may ask for the settings `known`.

    Raises:
        InputError: it is no expression, too long or too deep, or asks for something unknown.
    """
    if not isinstance(text, str):
        raise InputError(f"{text!r}: must be a condition in quotes, such as 'flops < 2e9'")
    if len(text) > LONGEST:
        raise InputError(f"{text[:40]!r}…: longer than {LONGEST} characters")
    parser = _Parser(text)
    node = parser.whole()
    for name in sorted(parser.names):
        if name not in known:
            near = suggest(name, list(known))
            raise InputError(f"{text!r}: {name}: no such setting, axis or cost{near}")
    return Expression(text, frozenset(parser.names), node)


class _Parser:
    """Recursive descent: a method reads one level of the grammar, returns what computes it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self._tokens = list(_tokens(text))
        self._at = self._depth = 0

    def whole(self) -> Node:
        node = self._either()
        if self._at < len(self._tokens):
            raise self._error(f"{self._tokens[self._at][1]!r} was not expected")
        return node

    def _error(self, what: str) -> InputError:
        return InputError(f"{self.text!r}: not an expression: {what}")

    def _peek(self) -> str:
        """The next sign or word; of other tokens only that they are none."""
        if self._at == len(self._tokens):
            return ""
        kind, text = self._tokens[self._at]
        return text if kind == "sign" or text in WORDS else f"a {kind}"

    def _take(self, *signs: str) -> str:
        """The next token if it is one of `signs`, else an empty string."""
        if (found := self._peek()) in signs:
            self._at += 1
            return found
        return ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"{sign!r} is missing")

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"nested more than {DEEPEST} deep")
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda v: any(_truth(part(v)) for part in parts)

    def _both(self) -> Node:
        parts = [self._negated()]
        while self._take("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda v: all(_truth(part(v)) for part in parts)

    def _negated(self) -> Node:
        turns = 0
        while self._take("not"):
            turns += 1
        node = self._compared()
        return node if not turns else lambda v: _truth(node(v)) ^ bool(turns % 2)

    def _compared(self) -> Node:
        first = self._sum()
        steps: list[tuple[Callable[[Any, Any], bool], Node]] = []
        while sign := self._take(*COMPARISONS, "in", "not"):
            if sign in ("in", "not"):
                if sign == "not":
                    self._expect("in")
                steps.append((_without if sign == "not" else _within, self._list()))
            else:
                steps.append((_same_kind(COMPARISONS[sign]), self._sum()))
        if not steps:
            return first

        def compare(values: Lookup) -> bool:
            left = first(values)
            for test, node in steps:
                right = node(values)
                if not test(left, right):
                    return False
                left = right
            return True

        return compare

    def _list(self) -> Node:
        self._expect("[")
        items = [self._sum()]
        while self._take(","):
            items.append(self._sum())
        self._expect("]")
        return lambda v: [item(v) for item in items]

    def _sum(self) -> Node:
        return self._chain(SUMS, self._product)

    def _product(self) -> Node:
        return self._chain(PRODUCTS, self._signed)

    def _chain(
        self, operators: Mapping[str, Callable[[float, float], float]], part: Callable[[], Node]
    ) -> Node:
        node = part()
        while sign := self._take(*operators):
            node = _computed(operators[sign], node, part())
        return node

    def _signed(self) -> Node:
        turns = 0
        while sign := self._take("-", "+"):
            turns += sign == "-"
        base = self._atom()
        if self._take("**"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise self._error(f"nested more than {DEEPEST} deep")
            base = _computed(math.pow, base, self._signed())
            self._depth -= 1
        return base if turns % 2 == 0 else lambda v: -_number(base(v))

    def _atom(self) -> Node:
        if self._take("("):
            node = self._either()
            self._expect(")")
            return node
        if self._at == len(self._tokens):
            raise self._error("it ends too early")
        kind, text = self._tokens[self._at]
        if kind == "sign" or text in ("and", "or", "not", "in"):
            raise self._error(f"{text!r} was not expected")
        self._at += 1
        if kind == "number":
            number = float(text)
            return lambda v: number
        if kind == "text":
            return lambda v: text[1:-1]
        if text in ("true", "false"):
            return lambda v: text == "true"
        return self._call(text) if self._take("(") else self._setting(text)

    def _setting(self, name: str) -> Node:
        self.names.add(name)
        return lambda v: v[name]

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            near = suggest(name, list(FUNCTIONS))
            raise self._error(f"{name}: no such function{near}; known: {', '.join(FUNCTIONS)}")
        parts = [self._either()]
        while self._take(","):
            parts.append(self._either())
        self._expect(")")
        several = name in ("min", "max")
        if several != (len(parts) > 1):
            raise self._error(f"{name} takes {'two or more values' if several else 'one value'}")
        function = FUNCTIONS[name]
        return lambda v: float(function(*(_number(part(v)) for part in parts)))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        if (match := TOKEN.match(text, at)) is None:
            raise InputError(
                f"{text!r}: not an expression: {text[at:].strip()[:20]!r} not expected"
            )
        assert match.lastgroup
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _computed(function: Callable[[float, float], float], left: Node, right: Node) -> Node:
    return lambda v: function(_number(left(v)), _number(right(v)))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _same_kind(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: object, right: object) -> bool:
        if isinstance(left, str) != isinstance(right, str):
            raise TypeError(f"{left!r} and {right!r} cannot be compared")
        return test(left, right)

    return compare


def _within(value: object, items: list[object]) -> bool:
    return value in items


def _without(value: object, items: list[object]) -> bool:
    return value not in items
