"""The run that labels a pool of images for another: which it is, and whether it can."""

from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.common.reading import yaml_in
from scaling_study.config.run import RunConfig, stored_run
from scaling_study.config.teaching import file_of
from scaling_study.data import data_info
from scaling_study.training import first_weights


def read(run: RunConfig, results_dir: Path) -> RunConfig:
    """The teacher of `run`, as its folder describes it; InputError if that says nothing."""
    assert run.teacher is not None
    file = results_dir / "runs" / run.teacher.run / "config.yaml"
    try:
        return stored_run(yaml_in(file))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        there = "cannot be read" if file.is_file() else "is not there; train that run first"
        why = f" ({error})" if file.is_file() else ""
        raise InputError(f"teacher=run:{run.teacher.run}: {file} {there}{why}") from None


def check(run: RunConfig, results_dir: Path) -> None:
    """Raise an InputError unless the teacher of `run`, if it has one, can label its pool.

    It must know the same classes, and have finished with its checkpoint, or have labelled the pool.
    """
    if run.teacher is None:
        return
    teacher = read(run, results_dir)
    check_fits(run, teacher)
    if not file_of(run, teacher, results_dir).is_file():
        first_weights.averaged(run.teacher, f"teacher=run:{run.teacher.run}", results_dir)


def check_fits(run: RunConfig, teacher: RunConfig) -> None:
    """Raise an InputError unless `teacher` knows the classes of `run`.

    Of the same data set settings are compared too: as many fractals may be others.
    """
    name = f"teacher={run.teacher}"
    if teacher.program is not None or teacher.task != run.task:
        raise InputError(f"{name}: its task is another one, {teacher.task}; give one of {run.task}")
    known, wanted = (data_info(one.data).n_classes for one in (teacher, run))
    if known != wanted:
        raise InputError(f"{name}: it knows {known} classes, data={run.data.name} has {wanted}")
    if teacher.data.name != run.data.name:
        return
    for key in run.data.CLASS_SETTINGS:
        own, other = getattr(run.data, key), getattr(teacher.data, key)
        if own != other:
            raise InputError(
                f"{name}: it knows other classes, those of data.{key}={other}; data.{key} is {own}"
            )
