"""What is installed beside us: pinned, whole, and under licences that a user can live with."""

import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("", "data", "tensorboard", "workspaces", "docs", "dev")
FREE = re.compile(
    r"MIT|BSD|Apache|MPL|Mozilla|PSF|Python Software Foundation|ISC|Zlib|LGPL|LICENSE: Python", re.I
)
# Licences of programs that one may not link freely; LGPL's are libraries.
STRICT = re.compile(r"(?<!L)GPL|Affero|Proprietary|Commercial", re.I)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    return {plain(name): version for name, version in (line.split("==") for line in lines)}


def needed() -> dict[str, Distribution]:
    """Everything that installing us with our extras installs, by plain name; ourselves left out."""
    found: dict[str, Distribution] = {}
    waiting = [("scaling-study", EXTRAS)]
    while waiting:
        name, extras = waiting.pop()
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # timm, of an extra that is not installed here
            continue
        for text in installed.requires or ():
            need = Requirement(text)
            asked = need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras)
            if asked and plain(need.name) not in found:
                try:
                    found[plain(need.name)] = distribution(need.name)
                except PackageNotFoundError:
                    continue
                waiting.append((need.name, ("", *need.extras)))
    return found


def licence(package: Distribution) -> str:
    metadata = package.metadata
    classified = [c for c in metadata.get_all("Classifier") or () if c.startswith("License")]
    known = (metadata.get("License-Expression"), *classified, metadata.get("License"))
    # Some say it in their file alone.
    files = (package.read_text(f"licenses/{name}") for name in metadata.get_all("License-File", ()))
    return " ".join(filter(None, known)) or " ".join(filter(None, files))


def test_every_package_that_is_installed_with_us_is_pinned() -> None:
    pinned, found = pins(), needed()
    assert len(found) > 50
    assert not found.keys() - pinned.keys() - {"setuptools"}


def test_licences_are_free_and_do_not_bind_users() -> None:
    for name, package in needed().items():
        text = licence(package)
        assert FREE.search(text), (name, text[:80])
        assert not STRICT.search(text[:400]), (name, text[:80])


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
