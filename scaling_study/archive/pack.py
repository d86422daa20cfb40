"""scaling-study pack NAME: one file of a study, to keep beside a paper or to send."""

import hashlib
import json
import platform
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling_study.archive.contents import (
    CHECKPOINT,
    ENVIRONMENT,
    KEPT_OF_JOB,
    MANIFEST,
    REPORT,
    SCHEMA,
    Entry,
    belongs,
    is_run_file,
    is_study_file,
)
from scaling_study.common.command_line import add_results, parser, run
from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.common.format import engineering
from scaling_study.common.provenance import git_state, versions
from scaling_study.common.reading import read_json
from scaling_study.study.folders import study_folder
from scaling_study.study.store import Store
from scaling_study.study.table import read_plan

# The earliest time that zip knows: equal studies make equal files; the manifest has the times.
EPOCH = (1980, 1, 1, 0, 0, 0)
BLOCK = 2**20


@dataclass(frozen=True)
class Source:
    """Where the bytes of a file in the archive come from: a file, or text that is made for it."""

    path: Path
    text: str | None = None

    def blocks(self) -> Iterator[bytes]:
        """Its bytes."""
        if self.text is not None:
            yield self.text.encode()
            return
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block

    def entry(self) -> Entry:
        """Its size, digest and time."""
        size, digest = 0, hashlib.sha256()
        for block in self.blocks():
            size += len(block)
            digest.update(block)
        return Entry(size, digest.hexdigest(), self.path.stat().st_mtime)


def environment() -> dict[str, Any]:
    """Python, the platform, the commit of our checkout, and the version of every package."""
    from importlib.metadata import distributions

    commit, dirty = git_state()
    packages = {str(d.metadata["Name"]): d.version for d in distributions()}
    return {
        **versions(),
        "platform": platform.platform(),
        "git_commit": commit,
        "git_dirty": dirty,
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def _sources(study_dir: Path, report: Path | None, checkpoints: bool) -> dict[str, Source]:
    """What goes along, by its name in the archive."""
    study = study_dir.resolve().name
    found = {
        f"{study}/{path.name}": Source(path)
        for path in study_dir.iterdir()
        if path.is_file() and is_study_file(path.name)
    }
    if f"{study}/{ENVIRONMENT}" not in found:  # one that was unpacked keeps its own
        text = json.dumps(environment(), indent=1) + "\n"
        found[f"{study}/{ENVIRONMENT}"] = Source(study_dir / "plan.csv", text)
    for path in sorted(report.rglob("*")) if report else ():
        name = f"{study}/{REPORT}/{path.relative_to(report or path).as_posix()}"
        if path.is_file() and belongs(name, study):
            found[name] = Source(path)
    store = Store(study_dir.parent)
    for row in read_plan(study_dir):
        found |= _of_run(store, row["run_id"], checkpoints)
    return found


def _of_run(store: Store, run_id: str, checkpoints: bool) -> dict[str, Source]:
    """The files of a run that has a result; none of another."""
    folder = store.run_dir(run_id)
    if not (folder / "result.json").is_file():
        return {}
    found = {
        f"runs/{run_id}/{path.name}": Source(path)
        for path in folder.iterdir()
        if is_run_file(path.name) and (checkpoints or path.name != CHECKPOINT)
    }
    if (job := f"runs/{run_id}/job.json") in found:
        kept = {key: value for key, value in store.job(run_id).items() if key in KEPT_OF_JOB}
        found[job] = Source(folder / "job.json", json.dumps(kept, indent=1) + "\n")
    return found


def _report_of(study_dir: Path, given: Path | None) -> Path | None:
    """The folder that an analysis of the study has written, if there is one.

    Raises an InputError if one is named that is none, or is another study's.
    """
    study = study_dir.resolve().name
    for folder in (given,) if given else (Path("figures") / study, study_dir / REPORT):
        verdicts: Mapping[str, Any] = read_json(folder / "verdicts.json", {})
        if verdicts.get("study") == study:
            return folder
    if given:
        raise InputError(f"--report {given}: no analysis of {study} is there")
    return None


def write(sources: Mapping[str, Source], study: str, out: Path) -> None:
    """Write the archive whole; raises an InputError if it is there with another content."""
    entries = {name: sources[name].entry() for name in sorted(sources)}
    files = {name: asdict(entry) for name, entry in entries.items()}
    manifest = json.dumps({"schema": SCHEMA, "study": study, "files": files}, indent=1) + "\n"
    taken = f"{out} exists already; remove it, or give another name with -o FILE"
    try:
        with replacing(out) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(_info(MANIFEST), manifest)
                for name in entries:
                    with archive.open(_info(name), "w", force_zip64=True) as member:
                        for block in sources[name].blocks():
                            member.write(block)
            file.flush()
            if out.exists() and _digest(out) != _digest(Path(file.name)):
                raise InputError(taken)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(study_dir: Path, out: Path | None, report: Path | None, checkpoints: bool) -> list[str]:
    """Pack a study; the lines to print. Raises an InputError for what cannot be packed."""
    study, report = study_dir.resolve().name, _report_of(study_dir, report)
    out = out or Path(f"{study}.zip")
    sources = _sources(study_dir, report, checkpoints)
    write(sources, study, out)
    packed = sum(name.endswith("/result.json") for name in sources)
    missing = len(read_plan(study_dir)) - packed
    what = (
        f"{packed} runs{' with checkpoints' if checkpoints else ''}{', report' if report else ''}"
    )
    lines = [f"{out}: {study} with {what}, {engineering(out.stat().st_size)}B"]
    if missing:
        lines.append(f"{missing} planned runs have no result, and are in its plan alone")
    if report is None:
        lines.append(f"no report: scaling-study report {study_dir} -o figures/{study} makes one")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "scaling_study pack",
        "Makes one zip file of a study: plan, rules, results and metrics, the report if there is "
        "one, and the versions of all packages. `unpack` puts it into another results folder, "
        "where its analysis gives the same verdicts.",
    )
    asked.add_argument("study", help="its name, or its folder, as in results/depth_vs_width")
    asked.add_argument("-o", dest="out", type=Path, metavar="FILE", help="default: NAME.zip")
    help_ = "folder that `report` wrote (default: figures/NAME, if it is there)"
    asked.add_argument("--report", type=Path, metavar="DIR", help=help_)
    asked.add_argument("--checkpoints", action="store_true", help="the trained networks too")
    add_results(asked)
    args = asked.parse_args(arguments)
    return run(
        lambda: pack(
            study_folder(args.study, args.results), args.out, args.report, args.checkpoints
        )
    )


if __name__ == "__main__":
    sys.exit(main())
