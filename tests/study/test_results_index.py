"""Results of a large store that are kept: those in its files, whatever happens to them."""

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_up_results import run
from helpers.study import write_run
from scaling_study.study import results_index, store
from scaling_study.study.store import Store

RESULTS = [run(14, 0.25, 10, seed, 0.3) for seed in range(6)]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that counts as large, read once."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    for module in (results_index, store):
        monkeypatch.setattr(module, "LEAST", 3)
    found = Store(tmp_path / "results")
    for result in RESULTS:
        write_run(found.root, result)
    assert list(found.read().values()).count(None) == 0
    return found


def index(large: Store) -> Path:
    (path,) = (Path.home() / results_index.IN_HOME).iterdir()
    return path


def test_what_is_kept_is_not_parsed_again(large: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = large.read()
    monkeypatch.setattr(Store, "result", lambda *_: pytest.fail("a file was parsed"))
    assert large.read() == before == {r.run_id: r for r in RESULTS}


def test_what_changed_is_read_again(large: Store) -> None:
    changed = replace(RESULTS[0], val_error=0.4)
    write_run(large.root, changed)
    (large.run_dir(RESULTS[1].run_id) / "result.json").unlink()
    (large.run_dir(RESULTS[2].run_id) / "result.json").write_text("{", encoding="utf-8")
    more = run(14, 0.25, 10, 77, 0.5)
    write_run(large.root, more)
    for _ in range(2):
        found = large.read()
        assert found[changed.run_id] == changed
        assert found[RESULTS[1].run_id] is found[RESULTS[2].run_id] is None
        assert found[more.run_id] == more


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b'"val_error": 0.3', b'"val_error": 0.1'),
        lambda content: b"[" * 100_000,
    ],
)
def test_an_index_that_is_not_whole_counts_for_nothing(
    large: Store, damage: Callable[[bytes], bytes]
) -> None:
    index(large).write_bytes(damage(index(large).read_bytes()))
    assert large.read() == {r.run_id: r for r in RESULTS}


def test_garbage_is_collected_again_whatever_the_index_held(
    large: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def broken(*_: object) -> None:
        seen.append(gc.isenabled())
        raise TypeError

    monkeypatch.setattr(results_index, "_result", broken)
    assert large.read() == {r.run_id: r for r in RESULTS}
    assert (seen, gc.isenabled()) == ([False], True)


def test_a_small_store_and_a_shared_home_have_none(large: Store) -> None:
    path = index(large)
    path.unlink()
    Path.home().chmod(0o777)
    assert len(large.read()) == len(RESULTS)
    assert not path.exists()
