"""Runs one after the other in this process: for debugging, and for a scheduler's own workers."""

from collections.abc import Iterator, Sequence

from scaling_study.launch.job import Job, Outcome


def launch(jobs: Sequence[Job]) -> Iterator[Outcome]:
    """The outcome of each job, in order."""
    for job in jobs:
        yield job()
