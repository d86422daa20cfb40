"""The first thing that a job's process does: `python -m scaling_study.launch.slurm.start FOLDER
DIGESTS` loads the job's pickle if it is one of those that were submitted, and calls it.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

from scaling_study.common.verify import DIGITS, why_shared

# A job may start before its submitter has given the pickle its number.
PATIENCE_S = 60


def digest_of_pickle(path: Path) -> str:
    """SHA-256 of a file, shortened."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]


def refuse_foreign(pickle: Path, digests: list[str]) -> None:
    """Exit with a sentence if a pickle is not one of those with these digests, or of others."""
    if (reason := why_shared(pickle.parent)) is not None:
        sys.exit(f"not run: {reason}")
    end = time.monotonic() + PATIENCE_S
    while not pickle.exists() and time.monotonic() < end:
        time.sleep(0.5)
    if pickle.is_symlink() or not pickle.is_file() or digest_of_pickle(pickle) not in digests:
        sys.exit(f"not run: {pickle} is not what was submitted")


def main(folder: str, digests: str) -> None:
    """Run the job whose numbers are in the environment."""
    from submitit.core.job_environment import JobEnvironment
    from submitit.core.submission import process_job

    os.environ["SUBMITIT_FOLDER"] = folder
    refuse_foreign(JobEnvironment().paths.submitted_pickle, digests.split(","))
    process_job(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
