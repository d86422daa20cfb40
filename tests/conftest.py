"""Shared fixtures: where tiny runs go, and the entry points as a user starts them."""

import fcntl
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
import torch

from helpers import warm_python
from helpers.commands import Command, environment, sparing
from helpers.tiny import plain_execution
from scaling_study import data
from scaling_study.config.execution import ExecutionConfig
from scaling_study.models.counting import counts

# How long an example takes says nothing while other workers have the processors.
hypothesis.settings.register_profile("beside_others", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("dist", "no") != "no" and not config.option.collectonly:
        warm_python.share()  # with the workers
    if _beside_others(config):
        hypothesis.settings.load_profile("beside_others")
        torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests that wait for servers and schedulers leave one idle."""
    return min(os.cpu_count() or 1, 8) + 1


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line about what did not run here, and how to get it."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in reports
        if isinstance(report.longrepr, tuple)
    )
    parts = [f"{n} {'test' if n == 1 else 'tests'} ({why})" for why, n in reasons.items()]
    if "not slurm" in config.option.markexpr:
        parts.append("those on a real SLURM (make slurm-test; root on Debian installs it)")
    if "not slow" in config.option.markexpr:
        parts.append("long ones (make test-slow)")
    if parts:
        terminalreporter.write_line(f"not run: {'; '.join(parts)}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a fixture of their module run on one worker, which makes it once.

    Tests of several modules that share more name their group themselves.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        if isinstance(item, pytest.Function) and any(
            fixture.scope == "module"
            for fixtures in item._fixtureinfo.name2fixturedefs.values()
            for fixture in fixtures
        ):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Some versions of pytest and pytest-xdist ignore groups, at the cost of minutes."""
    if _beside_others(session.config) and session.config.getvalue("loadgroup"):
        shared = (item for item in session.items if item.get_closest_marker("xdist_group"))
        assert all("@" in item.nodeid for item in shared), "groups of tests are ignored"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is to be alone waits until all workers rest, and they wait for it."""
    if not _beside_others(item.config):
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with _turn(Path(item.config.option.basetemp).parent, alone):
        return (yield)


def _beside_others(config: pytest.Config) -> bool:
    """Whether this process is one of the workers of pytest-xdist."""
    return hasattr(config, "workerinput")


@contextmanager
def _turn(shared: Path, alone: bool) -> Iterator[None]:
    with (shared / "door").open("wb") as door, (shared / "room").open("wb") as room:
        # Who wants to be alone waits in the door, else there would always be somebody in the room.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Closing is not enough: forked processes have the open file as well.
            fcntl.flock(room, fcntl.LOCK_UN)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of rendered images for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def execution(tmp_path: Path, cache_dir: Path) -> ExecutionConfig:
    return plain_execution(tmp_path / "results", cache_dir)


@pytest.fixture
def command(tmp_path: Path, cache_dir: Path) -> Command:
    """Run `python -m MODULE ARGUMENTS` in an empty folder, as a user would.

    Sweeps measure no step times and analyses draw no figures, unless the arguments speak of it.
    """

    def call(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        if module.startswith("scaling_study") and "cache_dir=" not in " ".join(arguments):
            arguments = (*arguments, f"cache_dir={cache_dir}")
        arguments = sparing(module, arguments)
        return warm_python.run(module, *arguments, cwd=tmp_path, env=environment())

    return call


@pytest.fixture(autouse=True)
def no_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run in this process said about where listings are kept ends with its test."""
    monkeypatch.setattr(data, "_listings", [])
    monkeypatch.setattr(counts, "_folders", [])


@pytest.fixture(autouse=True)
def no_modules(request: pytest.FixtureRequest) -> Iterator[None]:
    """The modules that a test wrote end with it: the next one's may have the same names."""
    if "tmp_path" not in request.fixturenames:
        yield
        return
    tmp_path = request.getfixturevalue("tmp_path")
    yield
    for name, module in [*sys.modules.items()]:
        # Some libraries' modules make up what they are asked for.
        own = getattr(module, "__dict__", {})
        places = [own.get("__file__"), *(own.get("__path__") or ())]
        if any(str(place).startswith(f"{tmp_path}{os.sep}") for place in places):
            del sys.modules[name]


@pytest.fixture
def command_here(
    tmp_path: Path,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """`command` for sweep and train, in this process: Python starts once."""
    from hydra.core.global_hydra import GlobalHydra

    from scaling_study.config import hydra_app

    def call(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        if not any(text.startswith("cache_dir=") for text in arguments):
            arguments = (*arguments, f"cache_dir={cache_dir}")
        arguments = sparing(module, arguments)
        name = module.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # what the entry point sets ends with the test
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as left:
            hydra_app.run(command_of(module).main, name)
        GlobalHydra.instance().clear()
        said = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return subprocess.CompletedProcess(sys.argv, left.value.code, said.out, said.err)

    return call


def command_of(name: str) -> ModuleType:
    """The module that `python -m NAME` runs."""
    module = import_module(name)
    return import_module(f"{name}.__main__") if hasattr(module, "__path__") else module


@pytest.fixture
def sweep_here(command_here: Command) -> Command:
    """A sweep that trains nothing, in this process."""
    return partial(command_here, "scaling_study.sweep")
