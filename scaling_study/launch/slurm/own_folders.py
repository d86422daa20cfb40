"""Where what jobs execute lies: in the store if nobody else may write there, else at home.

A store may be shared with people who are not trusted with one's account.
"""

import hashlib
import os
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.verify import why_shared

# In the home of a user whose store others may write to; a folder for each store.
AT_HOME = Path(".cache", "scaling-study", "submitted")


def snapshots_folder(results_dir: Path) -> Path:
    """The folder of code snapshots; created, and InputError if others may write to it."""
    return _own(_root(results_dir) / "snapshots")


def jobs_folder(study_dir: Path) -> Path:
    """The folder of a study's batch scripts, pickles and logs of jobs; not created."""
    name = study_dir.resolve().name
    root = _root(study_dir.parent)
    return root / name / "jobs"


def own_jobs_folder(study_dir: Path) -> Path:
    """`jobs_folder`, created; InputError if others may write to it."""
    return _own(jobs_folder(study_dir))


def _root(results_dir: Path) -> Path:
    store = results_dir.resolve()
    there = next(place for place in (store, *store.parents) if place.exists())
    if why_shared(there) is None:
        return store
    digest = hashlib.sha256(os.fsencode(store)).hexdigest()[:12]
    return Path.home().resolve() / AT_HOME / digest


def _own(folder: Path) -> Path:
    for place in reversed([folder, *folder.parents]):
        if not place.exists():
            place.mkdir(mode=0o755, exist_ok=True)
            place.chmod(place.stat().st_mode & ~0o022)  # a folder's default may be wider
    if (reason := why_shared(folder)) is not None:
        raise InputError(
            f"results_dir: jobs are not submitted from {folder}, because {reason}, and what lies "
            "there is executed; take the right to write from others, or give a results_dir in a "
            "folder of your own"
        )
    return folder
