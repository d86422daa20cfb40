"""How much the interpolations of a configuration stand for, told before OmegaConf writes it out."""

import re
from dataclasses import dataclass, field
from typing import Any

from scaling_study.common.errors import InputError

# A text that refers to another ten times, and ten texts above it that do the same, would have more
# characters than any memory holds.
MOST_TIMES = 100
MOST_CHARACTERS = 1_000_000  # so many are harmless however few are written
# ${key}, or ${resolver:words}; of nested ones, the inner.
INTERPOLATION = re.compile(r"\$\{([^${}]*)\}")
WORDS = re.compile(r"[:,\s'\"]+")


def check_interpolations(values: Any) -> None:
    """InputError for a value that stands for a hundred times what is written, and a megabyte.

    `values` is nested, with texts as they are written. References to no key, and those that end
    where they began, are OmegaConf's to tell.
    """
    sizes = _Sizes(values, max(MOST_CHARACTERS, MOST_TIMES * len(str(values))))
    for key in values:
        sizes.of((str(key),))


@dataclass
class _Sizes:
    """Characters that each key's value has when all is written out, by the key's path."""

    values: Any
    most: int
    known: dict[tuple[str, ...], int] = field(default_factory=dict)

    def of(self, path: tuple[str, ...]) -> int:
        """The characters of the value at `path`; 0 where there is none, and within itself."""
        if path not in self.known:
            self.known[path] = 0
            self.known[path] = self._counted(path)
        if self.known[path] > self.most:
            said = f"its interpolations stand for more than {self.most:,} characters"
            raise InputError(f"{'.'.join(path)}: {said}")
        return self.known[path]

    def _counted(self, path: tuple[str, ...]) -> int:
        value = self._at(path)
        if isinstance(value, dict):
            return sum(len(str(key)) + self.of((*path, str(key))) for key in value)
        if isinstance(value, list):
            return sum(self.of((*path, str(number))) for number in range(len(value)))
        if not isinstance(value, str):
            return len(str(value or ""))
        size = len(value)
        # An inner interpolation is replaced by its own text, so that the outer one can be read.
        while found := INTERPOLATION.search(value):
            named = [self._path(word, path) for word in WORDS.split(found[1])]
            size += sum(self.of(other) for other in named)
            inner = self._at(named[-1]) if len(named) == 1 else None
            inner = inner if isinstance(inner, str | int) and "$" not in str(inner) else ""
            value = value[: found.start()] + str(inner) + value[found.end() :]
        return size

    def _path(self, word: str, where: tuple[str, ...]) -> tuple[str, ...]:
        """The path that a key is written for in a text at `where`; leading dots are relative."""
        plain = word.lstrip(".")
        above = where[: len(where) - (len(word) - len(plain))] if plain != word else ()
        return (*above, *(part for part in re.split(r"[.\[\]]+", plain) if part))

    def _at(self, path: tuple[str, ...]) -> Any:
        value = self.values
        for part in path:
            if isinstance(value, dict):
                names = {part} if part in value else {key for key in value if str(key) == part}
                value = value[names.pop()] if names else None
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value
