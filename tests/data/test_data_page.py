"""docs/data.md does what it says: each of its commands trains on a small set of that layout."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import icon_package, idx_files
from helpers.cifar_archives import IMAGES, archive
from helpers.commands import Command
from helpers.pages import commands
from helpers.photos import WRITERS
from scaling_study.data.sets import cifar
from scaling_study.study.result import read_result

# Small: a page's own settings are those of real images.
SMALL = (
    *("model.depth=14", "model.width=0.125", "train.epochs=1", "train.warmup_epochs=0"),
    *("train.batch_size=8", "data.resolution=32", "loader.workers=0", "precision=fp32"),
)


def write(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small set of the layout `name`, shards numbered as on the page."""
    if name == "fashion_mnist":
        idx_files.write(idx_files.small_files(monkeypatch), root, packed=True)
        return
    if name == "icons":
        icon_package.write_small(root, monkeypatch)
        return
    if name != "cifar10":
        WRITERS[name](root)
        for path in root.glob("*-00?.tar"):
            path.rename(path.with_name(path.name.replace("-", "-0")))
        return
    content = archive(name)
    known = replace(cifar.ARCHIVES[name], md5=hashlib.md5(content).hexdigest(), images=IMAGES)
    monkeypatch.setitem(cifar.ARCHIVES, name, known)
    root.mkdir()
    (root / known.file_name).write_bytes(content)


# Of the sets that ship; those of a user's are run by tests/test_examples.py.
COMMANDS = [words for words in commands("data.md") if words[3].startswith("data=")]


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[3])
def test_the_commands_train(
    words: list[str], command_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert words[:3] == ["python", "-m", "scaling_study.train"]
    name, root = words[3].removeprefix("data="), tmp_path / "set"
    write(name, root, monkeypatch)
    here = [re.sub(r"^data.root=.*", f"data.root={root}", word) for word in words[3:]]
    here = [word.replace("{0000..1023}", "{0000..0001}") for word in here]
    here = [word.replace("train_images=2000", "train_images=20") for word in here]
    done = command_here(words[2], *here, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("results/runs/*/result.json")
    result = read_result(path)
    assert (result.data, result.status) == (name, "ok")


def test_every_layout_has_a_command() -> None:
    named = {words[3].removeprefix("data=") for words in COMMANDS}
    assert named == {*WRITERS, "cifar10", "fashion_mnist", "icons"}
