"""What SECURITY.md promises: keys stay in the environment, links are not written through, and no
file is loaded in a way that could run code. What jobs execute: tests/launch/test_own_code.py.
"""

import ast
import gzip
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.tiny import tiny
from helpers.tracked import call
from scaling_study.common.files import WriteError, no_link
from scaling_study.common.paths import PACKAGE
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.job import Job
from scaling_study.study.store import Store

SMALL = (
    *("+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0]", "train.warmup_epochs=0"),
    *("train.epochs=1", "data.train_per_class=8", "data.val_per_class=4", "train.batch_size=8"),
)
KEYS = {
    "WANDB_API_KEY": "a1b2c3d4" * 5,
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret",
    "HF_TOKEN": "hf_planted-token",
    "SLURM_JWT": "planted-jwt",
    "MY_PASSWORD": "planted-password",
}
NETRC = "planted-netrc-password"


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, and what is packed in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    yield from ((path, packed.read(name)) for name in packed.namelist())
            elif content.startswith(b"\x1f\x8b"):
                yield path, gzip.decompress(content)


@pytest.mark.slow
def test_no_key_is_in_any_artefact(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine api.wandb.ai login user password {NETRC}\n")
    monkeypatch.setenv("HOME", str(home))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert command("scaling_study.sweep", *SMALL, "tracking=offline").returncode == 0
    for line in (
        ("scaling_study", "pack", "results/smoke", "-o", "smoke.zip"),
        ("scaling_study.status", "results/smoke"),
        ("analysis", "results/smoke", "-o", "figures", "--formats", "png"),
    ):
        code, said = call(*line, cwd=tmp_path)
        # The analysis of so small a study may find it no better than chance.
        assert code in (0, 2 if line[0] == "analysis" else 0), said
        assert not any(key in said for key in (*KEYS.values(), NETRC))
    (home / ".netrc").unlink()
    found = [*contents(tmp_path)]
    assert {p.suffix for p, _ in found} >= {".wandb", ".zip", ".html", ".json", ".yaml", ".pt"}
    for path, content in found:
        for key in (*KEYS.values(), NETRC):
            assert key.encode() not in content, path


@pytest.mark.parametrize("name", ["metrics.jsonl", "job.json", "checkpoint.pt"])
def test_a_run_writes_through_no_link(
    execution: ExecutionConfig, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    job = Job(tiny(**{"train.epochs": 1}), execution)
    folder = job.store.run_dir(job.run.run_id)
    folder.mkdir(parents=True)
    (folder / name).symlink_to(victim)
    job()
    assert victim.read_text(encoding="utf-8") == "mine"


def test_a_file_that_is_written_in_place_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError), open(tmp_path / name, "a", opener=no_link):
            pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes links of others")
def test_a_run_folder_that_is_somebody_elses_link_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.root.mkdir(parents=True)
    (tmp_path / "victim").mkdir()
    link = store.run_dir("run")
    link.symlink_to(tmp_path / "victim")
    store.enqueue("run", "7")  # one's own may lead to another disk
    os.lchown(link, 12345, 12345)
    with pytest.raises(WriteError, match="a link of another user's"):
        store.enqueue("run", "7")
    with pytest.raises(WriteError, match="a link of another user's"), store.claim("run"):
        pass


# Calls that can run code from a file, and the argument that makes them safe.
SAFE = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
UNSAFE = ("pickle.load", "pickle.loads", "cloudpickle.load", "dill.load", "joblib.load")
UNSAFE += ("yaml.unsafe_load", "yaml.full_load", "shelve.open", "marshal.loads", "pd.read_pickle")


def calls(tree: ast.AST) -> Iterator[tuple[str, dict[str, object]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {k.arg: k.value for k in node.keywords if k.arg}
            values = {n: v.value for n, v in keywords.items() if isinstance(v, ast.Constant)}
            yield ast.unparse(node.func), values


@pytest.mark.slow
def test_nothing_is_loaded_in_a_way_that_could_run_code() -> None:
    seen = set()
    for package in (PACKAGE, PACKAGE.parent / "analysis"):
        for path in package.rglob("*.py"):
            for name, values in calls(ast.parse(path.read_text(encoding="utf-8"))):
                assert name not in UNSAFE, path
                if name in SAFE:
                    argument, safe = SAFE[name]
                    default = safe if name != "torch.load" else None
                    assert values.get(argument, default) is safe, f"{path}: {name}"
                    seen.add(name)
    assert {"torch.load", "np.load"} <= seen
