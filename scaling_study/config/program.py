"""A run of a user's own program: the settings that it uses, its identity, its command.

What a program does not use is not part of the run: its command, or the parameters of its function,
name the settings. Axes that it does not use are 1.
"""

import ast
import importlib.util
import shlex
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.paths import PACKAGE
from scaling_study.common.source import (
    files_of_module,
    files_of_script,
    import_root,
    program_digest,
)
from scaling_study.common.validation import flat_items, one_value, require, suggest
from scaling_study.models.family import ModelConfig
from scaling_study.study.axes import CELL_AXES
from scaling_study.tasks.program import COMMAND, Program, placeholders, program_of

# What a command or a function may ask for that is no setting.
RUN_DIR, STOP = "run_dir", "stop"
GIVEN = (RUN_DIR, STOP, "seed", "device")
# Where a snapshot has the files of commands, and the most bytes that a file of theirs may have.
FROZEN, MOST_FROZEN = Path("program"), 1_000_000
# What the config keys of a program's own settings begin with.
SETTING_OF_PROGRAM = "task.settings."
# Precision and recipe of runs whose program decides them itself.
OWN = "own"


@dataclass(frozen=True, kw_only=True)
class ProgramData:
    """The data of a program are its own business; images may have a side."""

    name: str
    resolution: int


@dataclass(frozen=True, kw_only=True)
class ProgramTrain:
    """The recipe of a program is its own; it may have a length in epochs."""

    recipe: str
    epochs: int
    lr: float | None = None
    batch_size: int | None = None
    compile: bool = False


@dataclass(frozen=True)
class ProgramParts:
    """The parts of a program's run in the place of model, data set and recipe."""

    model: ModelConfig
    data: ProgramData
    train: ProgramTrain
    task: Program


def parts_of(values: Mapping[str, Any]) -> ProgramParts:
    """The program in the settings of a run, with its source hashed and the axes that it uses.

    InputError for a program that is not there, or a setting that it asks for and that is none.
    """
    task = program_of(values["task"])
    task = replace(task, asks=tuple(task.asks or _asked(task)))
    used, known = task.asks or (), settings_of(values, task)
    for name in used:
        if name not in known and name not in GIVEN:
            near = suggest(name, [*known, *GIVEN])
            raise InputError(
                f"task.{task.name}={task.text}: {name}: no such setting{near}; the axes are "
                f"{', '.join(axis.name for axis in CELL_AXES)}, others are given in task.settings"
            )
    called = values["data"]["name"] if task.source else _called(task)
    source = task.source or program_digest(code_of(task))
    for name in task.settings:
        said = name in used or any(name in str(formula) for formula in task.costs.values())
        where = "the command" if task.name == COMMAND else "the function"
        require(said, f"task.settings.{name}", task.settings[name], f"{where} does not ask for it")
    asked = {*used, *(["epochs"] if task.length in used else [])}
    own = {a.name: known[a.name] if a.name in asked else 1 for a in CELL_AXES}
    at = {axis: one_value(axis.kind, own[axis.name], axis.key) for axis in CELL_AXES}
    depth, width, resolution, epochs = at.values()
    for axis, value in at.items():
        require(value > 0, axis.key, value, "must be above 0")
    return ProgramParts(
        ModelConfig(family=task.name, depth=depth, width=width),
        ProgramData(name=str(called), resolution=resolution),
        ProgramTrain(recipe=OWN, epochs=epochs),
        replace(task, source=source),
    )


def settings_of(values: Mapping[str, Any], task: Program) -> dict[str, Any]:
    """Every setting that a program may ask for, by name; its own ones come first."""
    flat = dict(flat_items({k: v for k, v in values.items() if k != "task"}))
    axes = {axis.name: flat[axis.key] for axis in CELL_AXES if axis.key in flat}
    length = {task.length: axes["epochs"]} if task.length and "epochs" in axes else {}
    return axes | length | dict(task.settings)


def _asked(task: Program) -> list[str]:
    """The names that a command has in braces, or the parameters of a function."""
    if task.name == COMMAND:
        found = placeholders(task.text, "task.command")
        found += placeholders(task.describe, "task.describe") if task.describe else []
        return list(dict.fromkeys(found))
    return [argument.arg for argument in _definition(task.text)]


def identity(parts: Mapping[str, Any], task: Program) -> dict[str, Any]:
    """What decides a program's numbers, but for the seed: its code, and the values it uses."""
    used = {name: value for name, value in parts.items() if name in (task.asks or ())}
    return {"program": task.text, "source": task.source, "values": used}


def frozen_files(task: Program) -> dict[str, Path]:
    """The files that queued runs need of a program, by their paths in a snapshot of the code.

    Modules of a function are where Python finds them; a command's files are below `FROZEN` as they
    are in the folder of the sweep. What is larger than `MOST_FROZEN` bytes, or lies elsewhere, is
    data.
    """
    files = code_of(task)
    if task.name != COMMAND:
        module = task.text.rpartition(".")[0]
        root, folder = import_root(module, _module_file(task.text).resolve()), Path()
    else:
        root, folder = Path.cwd(), FROZEN
    # Without these a folder would be part of the package of that name beside it.
    files |= {p for f in files for d in f.parents if (p := d / "__init__.py").is_file()}
    within = (p for p in files if p.is_relative_to(root) and p.stat().st_size <= MOST_FROZEN)
    return {str(folder / path.relative_to(root)): path for path in within}


def folder_with(task: Program) -> Path | None:
    """The folder with the files that a run was planned with: this one, or else the snapshot's.

    None if what was planned is in neither.
    """
    for folder in (Path.cwd(), PACKAGE.parent / FROZEN):
        with suppress(InputError):
            if program_digest(code_of(task, folder)) == task.source:
                return folder
    return None


def words_in(words: list[str], folder: Path) -> list[str]:
    """The words of a command, of which those that name files name the ones in `folder`."""
    there = {word: folder / word for word in words[1:]}
    return [words[0], *(str(there[w]) if there[w].is_file() else w for w in words[1:])]


def filled(template: str, values: Mapping[str, Any]) -> list[str]:
    """The words of a command with the values in place; no shell reads them.

    `python` as the first word is the Python that runs us.
    """
    texts = {name: _text(value) for name, value in values.items()}
    words = [_fill(word, texts) for word in shlex.split(template)]
    return [sys.executable if words[0] == "python" else words[0], *words[1:]]


def _fill(word: str, texts: Mapping[str, str]) -> str:
    parts = string.Formatter().parse(word)
    return "".join(text + (texts[name] if name is not None else "") for text, name, *_ in parts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value) and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _called(task: Program) -> str:
    """What the data column says: the program's file or function."""
    if task.name != COMMAND:
        return task.text
    words = _words(task)
    scripts = [path.name for path in _named(words, Path())]
    return scripts[0] if scripts else module_run(words) or words[0]


def code_of(task: Program, folder: Path = Path()) -> set[Path]:
    """The files of a program: of a command those that it names, and what of Python they import.

    `folder` is the one that a command is called in.
    """
    if task.name != COMMAND:
        return files_of_module(task.text.rpartition(".")[0], _module_file(task.text))
    words = _words(task)
    found = {file for path in _named(words, folder) for file in files_of_script(path)}
    if (module := module_run(words)) is None:
        return found
    place = folder.joinpath(*module.split("."))
    files = (place.with_name(f"{place.name}.py"), place / "__main__.py")
    there = [path for path in files if path.is_file()]  # else it is an installed one
    return found.union(*(files_of_module(module, path) for path in there))


def _words(task: Program) -> list[str]:
    try:
        return shlex.split(task.text)
    except ValueError as error:
        raise InputError(f"task.command={task.text}: {error}") from None


def module_run(words: list[str]) -> str | None:
    """The module of `python -m MODULE`; None for another command."""
    before = words.index("-m") if "-m" in words[1:-1] else 0
    return words[before + 1] if before and "python" in Path(words[0]).name else None


def _named(words: list[str], folder: Path) -> Iterator[Path]:
    """Files among the words of a command; InputError for a missing Python script."""
    for word in words:
        if "{" in word:
            continue
        try:
            there = (folder / word).is_file()
        except OSError:
            continue
        missing = f"{word} is not in {folder.resolve()}, where the sweep was started"
        require(there or not word.endswith(".py"), "task.command", " ".join(words), missing)
        if there:
            yield folder / word


def _module_file(function: str) -> Path:
    module, _, name = function.rpartition(".")
    accepted = "must be the import path of a function, as in my_module.train"
    require(bool(module and name), "task.function", function, accepted)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not Path(spec.origin).is_file():
        raise InputError(f"task.function={function}: no module {module} can be found")
    return Path(spec.origin)


def _definition(function: str) -> list[ast.arg]:
    """The parameters of a function, read from its source: planning imports no code of users."""
    path, name = _module_file(function), function.rpartition(".")[2]
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError) as error:
        raise InputError(f"task.function={function}: {path}: {error}") from None
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            plain = node.args.vararg is None and node.args.kwarg is None
            only = "its parameters say which settings it uses: no *args or **kwargs"
            require(plain, "task.function", function, only)
            return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    raise InputError(f"task.function={function}: {path} defines no function {name}")
