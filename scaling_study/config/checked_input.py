"""What Hydra is given, checked before it is read: words of a command line, files, and values.

Hydra and OmegaConf are recursive, and copy what an alias of YAML stands for: a deep or repeated
value would take the stack or the memory, and its error would not say where it was.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

from scaling_study.common.errors import InputError
from scaling_study.common.format import cut
from scaling_study.common.reading import (
    NestingError,
    UnreadableError,
    depth_of_text,
    text_in,
    yaml_in,
)

# Values nested deeper are no settings; Hydra's stack takes about twice that.
DEEPEST = 30
# Keys may name groups, which are folders.
LONGEST_KEY = 200
# An alias of YAML: *name where a value may stand.
ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*\w", re.MULTILINE)
# Python takes no longer whole numbers from texts.
NUMBER = re.compile(r"\d{4300}")
# Stands for bytes that are no UTF-8.
REPLACED = "\N{REPLACEMENT CHARACTER}"
TOO_LONG = "a number of more than 4,300 digits"
TOO_DEEP = f"nested more than {DEEPEST} deep"


class CheckedFiles(FileConfigSource):
    """Hydra's folders of files, of which it gets none that it cannot take."""

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path) / self._normalize_file_name(config_path)
        text = check_file(path)
        values = None if text is None else quickly_read(text)
        if text is None or values is None:
            return super().load_config(config_path)
        header = self._get_header_dict(text[:512])
        place = f"{self.scheme()}://{self.path}"
        return ConfigResult(self.provider, place, OmegaConf.create(values), header)


def quickly_read(text: str) -> dict[Any, Any] | None:
    """What OmegaConf reads in settings that `check_file` let pass; None for all else, which Hydra
    is to explain.

    OmegaConf's own loader is written in Python, and takes ten times as long.
    """
    if REPLACED in text:  # bytes that are no text, most likely
        return None
    try:
        found = yaml.load(text, _loader())
    except (ValueError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


@cache
def _loader() -> Any:
    """OmegaConf's loader, which refuses keys that stand twice, on YAML's parser in C."""
    base: Any = get_yaml_loader()
    if not hasattr(yaml, "CSafeLoader"):
        return base
    parser: Any = yaml.cyaml.CParser  # type: ignore[attr-defined]

    class Loader(parser, base):  # type: ignore[misc]
        def __init__(self, stream: str) -> None:
            parser.__init__(self, stream)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    return Loader


def register() -> None:
    """Let Hydra read files through `CheckedFiles`, whatever composes."""
    Plugins.instance()  # registers its own
    SourcesRegistry.instance().types[CheckedFiles.scheme()] = CheckedFiles


def check_file(path: Path) -> str | None:
    """The text of a YAML file, with `REPLACED` where it is none; None if it cannot be read.

    InputError for one that is nested too deeply, or stands for more than it says.
    """
    try:
        text = text_in(path, errors="replace")
        if NUMBER.search(text):
            raise InputError(f"{path}: {TOO_LONG}")
        if depth_of_text(text) > DEEPEST or ALIAS.search(text):
            yaml_in(path, DEEPEST)
    except NestingError as error:
        raise InputError(f"{path}: {error}") from None
    except (FileNotFoundError, UnreadableError):
        return None  # Hydra says more
    return text


def check_words(words: Sequence[str]) -> None:
    """InputError for an override that is nested too deeply, or too long."""
    for word in words:
        short = cut(word, 60)
        if len(word.partition("=")[0]) > LONGEST_KEY:
            raise InputError(
                f"{short}: no such setting; a name has {LONGEST_KEY} characters or less"
            )
        if NUMBER.search(word):
            raise InputError(f"{short}: {TOO_LONG}")
        if _brackets(word) > DEEPEST:
            raise InputError(f"{short}: {TOO_DEEP}")


def _brackets(word: str) -> int:
    """The most brackets that are open at once."""
    now = most = 0
    for sign in word:
        now += (sign in "[{(") - (sign in ")}]")
        most = max(most, now)
    return most


def check_values(value: Any, key: str = "") -> None:
    """InputError for a text with the character NUL, or a name of a setting that is no text."""
    if isinstance(value, str) and "\0" in value:
        raise InputError(f"{key}={value!r}: holds the character NUL, which no file's name may have")
    if isinstance(value, dict):
        for name, part in value.items():
            path = f"{key}.{name}" if key else str(name)
            if not isinstance(name, str) and not path.startswith("grid."):
                raise InputError(f"{path}: no such setting; names are text")
            check_values(name, path)
            check_values(part, path)
    elif isinstance(value, list):
        for part in value:
            check_values(part, key)
