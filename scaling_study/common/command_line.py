"""What every command does with its arguments' errors: one message, exit code 2."""

import sys
from collections.abc import Callable

from scaling_study.common.errors import InputError

BAD_INPUT = 2


def run(command: Callable[[], list[str]]) -> int:
    """Print what a command returns; bad input becomes one line on stderr. The exit code."""
    try:
        print("\n".join(command()))
    except InputError as error:
        return report(str(error))
    return 0


def report(message: str) -> int:
    """Print an error of the user's and return the exit code for it."""
    print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT
