"""Installs Debian's SLURM, munge and MariaDB if root is to and can; else says what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import missing

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "slurmdbd", "munge", "mariadb-server-core"]
# Where this exists and says 101, packages do not start the services that they bring.
POLICY = Path("/usr/sbin/policy-rc.d")


def main() -> None:
    """Install what is missing, or say why the tests will be skipped."""
    if not (absent := missing()):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(print(f"not installed, and not root on Debian to install it: {', '.join(absent)}"))
    made = not POLICY.exists()
    if made:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", *command], check=True, env=environment)
    except subprocess.CalledProcessError as error:
        print(f"not installed, because apt-get failed ({error}): {', '.join(absent)}")
    finally:
        if made:
            POLICY.unlink()


if __name__ == "__main__":
    main()
