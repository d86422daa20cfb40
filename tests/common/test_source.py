"""Which files make up a module of a user's, and what of them changes its identity."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scaling_study.common import source
from scaling_study.common.source import source_files, sources_of

FILES = {
    "mine/__init__.py": "",
    "mine/vit.py": "import math\nimport json.decoder\nfrom mine.blocks import Block\n",
    "mine/blocks.py": "def block():\n    from . import deep\n    import beside\n    return deep\n",
    "mine/deep.py": "from .sub.leaf import x\n",
    "mine/sub/leaf.py": "from scaling_study.models.family import Family\nimport numpy\nx = 1\n",
    "mine/other.py": "import mine.vit\n",
    "beside.py": "",
    "unused.py": "",
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes one of the files; the next question is that of a new process."""

    def written(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        source_files.cache_clear()
        sources_of.cache_clear()

    for name, text in FILES.items():
        written(name, text)
    monkeypatch.syspath_prepend(tmp_path)
    # Only where the files lie is asked for: importing them would need what they import.
    monkeypatch.setattr(source, "module_called", _located(tmp_path))
    return written


def _located(folder: Path) -> Callable[[str, str], object]:
    class Module:
        def __init__(self, name: str) -> None:
            self.__file__ = str(folder.joinpath(*name.split(".")).with_suffix(".py"))

    return lambda name, _: Module(name)


@pytest.mark.usefixtures("write")
def test_a_module_is_its_file_and_those_beside_it_that_it_imports(tmp_path: Path) -> None:
    found = source_files("mine.vit")
    assert {*found} == {"mine", "mine.vit", "mine.blocks", "mine.deep", "mine.sub.leaf", "beside"}
    assert found["mine.deep"] == tmp_path / "mine" / "deep.py"
    assert {*source_files("mine.sub.leaf")} == {"mine", "mine.sub.leaf"}


def test_an_edit_changes_the_digest_of_its_file_alone(write: Callable[[str, str], None]) -> None:
    before = sources_of("mine.vit")
    write("mine/deep.py", FILES["mine/deep.py"] + "y = 2\n")
    write("mine/other.py", "")
    write("unused.py", "x = 1")
    after = sources_of("mine.vit")
    assert {name for name in before if before[name] != after[name]} == {"mine.deep"}
    write("mine/deep.py", FILES["mine/deep.py"].replace("\n", "\r\n"))
    assert sources_of("mine.vit") == before


def test_what_ships_has_no_sources_of_its_own() -> None:
    assert sources_of("scaling_study.models.families.resnet") == {}
    assert sources_of("json.decoder") == {}
