"""What a run trains for and how its outcome is scored."""

import sys
from collections.abc import Mapping

from scaling_study.common.extensions import declared
from scaling_study.tasks.base import Description, Task
from scaling_study.tasks.program import description, outcome_of

# The task of every run that names none: a run's id says nothing of it.
DEFAULT = "classification"


def task_of(name: object) -> Task:
    """The TASK of a module of this folder, or by a dotted path of any; InputError if none."""
    return declared("task", name, Task, sys.modules[__name__], "my_tasks.my_task")


def described(task: object) -> Description:
    """The description of a task by its name, or of a program or table by its group of settings."""
    if isinstance(task, Mapping):
        return description(outcome_of(task.get("outcome") or {}))
    return task_of(task)
