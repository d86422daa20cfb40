"""Commands on a terminal that is not there: a pseudo-terminal, read as a person would see it."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from helpers import warm_python
from helpers.commands import environment

# What moves the cursor, sets colours or erases.
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`python -m MODULE ARGUMENTS` on a terminal of its own, in `folder`; leaving it kills it."""

    def __init__(self, folder: Path, *words: str, columns: int = 80) -> None:
        self._end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = warm_python.start(
            *words,
            cwd=folder,
            env={k: v for k, v in environment().items() if k != "COLUMNS"} | {"TERM": "xterm"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)

    def until(self, done: Callable[[str], object], limit_s: float = 120) -> str:
        """Read until `done` of all text so far, or the end; the text without controls.

        Raises:
            TimeoutError: neither came in time.
        """
        end = time.monotonic() + limit_s
        while not done(self.text):
            if time.monotonic() > end:
                raise TimeoutError(self.text[-3000:])
            if select.select([self._end], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._end, 65536).decode(errors="replace")
                except OSError:  # nobody writes any more
                    break
        return self.text

    def wait(self, limit_s: float = 120) -> int:
        """Read to the end; the exit code."""
        self.until(lambda _: False, limit_s)
        return self.process.wait(timeout=limit_s)

    @property
    def text(self) -> str:
        """What was written so far, without controls; a line that was written anew counts again."""
        return CONTROLS.sub("", self.seen).replace("\r\n", "\n").replace("\r", "\n")

    def send(self, number: int) -> None:
        """Send a signal to the command."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
