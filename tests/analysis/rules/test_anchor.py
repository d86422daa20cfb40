"""What shows from outside when a study was frozen: git tags, and files with the freeze's hash."""

import hashlib
import json
import subprocess

import pytest

from analysis.__main__ import main
from analysis.rules.anchor import anchored
from analysis.rules.freeze import freeze_plan
from analysis.rules.preregistration import freeze
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.common.errors import InputError

DATE = "2026-01-02T03:04:05+00:00"
SECONDS = 1767323045


def git(folder, *arguments):
    people = {
        f"GIT_{who}_{what}": "a@b.c"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    dates = {f"GIT_{who}_DATE": DATE for who in ("AUTHOR", "COMMITTER")}
    config = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin"}
    command = ["git", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=people | dates | config)


@pytest.fixture
def study(tmp_path):
    """A frozen study in a repository that ignores it, as results are."""
    folder = tmp_path / "repository/results/demo"
    folder.mkdir(parents=True)
    freeze(folder, {})
    freeze_plan(folder, {"a-0": "a", "a-1": "a"})
    git(tmp_path / "repository", "init", "-q")
    (tmp_path / "repository/.gitignore").write_text("results/\n")
    git(tmp_path / "repository", "add", ".gitignore")
    git(tmp_path / "repository", "commit", "-qm", "start")
    return folder


def sha256(study):
    return hashlib.sha256((study / "freeze.json").read_bytes()).hexdigest()


def commit_file(study, name, content):
    repository = study.parents[1]
    (repository / name).write_bytes(content)
    git(repository, "add", name)
    git(repository, "commit", "-qm", "the freeze")


def in_message(study):
    git(study, "tag", "-a", "frozen", "-m", f"Frozen.\n\n{sha256(study).upper()}  freeze.json")


def in_commit(study):
    git(study.parents[1], "commit", "-q", "--allow-empty", "-m", f"freeze {sha256(study)}")
    git(study, "tag", "frozen")


def as_file_of_the_tree(study):
    commit_file(study, "plan.json", (study / "freeze.json").read_bytes())
    git(study, "tag", "frozen")


def as_hash_in_the_tree(study):
    commit_file(study, "SHA256SUMS", f"{sha256(study)}  freeze.json\n".encode())
    git(study, "tag", "-a", "frozen", "-m", "see SHA256SUMS")


TAGS = {
    in_message: "message",
    in_commit: "message",
    as_file_of_the_tree: "tree",
    as_hash_in_the_tree: "tree",
}


@pytest.mark.parametrize(("make", "where"), TAGS.items(), ids=[make.__name__ for make in TAGS])
def test_a_tag_with_the_freeze_anchors_it(study, make, where):
    make(study)
    text = anchored("tag:frozen", study, {"a-0": SECONDS + 1})
    assert text.startswith("the git tag frozen (commit ")
    assert text.endswith(f"has freeze.json (SHA-256 {sha256(study)[:12]}…) in its {where}")
    assert "2026-01-0" in text


def test_a_tag_is_found_from_the_current_folder_too(study, monkeypatch, tmp_path):
    in_message(study)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (study / "freeze.json").rename(elsewhere / "freeze.json")
    with pytest.raises(InputError, match="git finds no such tag"):
        anchored("tag:frozen", elsewhere, {})
    monkeypatch.chdir(study)
    assert "in its message" in anchored("tag:frozen", elsewhere, {})


@pytest.mark.parametrize(
    ("began", "text"), [([-9, -1, 1], "; 2 runs began"), ([-1, 1], "; 1 run began")]
)
def test_runs_that_are_older_than_the_tag_are_counted(study, began, text):
    in_message(study)
    times = {str(n): SECONDS + s for n, s in enumerate(began)}
    assert f"{text} before that date" in anchored("tag:frozen", study, times)


@pytest.mark.parametrize("make", [in_message, as_file_of_the_tree])
def test_an_anchor_of_the_first_plan_says_that_it_was_extended(study, make):
    make(study)
    freeze_plan(study, {"a-2": "a"})
    assert "as it was before 1 later plan in its" in anchored("tag:frozen", study, {})
    freeze_plan(study, {"a-3": "a"})
    assert "as it was before 2 later plans in its" in anchored("tag:frozen", study, {})


def test_a_file_with_the_hash_anchors_it(study, tmp_path):
    signed = tmp_path / "freeze.sig"
    signed.write_text(f"-----BEGIN PGP SIGNED MESSAGE-----\n\n{sha256(study)}\n")
    text = anchored(f"file:{signed}", study, {})
    assert text.startswith(f"{signed} has the hash of freeze.json (SHA-256 {sha256(study)[:12]}…)")
    assert "it begins with “-----BEGIN PGP SIGNED MESSAGE-----”" in text
    assert text.endswith("its signature is for the reader to check")
    stamp = tmp_path / "freeze.tsr"
    stamp.write_bytes(b"\x30\x82\xff" + bytes.fromhex(sha256(study)) + b"\x00")
    assert "a binary time stamp" in anchored(f"file:{stamp}", study, {})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tag:other", "does not have .*freeze.json or its SHA-256, [0-9a-f]{64}"),
        ("tag:none", "git finds no such tag"),
        ("tag:*", "git finds no such tag"),
        ("file:{}/other.sig", "does not have .*freeze.json or its SHA-256, [0-9a-f]{64}"),
        ("file:{}/none.sig", "cannot be read"),
        ("frozen", "give tag:NAME"),
        ("tag:", "give tag:NAME"),
        ("", "give tag:NAME"),
    ],
)
def test_what_anchors_nothing_is_refused(study, tmp_path, spec, message):
    git(study, "tag", "-a", "other", "-m", f"{'0' * 64}  freeze.json")
    (tmp_path / "other.sig").write_text(f"{'0' * 64}\n")
    with pytest.raises(InputError, match=message):
        anchored(spec.format(tmp_path), study, {})


def test_an_edited_freeze_is_not_what_was_anchored(study):
    in_message(study)
    content = json.loads((study / "freeze.json").read_text())
    content["plans"][0]["at"] -= 1
    (study / "freeze.json").write_text(json.dumps(content, indent=1) + "\n")
    with pytest.raises(InputError, match="was the file changed since"):
        anchored("tag:frozen", study, {})


def test_without_a_freeze_there_is_nothing_to_anchor(tmp_path):
    with pytest.raises(InputError, match="nothing is frozen"):
        anchored("tag:frozen", tmp_path, {})


@pytest.mark.slow
def test_the_report_shows_the_anchor_and_refuses_a_wrong_one(tmp_path, capsys):
    study, out = write_study(tmp_path, runs({4: -0.1, 24: 0.1})), tmp_path / "out"
    signed = tmp_path / "freeze.sig"
    signed.write_text("0" * 64)
    options = ["--formats", "none", "--details", "--anchor", f"file:{signed}"]
    arguments = [str(study), "-o", str(out), *options]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --anchor file:{signed}: it does not have ")
    assert error.count("\n") == 1
    assert not out.exists()
    signed.write_text(f"Signed by <somebody>\n{sha256(study)}\n")
    assert main(arguments) == 0
    anchor = json.loads((out / "verdicts.json").read_text())["prereg"]["anchor"]
    assert "“Signed by <somebody>”" in anchor
    assert f"; anchored: {anchor}" in capsys.readouterr().out
    assert "The freeze is anchored: " in (page := (out / "report.html").read_text())
    assert "Signed by &lt;somebody&gt;" in page
    assert main(arguments[:-2]) == 0
    assert json.loads((out / "verdicts.json").read_text())["prereg"]["anchor"] is None
    assert "anchored" not in capsys.readouterr().out
