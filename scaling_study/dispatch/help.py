"""What `scaling-study --help` and `scaling-study COMMAND --help` say."""

from collections.abc import Iterator
from textwrap import fill

from scaling_study.common.command_line import PROGRAM
from scaling_study.dispatch.catalogue import COMMANDS, GROUPS, Command
from scaling_study.grid.shipped import names, question

WIDTH = 80
FIRST_STEPS = ("plan", "run", "status", "report")


def overall() -> str:
    """All commands by what they are for, and how to begin."""
    lines = [
        f"usage: {PROGRAM} COMMAND …",
        "",
        "Scaling studies of vision models: from a grid to a verdict with an error bar.",
    ]
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {command.name:<10} {command.summary}" for command in commands]
    lines += ["", "To begin:"]
    lines += [f"  {PROGRAM} {COMMANDS[name].examples[0]}" for name in FIRST_STEPS]
    return "\n".join(
        [
            *lines,
            "",
            f"{PROGRAM} COMMAND --help says more about one of them. Where {PROGRAM} is",
            "not on the path, python -m scaling_study COMMAND is the same. Exit codes: 0 all",
            "well, 1 some runs failed, 2 bad input.",
        ]
    )


def of_settings(command: Command) -> str:
    """Help of a command that takes settings: what it does, examples, and the grids if it needs one.

    The settings themselves are files of YAML, which Hydra lists.
    """
    grid = "+grid=NAME " if command.needs_grid else ""
    start = f"{PROGRAM} {command.name} {grid}"
    lines = [f"usage: {start}[KEY=VALUE …]", "", command.about, "", *examples(command)]
    if command.needs_grid:
        lines += ["", "grids (or NAME.yaml of yours, in FOLDER/grid with", "  "
                  "hydra.searchpath=[file://FOLDER]):", *_grids()]  # fmt: skip
    return "\n".join(
        [
            *lines,
            "",
            f"{start}--cfg job prints every setting with its value;",
            f"{PROGRAM} {command.name} --hydra-help is the help of Hydra, which reads them.",
        ]
    )


def examples(command: Command) -> list[str]:
    """What to type."""
    return ["examples:", *(f"  {PROGRAM} {text}" for text in command.examples)]


def _grids() -> Iterator[str]:
    """Each grid that ships: its name and its question."""
    known = names()
    width = max(map(len, known)) + 4
    for name in known:
        yield fill(
            question(name),
            WIDTH,
            initial_indent=f"  {name:<{width - 2}}",
            subsequent_indent=" " * width,
        )
