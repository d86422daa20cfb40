"""A freeze anchored outside the study: something that others can date holds freeze.json's SHA-256.

Files of a study can be written at any time. A git tag that was pushed, or a signed or stamped file,
cannot; what it is worth is for the reader to check, here is checked that it is about this freeze.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from analysis.rules.freeze import FILE, freeze_text, read_freeze
from scaling_study.common.errors import InputError
from scaling_study.common.provenance import git

ACCEPTED = (
    "give tag:NAME, a git tag whose message or tree has freeze.json or its SHA-256, or file:PATH, "
    "a signed or stamped file that has its SHA-256"
)
# What of a file's first line is shown.
SHOWN = 200


@dataclass(frozen=True)
class State:
    """What freeze.json holds, or held when it listed `later` fewer plans than now."""

    content: bytes
    later: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blobs(self) -> set[str]:
        """Its names as a git object, by either of git's hashes."""
        blob = b"blob %d\0" % len(self.content) + self.content
        return {hashlib.sha1(blob).hexdigest(), hashlib.sha256(blob).hexdigest()}

    def __str__(self) -> str:
        extended = f" as it was before {self.later} later plan{'s' * (self.later != 1)}"
        return f"{FILE} (SHA-256 {self.sha256[:12]}…){extended if self.later else ''}"


def anchored(spec: str, study_dir: Path, began: Mapping[str, float]) -> str:
    """What anchors the freeze of a study, in words; `spec` is tag:NAME or file:PATH.

    `began` is when each analysed run began, in s since 1970. Raises InputError where there is no
    such tag, file or freeze, or where it is about something else.
    """
    kind, _, name = spec.partition(":")
    if kind not in ("tag", "file") or not name:
        raise InputError(f"--anchor {spec!r}: {ACCEPTED}")
    states = _states(study_dir)
    if not states:
        raise InputError(f"--anchor {spec}: {study_dir / FILE} is not there, so nothing is frozen")
    found = _tag(name, study_dir, states, began) if kind == "tag" else _file(Path(name), states)
    if found is None:
        raise InputError(
            f"--anchor {spec}: it does not have {study_dir / FILE} or its SHA-256, "
            f"{states[0].sha256}; was it made for another study, or was the file changed since?"
        )
    return found


def _states(study_dir: Path) -> list[State]:
    """What freeze.json holds now, then what it held before each plan that was added later."""
    freeze, path = read_freeze(study_dir), study_dir / FILE
    if freeze is None:
        return []
    count = len(freeze.plans)
    parts = [replace(freeze, plans=freeze.plans[:n]) for n in range(count - 1, 0, -1)]
    earlier = [
        State(freeze_text(part).encode(), later) for later, part in enumerate(parts, start=1)
    ]
    return [State(path.read_bytes(), 0), *earlier]


def _file(path: Path, states: Iterable[State]) -> str | None:
    """Of a file, as text or, in a binary time stamp, as bytes; None if it has no state's hash."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"--anchor file:{path}: cannot be read ({error.strerror})") from None
    for state in states:
        if bytes.fromhex(state.sha256) in content:
            return f"{path} (a binary time stamp) is about {state}; it is for the reader to check"
        if state.sha256.encode() in content.lower():
            first = content.decode("utf-8", "replace").strip().partition("\n")[0].strip()[:SHOWN]
            return (
                f"{path} has the hash of {state}; it begins with “{first}”; its signature is for "
                "the reader to check"
            )
    return None


def _tag(
    name: str, study_dir: Path, states: Iterable[State], began: Mapping[str, float]
) -> str | None:
    """Of a git tag in the repository of the study, or of the current folder."""
    ref = f"refs/tags/{name}"
    for folder in (study_dir, Path.cwd()):
        if commit := git(
            folder, "rev-parse", "--short", "--verify", "--quiet", f"{ref}^{{commit}}"
        ):
            break
    else:
        raise InputError(
            f"--anchor tag:{name}: git finds no such tag in the repository of {study_dir} or of "
            "the current folder"
        )
    message = git(folder, "for-each-ref", "--format=%(contents)", ref) or ""
    tree = git(folder, "ls-tree", "-r", "--full-tree", ref) or ""
    made = int(git(folder, "for-each-ref", "--format=%(creatordate:unix)", ref) or 0)
    date = datetime.fromtimestamp(made).astimezone().isoformat(timespec="seconds")
    early = sum(at < made for at in began.values())
    late = f"; {early} run{'s' * (early != 1)} began before that date" if early else ""
    for state in states:
        where = "message" * (state.sha256 in message.lower())
        where = where or "tree" * any(blob in tree for blob in state.blobs)
        where = where or "tree" * bool(git(folder, "grep", "-lFi", state.sha256, ref, "--", ":/"))
        if where:
            return f"the git tag {name} (commit {commit}, {date}) has {state} in its {where}{late}"
    return None
