"""What Python imports first in tests of machines without /proc: forks are unsafe there too.

Python's own looks at /proc fail; ps and lsof, other programs, answer.
"""

import sys
from pathlib import Path
from typing import Any

from scaling_study.common import processes

LOOKS = ("open", "os.listdir", "os.scandir")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in LOOKS and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(f"there is no {arguments[0]}")


processes.PROC = Path("/no/proc")
processes.FORKS_ARE_SAFE = False
sys.addaudithook(refuse)
