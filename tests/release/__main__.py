"""make release-check: exit code 0 if what would be published is whole, 1 with what is not."""

import argparse
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

from release.artifacts import ROOT, built_twice
from release.installed import pythons, works

FOLDER = ROOT / ".cache" / "release"
PARTS = ("build", "page", "installed")


def build_problems() -> Iterator[str]:
    """What differs between two builds of one commit."""
    files, different = built_twice(FOLDER / "build")
    for path in files:
        print(f"built {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    for name, (first, second) in different.items():
        yield f"{name} is not reproducible: SHA-256 {first[:12]} and {second[:12]}"


def wheel() -> Path:
    (found,) = (FOLDER / "build" / "first").glob("*.whl")
    return found


def page_problems() -> Iterator[str]:
    """What an index of packages would show badly: the README, as it is in the wheel."""
    tools = FOLDER / "tools"
    if not (tools / "bin" / "twine").exists():
        venv.create(tools, with_pip=True, clear=True)
        subprocess.run([str(tools / "bin/pip"), "install", "-q", "twine"], check=True)
    files = map(str, (FOLDER / "build" / "first").iterdir())
    words = [str(tools / "bin/twine"), "check", "--strict", *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stdout + done.stderr
    if links := relative_links(wheel()):
        yield (
            f"{len(links)} links of the README, such as {links[0]}, lead to files of a checkout, "
            "which an index does not have"
        )


def relative_links(path: Path) -> list[str]:
    """Links of the description that mean files of a checkout."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = message_from_string(archive.read(name).decode()).get_payload()
    return sorted({t for t in re.findall(r"\]\(([^)#\s]+)", str(text)) if "://" not in t})


def installed_problems(index: str | None) -> Iterator[str]:
    for version, python in pythons().items():
        said = works(python, wheel(), FOLDER / f"python{version}", index)
        print(f"Python {version}: {'does not work' if said else 'installed, and did the main job'}")
        if said:
            yield f"Python {version}: {said}"


def main() -> int:
    asked = argparse.ArgumentParser(prog="release", description=__doc__)
    asked.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    asked.add_argument("--torch-index", metavar="URL", help="a wheel index that has torch")
    args = asked.parse_args()
    parts = {
        "build": build_problems,
        "page": page_problems,
        "installed": lambda: installed_problems(args.torch_index),
    }
    problems = [text for name in args.only or PARTS for text in parts[name]()]
    for text in problems:
        print(text, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
