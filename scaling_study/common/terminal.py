"""How commands write to their terminal, whatever it is: left, closed, full, or ASCII alone.

`tidy` stands around every command. Rich's consoles, which write escape sequences of their own,
come from `console`.
"""

import codecs
import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

# Colours and other sequences, characters that move the cursor, and those that reorder a line.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
# What a terminal without the sign shows.
IN_ASCII = {
    **{"…": "...", "×": "x", "±": "+-", "≤": "<=", "≥": ">=", "–": "-", "—": "-", "−": "-"},
    **{"●": "*", "◆": "D", "◐": "~", "○": "o", "·": ".", "✗": "x", "²": "2", "→": "->"},
}
NO_SIGN = "scaling_study.terminal"
# The reader has left: a closed pipe, or the terminal of a connection that is lost.
LEFT = (errno.EPIPE, errno.EIO)


def printable(text: str) -> str:
    """`text` without what would act on a terminal instead of being read; lines and tabs stay."""
    return ESCAPES.sub("", text)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(sign, "?") for sign in signs), error.end


codecs.register_error(NO_SIGN, _in_ascii)


class Output:
    """A text stream in place of another, which never fails: what nobody reads is dropped.

    `left`: nothing is written any more; `failure` is what ended that, if it was not the reader.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.left = stream, False
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        self.put(printable(text))
        return len(text)

    def put(self, text: str) -> None:
        """Write `text` with all its escape sequences."""
        if not self.left:
            with self._surviving():
                self.stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not self.left:
            with self._surviving():
                self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.left = True
            if error.errno not in LEFT:
                self.failure = error
            # What is still in its buffer, and what children print, has to go somewhere.
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)


class WithEscapes:
    """An `Output` for those who write sequences for terminals themselves."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, text: str) -> int:
        self._output.put(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


@contextmanager
def tidy() -> Iterator[Output]:
    """Standard output, as given, and standard error are an `Output` each while the context lasts.

    A closed stream is opened to nowhere: else the next file that is opened would take its place.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    outputs = [_output(stream) for stream in before]
    sys.stdout, sys.stderr = (cast(TextIO, output) for output in outputs)
    try:
        yield outputs[0]
    finally:
        for output in outputs:
            output.flush()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _output(stream: TextIO | Output | None) -> Output:
    if isinstance(stream, Output):
        return stream
    if stream is None:
        return Output(open(os.devnull, "w", encoding="utf-8"))
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=NO_SIGN)
    return Output(stream)


def console() -> "Console":
    """Rich's console on standard output; texts that others wrote are made `printable` before."""
    from rich.console import Console

    stream: TextIO | Output = sys.stdout
    return Console(file=cast(TextIO, WithEscapes(stream) if isinstance(stream, Output) else stream))


def has_reader() -> bool:
    """Whether somebody may still read standard output."""
    return not getattr(sys.stdout, "left", False)
