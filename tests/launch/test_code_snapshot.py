"""What code queued jobs run: the package and a user's own modules, as they were when submitted."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.commands import environment
from scaling_study.common.errors import InputError
from scaling_study.common.provenance import changed
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.code_snapshot import freeze, refuse_dirty


@pytest.mark.slow
def test_code_is_frozen_once_and_dirty_code_is_refused(
    execution: ExecutionConfig, tmp_path: Path
) -> None:
    clean = replace(execution, git_commit="abcdef0123456789", git_dirty=False)
    frozen = freeze(clean, tmp_path).folder
    assert frozen.name.startswith("abcdef012345-")
    assert freeze(clean, tmp_path).folder == frozen
    probe = "import scaling_study.launch.slurm.worker as w; print(w.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, "PYTHONPATH": str(frozen)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(frozen))
    dirty = replace(clean, git_dirty=True)
    with pytest.raises(InputError, match="uncommitted changes"):
        refuse_dirty(dirty, allow_dirty=False)
    refuse_dirty(dirty, allow_dirty=True)
    assert "-dirty-" in freeze(dirty, tmp_path).folder.name


def test_results_in_a_checkout_are_no_change_of_its_code(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "scaling_study").mkdir()
    (tmp_path / "README.md").write_text("one")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "myresults").mkdir()
    (tmp_path / "myresults" / "plan.csv").write_text("run_id")
    assert changed(tmp_path) is False
    (tmp_path / "scaling_study" / "new.py").write_text("")
    assert changed(tmp_path) is True
    (tmp_path / "scaling_study" / "new.py").unlink()
    (tmp_path / "README.md").write_text("two")
    assert changed(tmp_path) is True
    assert changed(tmp_path / "scaling_study" / "nowhere") is None


# A user's folder: a package with data of its own, a package without __init__, and a module.
FILES = {
    "my_models/__init__.py": "",
    "my_models/family.py": "import json\nfrom pathlib import Path\nSIZES = json.loads("
    "Path(__file__).with_name('sizes.json').read_text())\n",
    "my_models/later.py": "SIZES = [1]\n",
    "my_models/sizes.json": "[1]",
    "my_models/results/runs/a/result.json": "{}",
    "my_models/.git/config": "",
    "my_data/stripes.py": "SIZES = [1]\n",
    "my_rules.py": "SIZES = [1]\n",
    "not_imported.py": "SIZES = [1]\n",
}
FREEZE = """
import sys
from importlib import import_module
from pathlib import Path
from helpers.tiny import plain_execution
from scaling_study.launch.code_snapshot import freeze
for name in sys.argv[1:]: import_module(name)
here = Path.cwd()
execution = plain_execution(here / "my_models" / "results", here / "cache")
print(freeze(execution, here / "snapshots").folder)
"""
READ = """
import sys
from importlib import import_module
print([import_module(name).SIZES for name in sys.argv[1:]])
"""
MODULES = ("my_models.family", "my_models.later", "my_data.stripes", "my_rules")


def python(folder: Path, code: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def frozen(folder: Path) -> Path:
    """The snapshot that a process makes which has imported the user's modules but `later`."""
    imported = [name for name in MODULES if name != "my_models.later"]
    path = os.pathsep.join([str(folder), *sys.path])
    return Path(python(folder, FREEZE, *imported, PYTHONPATH=path))


@pytest.fixture
def users(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_jobs_import_a_users_modules_as_they_were(users: Path) -> None:
    snapshot = frozen(users)
    assert (snapshot / "scaling_study/launch/job.py").is_file()
    for name in FILES:
        if name.startswith("my_") and "/." not in name:
            (users / name).write_text("SIZES = [2]\n" if name.endswith("py") else "[2]", "utf-8")
    # As a job starts: in the user's folder, and with PYTHONSAFEPATH.
    job = {"PYTHONPATH": str(snapshot), "PYTHONSAFEPATH": "1"}
    assert python(users, READ, *MODULES, **job) == str([[1]] * 4)


def test_a_snapshot_has_what_was_imported_and_no_results(users: Path) -> None:
    snapshot = frozen(users)
    top = {path.name for path in snapshot.iterdir()}
    assert {"scaling_study", "my_models", "my_data", "my_rules.py"} <= top
    assert not top & {"not_imported.py", "torch", "numpy", "yaml", "json"}
    found = {path.name for path in (snapshot / "my_models").iterdir()}
    assert found == {"__init__.py", "family.py", "later.py", "sizes.json"}


@pytest.mark.slow
def test_a_users_change_makes_another_snapshot(users: Path) -> None:
    first = frozen(users)
    assert frozen(users) == first
    (users / "my_models/sizes.json").write_text(json.dumps([3]), encoding="utf-8")
    assert frozen(users) != first
