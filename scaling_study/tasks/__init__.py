"""What a run trains for and how its outcome is scored."""

import sys

from scaling_study.common.extensions import declared
from scaling_study.tasks.base import Task

# The task of every run that names none: a run's id says nothing of it.
DEFAULT = "classification"


def task_of(name: object) -> Task:
    """The TASK of a module of this folder, or by a dotted path of any; InputError if none."""
    return declared("task", name, Task, sys.modules[__name__], "my_tasks.my_task")
