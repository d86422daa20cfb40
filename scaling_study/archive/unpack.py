"""scaling-study unpack FILE: a packed study, put into a results folder.

An archive may come from anybody: nothing is written before all of it was checked, nothing outside
the folder, nothing over a file with another content.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_study.archive.contents import KEPT_OF_JOB, MANIFEST, Entry, manifest_of
from scaling_study.common.command_line import add_results, parser, run
from scaling_study.common.errors import InputError
from scaling_study.common.format import engineering
from scaling_study.study.store import check_writable

# Text of runs packs to a tenth or less; a file that unpacks to more than this is no study.
MOST_RATIO, FREE_BYTES = 200, 2**26
BLOCK = 2**20
# What reading a damaged or strange archive raises.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def unpack(file: Path, results_dir: Path) -> list[str]:
    """Put the study in `file` into a results folder; the lines to print.

    Runs that are there with the same result stay as they are.

    Raises:
        InputError: no archive of a study, one that is damaged or unsafe, or one that would replace
            a file by another.
    """
    check_writable(results_dir, "--results", str(results_dir))
    try:
        with zipfile.ZipFile(file) as archive:
            study, files = _checked(archive, file.stat().st_size)
            _check_room(files, results_dir)
            wanted = _missing(files, results_dir)
            with tempfile.TemporaryDirectory(prefix=".unpack.", dir=results_dir) as folder:
                for name in files:
                    _extract(archive, name, files[name], Path(folder))
                _move(wanted, Path(folder), results_dir)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{file}: no archive of a study that can be read ({reason})") from None
    runs = sum(name.endswith("/result.json") for name in files)
    there = runs - sum(name.endswith("/result.json") for name in wanted)
    known = f", {there} of which were there" if there else ""
    return [
        f"{results_dir / study}: {runs} runs{known}",
        f"next: scaling-study report {results_dir / study} -o figures/{study}",
    ]


def _checked(archive: zipfile.ZipFile, packed: int) -> tuple[str, dict[str, Entry]]:
    """The study and its files, once names, kinds and sizes of all members are as they should be."""
    members = archive.infolist()
    names = [info.orig_filename for info in members]
    if MANIFEST not in names:
        raise InputError(f"it has no {MANIFEST}; give a file that `scaling-study pack` made")
    size = sum(info.file_size for info in members)
    if size > MOST_RATIO * packed + FREE_BYTES:
        raise InputError(f"it would unpack to {engineering(size)}B, more than any study does")
    for info in members:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in (0, stat.S_IFREG):
            raise InputError(f"{info.orig_filename!r} is no plain file")
    study, files = manifest_of(_json(archive.read(MANIFEST), MANIFEST))
    if sorted(names) != sorted([MANIFEST, *files]):
        odd = sorted({*names} ^ {MANIFEST, *files}) or ["a file that is there twice"]
        raise InputError(f"{MANIFEST} and the files differ: {odd[0]!r}")
    for info in members:
        if info.filename != MANIFEST and info.file_size != files[info.filename].size:
            raise InputError(f"{info.filename}: not the size that {MANIFEST} says")
    return study, files


def _json(content: bytes, name: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not JSON") from None


def _missing(files: Mapping[str, Entry], results_dir: Path) -> list[str]:
    """The files that are not there yet; the plan is the last, because it makes a folder a study.

    Raises an InputError for a file or a run that is there with another content.
    """
    runs = {name.rpartition("/")[0] for name in files if name.startswith("runs/")}
    there = {run for run in runs if _has_run(run, files, results_dir)}
    wanted = [
        name
        for name in files
        if (name.rpartition("/")[0] not in there if name.startswith("runs/") else
            not _is_there(name, files[name], results_dir))
    ]  # fmt: skip
    return sorted(wanted, key=lambda name: (not name.startswith("runs/"), "plan.csv" in name))


def _has_run(folder: str, files: Mapping[str, Entry], results_dir: Path) -> bool:
    """Whether the run is there with the result that the archive has."""
    result = f"{folder}/result.json"
    if result not in files:
        raise InputError(f"{folder} has no result")
    if not (results_dir / folder).exists():
        return False
    if not _is_there(result, files[result], results_dir):
        raise InputError(f"{results_dir / folder} is there without a result; it may be in work")
    return True


def _is_there(name: str, entry: Entry, results_dir: Path) -> bool:
    """Whether the folder has this very file; InputError if it has another one of the name."""
    path = results_dir / name
    if not path.exists() and not path.is_symlink():
        return False
    if path.is_file() and path.stat().st_size == entry.size:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256:
                return True
    advice = "unpack into another folder, as in --results unpacked"
    raise InputError(f"{path} is there with another content; {advice}")


def _check_room(files: Mapping[str, Entry], results_dir: Path) -> None:
    size, free = sum(entry.size for entry in files.values()), shutil.disk_usage(results_dir).free
    if size > free:
        raise InputError(f"{engineering(size)}B, and {results_dir} has room for {free}")


def _extract(archive: zipfile.ZipFile, name: str, entry: Entry, folder: Path) -> None:
    """Write one file below `folder`; InputError if it is not what the manifest says."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), entry.size
    with archive.open(name) as member, path.open("xb") as file:
        while block := member.read(BLOCK):
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            file.write(block)
    if left or digest.hexdigest() != entry.sha256:
        raise InputError(f"{name}: damaged, its content is not what {MANIFEST} says")
    if path.name == "job.json":
        job = _json(path.read_bytes(), name)
        if not isinstance(job, dict) or {*job} - {*KEPT_OF_JOB}:
            raise InputError(f"{name}: it says more than when the run was trained")
    os.utime(path, (entry.mtime, entry.mtime))


def _move(wanted: Sequence[str], folder: Path, results_dir: Path) -> None:
    for name in wanted:
        target = results_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / name, target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for what cannot be unpacked."""
    asked = parser(
        "scaling_study unpack",
        "Puts a packed study into a results folder. All of the file is checked first; what is "
        "there stays, and if it differs nothing is unpacked.",
    )
    asked.add_argument("file", type=Path, help="what `pack` made, such as depth_vs_width.zip")
    add_results(asked)
    args = asked.parse_args(arguments)
    return run(lambda: unpack(args.file, args.results))


if __name__ == "__main__":
    sys.exit(main())
