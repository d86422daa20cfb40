"""`scaling-study COMMAND`, or `python -m scaling_study COMMAND`: every command by its name."""

import os
import sys
from collections.abc import Sequence

from scaling_study import __version__
from scaling_study.common.command_line import PROGRAM, entry_point, report
from scaling_study.common.errors import InputError
from scaling_study.common.paths import import_own_analysis
from scaling_study.common.validation import suggest
from scaling_study.dispatch import help as texts
from scaling_study.dispatch.catalogue import COMMANDS, Command

HELP = ("-h", "--help")


@entry_point
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names, with the others; the exit code."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if name in HELP:
        print(texts.overall())
        return 0
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return 0
    if name not in COMMANDS:
        known = f"{PROGRAM} --help lists the commands"
        return report(f"{name}: no such command{suggest(name, [*COMMANDS])}; {known}")
    return _run(COMMANDS[name], rest)


def _run(command: Command, rest: Sequence[str]) -> int:
    """The command with these arguments, asked for help in our words."""
    asked = any(word in HELP for word in rest)
    if asked and command.about:
        print(texts.of_settings(command))
        return 0
    try:
        _find_modules()
    except InputError as error:
        return report(str(error))
    # Hydra takes no overrides on both sides of an option, as in --config-dir DIR.
    typed = [n for n, word in enumerate(rest, 1) if "=" in word and not word.startswith("-")]
    after = max(typed, default=len(rest))
    sys.argv = [f"{PROGRAM} {command.name}", *rest[:after], *command.words, *rest[after:]]
    try:
        return command() or 0
    except SystemExit as end:
        if asked and not end.code:
            print("\n".join(["", *texts.examples(command)]))
        raise


def _find_modules() -> None:
    """Modules of the user's are found in the working folder, and never taken for our own."""
    # A script's path begins with its own folder, that of `python -m` with the working folder.
    if not sys.flags.safe_path and not {"", os.getcwd()} & {*sys.path}:
        sys.path.append(os.getcwd())
    import_own_analysis()


if __name__ == "__main__":
    sys.exit(main())
