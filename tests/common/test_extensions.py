"""Modules that are found by name: what was imported once is not looked for again."""

import sys
from pathlib import Path

import pytest

from scaling_study.common.errors import InputError
from scaling_study.common.extensions import module_called


def test_an_imported_module_is_found_without_the_disk_and_others_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own_parts"
    own.mkdir()
    for name in ("first", "second"):
        (own / f"{name}.py").write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    first = module_called("own_parts.first", "anywhere")
    assert first is sys.modules["own_parts.first"]
    # As soon as others may write there nothing more is run from it.
    (own / ".lock").touch()
    assert module_called("own_parts.first", "anywhere") is first
    with pytest.raises(InputError, match="whose files are not run"):
        module_called("own_parts.second", "anywhere")
    assert "own_parts.second" not in sys.modules
    assert module_called("own_parts_third", "scaling_study.tasks") is None
