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

from scaling_study.archive import croissant
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
from scaling_study.archive.tabled import tabled, write_tabled
from scaling_study.common.command_line import add_results, parser, run
from scaling_study.common.errors import InputError
from scaling_study.common.files import replacing
from scaling_study.common.format import engineering
from scaling_study.common.provenance import git_state, versions
from scaling_study.common.reading import read_json
from scaling_study.common.validation import is_number
from scaling_study.study.folders import study_folder
from scaling_study.study.result import read_result
from scaling_study.study.result_table import TABLE, Tabled, read_result_table, result_table
from scaling_study.study.store import Store
from scaling_study.study.table import read_grid, read_plan, tabled_results

# The earliest time that zip knows: equal studies make equal files; the manifest has the times.
EPOCH = (1980, 1, 1, 0, 0, 0)
BLOCK = 2**20
# In s since 1970: no date is later.
YEAR_10000 = 253_402_300_800


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


def _sources(
    study_dir: Path, report: Path | None, checkpoints: bool, published: Mapping[str, Any]
) -> dict[str, Source]:
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
    store, runs = Store(study_dir.parent), [row["run_id"] for row in read_plan(study_dir)]
    for run_id in runs:
        found |= _of_run(store, run_id, checkpoints)
    for name, text in _described(study_dir, store, runs, published).items():
        found[f"{study}/{name}"] = Source(study_dir / "plan.csv", text)
    return found


def _described(
    study_dir: Path, store: Store, runs: Sequence[str], published: Mapping[str, Any]
) -> dict[str, str]:
    """The results as one table, and its description in Croissant, by the names of the files."""
    known = tabled_results(study_dir)
    rows, ended = [known[run_id] for run_id in runs if run_id in known], list[float]()
    for run_id in () if known else runs:
        try:
            result = read_result(store.run_dir(run_id) / "result.json")
        except (OSError, ValueError):
            continue  # no result, or one that no analysis can read
        rows.append(Tabled(result, store.began(run_id, result.wall_s)))
        if is_number(end := store.job(run_id).get("ended")) and 0 < end < YEAR_10000:
            ended.append(end)
    table = result_table(rows)
    text = croissant.description(
        study_dir.resolve().name,
        " ".join(str(read_grid(study_dir).get("question") or "").split()),
        table,
        max(ended, default=None),
        published,
    )
    return {TABLE: table, croissant.DESCRIPTION: text}


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


def pack(
    study_dir: Path,
    out: Path | None,
    report: Path | None,
    checkpoints: bool,
    publication: croissant.Publication,
) -> list[str]:
    """Pack a study; the lines to print. Raises an InputError for what cannot be packed."""
    published = croissant.published_as(study_dir, publication)
    study, report = study_dir.resolve().name, _report_of(study_dir, report)
    out = out or Path(f"{study}.zip")
    sources = _sources(study_dir, report, checkpoints, published)
    write(sources, study, out)
    packed = sum(name.endswith("/result.json") for name in sources) or len(
        tabled_results(study_dir)
    )
    missing = len(read_plan(study_dir)) - packed
    what = (
        f"{packed} runs{' with checkpoints' if checkpoints else ''}{', report' if report else ''}"
    )
    lines = [f"{out}: {study} with {what}, {engineering(out.stat().st_size)}B"]
    if missing:
        lines.append(f"{missing} planned runs have no result, and are in its plan alone")
    if "license" not in published:
        lines.append(f"no licence in {croissant.DESCRIPTION}: --license CC-BY-4.0 states that one")
    if report is None:
        lines.append(f"no report: scaling-study report {study_dir} -o figures/{study} makes one")
    return lines


def pack_as_table(
    study_dir: Path, folder: Path, replace: bool, publication: croissant.Publication
) -> list[str]:
    """Write a study with its results as one table; the lines to print. Raises as `pack`."""
    published = croissant.published_as(study_dir, publication)
    place, runs = folder / study_dir.resolve().name, [r["run_id"] for r in read_plan(study_dir)]
    described = _described(study_dir, Store(study_dir.parent), runs, published)
    write_tabled(tabled(study_dir, described), place, replace)
    return [
        f"{place}: {len(read_result_table(place / TABLE))} results of {len(runs)} runs",
        f"next: scaling-study report {place} -o figures/{place.name}",
    ]


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
    help_ = "no zip file, but DIR/NAME with plan, rules and a table of results, for a repository"
    asked.add_argument("--folder", type=Path, metavar="DIR", help=help_)
    help_ = "with --folder: put them in the place of other results of a study of that name"
    asked.add_argument("--replace", action="store_true", help=help_)
    asked.add_argument("--license", metavar="SPDX|URL", help="of the data, as CC-BY-4.0")
    asked.add_argument("--creator", metavar="NAME", help="who made them")
    asked.add_argument("--url", help="where they are published")
    asked.add_argument("--published", metavar="DATE", help="and since when, as 2026-01-31")
    add_results(asked)
    args = asked.parse_args(arguments)
    publication = croissant.Publication(
        license=args.license, creator=args.creator, url=args.url, published=args.published
    )

    def packed() -> list[str]:
        study_dir = study_folder(args.study, args.results)
        if args.folder is not None:
            return pack_as_table(study_dir, args.folder, args.replace, publication)
        return pack(study_dir, args.out, args.report, args.checkpoints, publication)

    return run(packed)


if __name__ == "__main__":
    sys.exit(main())
