"""The entry points as a user starts them."""

import os
import subprocess
from collections.abc import Callable

Command = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """This process's environment without what would hide a missing default of ours."""
    hidden = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HYDRA_FULL_ERROR")
    return {name: value for name, value in os.environ.items() if name not in hidden}
