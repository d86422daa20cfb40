"""How a cell says which run it needs: `run(NAME)`, or `run(SETTING=VALUE, …)` with its settings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.config.checked_input import quickly_read

RUN = re.compile(r"run\((.*)\)", re.DOTALL)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
SETTING = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(\S.*)", re.ASCII | re.DOTALL)
ACCEPTED = (
    "between the brackets stand a name under grid.parents, or settings as in "
    "run(data=fractals_16, epochs=20)"
)


@dataclass(frozen=True)
class Asked:
    """A run that a cell asks for: its name, or its settings written out as one spelling of them."""

    name: str
    settings: dict[str, Any] | None = None


def asked_in(key: str, value: object) -> Asked | None:
    """The run that the setting `key` asks for, None if it is said otherwise than by `run(…)`.

    InputError for brackets that hold neither a name nor settings.
    """
    if not isinstance(value, str) or (run := RUN.fullmatch(value.strip())) is None:
        return None
    if NAME.fullmatch(inside := run[1].strip()):
        return Asked(inside)
    parts = [SETTING.fullmatch(part.strip()) for part in _parts(inside)]
    pairs = [(part[1], part[2]) for part in parts if part]
    # In the spelling of a grid's file, so that each value is what it would be there.
    settings = quickly_read("\n".join(f"{name}: {text}" for name, text in pairs))
    if len(pairs) < len(parts) or settings is None:
        raise InputError(f"{key}={value}: {ACCEPTED}")
    return Asked(", ".join(f"{name}={text}" for name, text in pairs), settings)


def _parts(text: str) -> Iterator[str]:
    """What stands between commas that are within no other brackets, and no quotes."""
    depth, quote, begin = 0, "", 0
    for place, sign in enumerate(text):
        if sign in "'\"" and quote in ("", sign):
            quote = "" if quote else sign
        elif not quote:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and depth == 0:
                yield text[begin:place]
                begin = place + 1
    yield text[begin:]
