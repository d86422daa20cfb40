"""What Python imports first in tests of machines without /proc: forks are unsafe there too.

Python's own looks at /proc fail; ps and lsof, other programs, answer.
"""

import sys
from pathlib import Path
from typing import Any

from scaling_study.common import processes
from scaling_study.launch.local import fork_server

LOOKS = ("open", "os.listdir", "os.scandir")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in LOOKS and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(f"there is no {arguments[0]}")


processes.PROC = Path("/no/proc")
fork_server.METHOD = "spawn"
sys.addaudithook(refuse)
