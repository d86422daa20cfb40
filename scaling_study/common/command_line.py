"""What every command does with its arguments' errors and its output: one message, exit code 2."""

import argparse
import errno
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec

from scaling_study.common.errors import InputError
from scaling_study.common.files import WriteError
from scaling_study.common.format import cut
from scaling_study.common.terminal import tidy

BAD_INPUT = 2
NOT_WRITTEN, INTERRUPTED = 1, 130
# A disk that is full, broken, read-only, away, or another user's: no fault of the command's.
DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO),
    *(errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.EFBIG, errno.EMLINK),
    *(errno.EACCES, errno.EPERM),
}
# Of a message. Values may hold what ends a line.
LONGEST, LINE_ENDS = 2000, re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# What is asked for is the name of no file, wherever it is given.
NO_NAME = {errno.ENAMETOOLONG, errno.ELOOP}
Arguments = ParamSpec("Arguments")
# The name of the one command, which has all others.
PROGRAM = "scaling-study"


class _Parser(argparse.ArgumentParser):
    """One whose errors are one sentence, as those of all other input."""

    def error(self, message: str) -> NoReturn:
        self.exit(report(f"{message}; {self.prog} --help says what it takes"))


def parser(module: str, about: str) -> argparse.ArgumentParser:
    """A parser whose usage says what the user typed: the one command, or `python -m MODULE`."""
    typed = sys.argv[0] if _one_command() else f"python -m {module}"
    return _Parser(prog=typed, description=about)


def spelled(command: str, module: str = "") -> str:
    """A command as who typed this one would: `scaling-study COMMAND`, or `python -m MODULE`.

    Without a module, as for those of `analysis`, which a folder with a package of that name hides:
    `python -m scaling_study COMMAND`.
    """
    if _one_command():
        return f"{PROGRAM} {command}"
    return f"python -m {module or f'scaling_study {command}'}"


def _one_command() -> bool:
    return sys.argv[0].startswith(f"{PROGRAM} ")


def add_results(asked: argparse.ArgumentParser) -> None:
    """The option `--results`: the folder of all studies, a Path."""
    help_ = "the folder of all studies (default: %(default)s)"
    asked.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help=help_)


def entry_point(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """A command's `main` that writes as `terminal` says, whatever its output is connected to.

    A reader that leaves changes nothing, an output that cannot be written is an error.
    """

    @wraps(main)
    def tidied(*arguments: Arguments.args, **named: Arguments.kwargs) -> int:
        with tidy() as output:
            try:
                code = main(*arguments, **named)
            except KeyboardInterrupt:
                code = INTERRUPTED
            except OSError as error:
                if error.errno in NO_NAME:
                    return report(f"{cut(str(error.filename), 80)}: {error.strerror}; give another")
                if not (isinstance(error, WriteError) or error.errno in DISK):
                    raise
                code = _disk_failed(error)
        if output.failure is None:
            return code
        print(f"error: the output cannot be written: {output.failure.strerror}", file=sys.stderr)
        output.failure = None  # a command within a command says it once
        return code or NOT_WRITTEN

    return tidied


def _disk_failed(error: OSError) -> int:
    where = error.filename or "the disk"
    what = error if isinstance(error, WriteError) else f"{where}: {error.strerror}"
    print(
        f"error: {what}; what was written before is whole, and the same command goes on with it "
        "once that is mended",
        file=sys.stderr,
    )
    return NOT_WRITTEN


@entry_point
def run(command: Callable[[], list[str]]) -> int:
    """Print what a command returns; bad input becomes one line on stderr. The exit code."""
    try:
        print("\n".join(command()))
    except InputError as error:
        return report(str(error))
    return 0


def report(message: str) -> int:
    """Print an error of the user's, in one line, and return the exit code for it."""
    line = LINE_ENDS.sub(" ", message)
    if len(line) > LONGEST:  # with a value that fills screens; both ends say what it is about
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    print(f"error: {line}", file=sys.stderr)
    return BAD_INPUT
