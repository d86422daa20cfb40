"""python -m analysis.studies_page STUDY…: a page of published studies, from their tables."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scaling_study.common.command_line import parser, run
from scaling_study.common.errors import InputError

HEAD = """\
# Studies

What the laptop studies of [sweeps/grid](../sweeps/grid/README.md) gave, each trained once as its
grid declares it, whichever way it came out. The tables are in [studies](../studies/README.md); this
page is what their analysis says, and `make studies-page` writes it anew. The
[report](report.md#ten-words) explains ten words, [statistics](statistics.md) says how often
verdicts are wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis.studies_page",
        "Writes a page about studies: question, picture, verdicts, design, power, limits and cost "
        "of each, from the tables that `pack --folder` keeps.",
    )
    asked.add_argument("studies", nargs="+", type=Path, help="folders, as studies/depth_vs_width")
    asked.add_argument(
        "--together",
        nargs="+",
        default=[],
        metavar="STUDY",
        help="studies of several data sets whose effects are summed up at the end, as "
        "analysis.summary does",
    )
    default = Path("docs/studies.md")
    asked.add_argument("-o", "--output", type=Path, default=default, help="default: %(default)s")
    args = asked.parse_args(arguments)
    return run(lambda: _page(args))


def _page(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.studies_page.chapter import chapter, keep_picture
    from analysis.studies_page.together import together
    from scaling_study.common.files import replace_file

    pictures, lines = args.output.with_suffix(""), [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for study in args.studies:
            found = chapter(study, Path(folder) / study.name)
            name = keep_picture(found, pictures)
            lines += found.text(power_of(study.name), f"{pictures.name}/{name}")
    if args.together:
        lines += together(args.together, pictures)
    replace_file(args.output, "\n".join(lines).rstrip() + "\n")
    return [str(args.output)]


def power_of(grid: str) -> list[str]:
    """What the plan of a shipped grid says it can decide, a phrase each.

    Raises:
        InputError: there is no such grid.
    """
    command = [sys.executable, "-m", "scaling_study", "plan", f"+grid={grid}"]
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(done.stderr.strip().removeprefix("error: "))
    lines = done.stdout.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith("what can be dec")), None)
    if first is None:
        return []
    told = lines[first + 1 :]
    end = next((n for n, line in enumerate(told) if not line.startswith("  ")), len(told))
    return [f"{line.strip()}." for line in told[:end]]


if __name__ == "__main__":
    sys.exit(main())
