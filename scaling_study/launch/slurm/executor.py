"""submitit's executor, whose jobs load nothing but what was submitted.

submitit's own command loads any pickle that lies in the folder under the job's name.
"""

import re
import shlex
from pathlib import Path

from submitit.slurm.slurm import SlurmExecutor

from scaling_study.common import verify
from scaling_study.launch.code_snapshot import Snapshot
from scaling_study.launch.slurm import start
from scaling_study.launch.slurm.start import digest_of_pickle

# Pickles of jobs that have no number yet.
UNNUMBERED = re.compile(r"[0-9a-f]{32}\.pkl")


class OwnExecutor(SlurmExecutor):
    """Digests of the code and of the pickles are in the batch script, which SLURM keeps."""

    def __init__(self, folder: Path, snapshot: Snapshot, python: str | None) -> None:
        super().__init__(folder, python=python)
        self._snapshot = snapshot

    @property
    def _submitit_command_str(self) -> str:
        # submitit asks when it has written the pickles and SLURM has no script yet.
        written = (path for path in self.folder.glob("*.pkl") if UNNUMBERED.fullmatch(path.name))
        digests = ",".join(sorted(map(digest_of_pickle, written)))
        return command(self.python, self._snapshot, self.folder, digests)


def command(python: str, snapshot: Snapshot, folder: Path, digests: str) -> str:
    """What each process of a job runs: a check of its code, and then that."""
    text = Path(verify.__file__).read_text(encoding="utf-8")
    words = [text, str(snapshot.folder), snapshot.digest, start.__name__, str(folder), digests]
    return f"{python} -u -I -c {shlex.join(words)}"
