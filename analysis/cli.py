"""What both command lines of this package share."""

import sys
from collections.abc import Callable

from scaling_study.errors import InputError


def run(command: Callable[[], list[str]]) -> int:
    """Print what a command returns; bad input becomes one line on stderr. The exit code."""
    try:
        lines = command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0
