"""What every command does with its arguments' errors: one message, exit code 2."""

import argparse
import sys
from collections.abc import Callable

from scaling_study.common.errors import InputError

BAD_INPUT = 2
# The name of the one command, which has all others.
PROGRAM = "scaling-study"


def parser(module: str, about: str) -> argparse.ArgumentParser:
    """A parser whose usage says what the user typed: the one command, or `python -m MODULE`."""
    typed = sys.argv[0] if sys.argv[0].startswith(f"{PROGRAM} ") else f"python -m {module}"
    return argparse.ArgumentParser(prog=typed, description=about)


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
