"""Who may import whom, and that planning stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.made_up_results import runs
from helpers.study import write_plan, write_study
from scaling_study.dispatch.catalogue import COMMANDS as ALL_COMMANDS
from scaling_study.launch.registry import launcher_names
from scaling_study.study.axes import AXES

# One worker reads all files, once.
pytestmark = pytest.mark.xdist_group("imports")

ROOT = Path(__file__).resolve().parent.parent

# Folders of each package, layer by layer: a folder imports itself and what stands above it.
LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "scaling_study": (
        ("common",),
        ("models", "data", "tasks", "study"),
        ("config",),
        ("cost", "training"),
        ("grid", "tracking"),
        ("launch", "planning"),
        ("archive", "dispatch"),
    ),
    "analysis": (
        ("paper", "study", "fits"),
        ("stats",),
        ("laws",),
        ("rules",),
        ("descriptions",),
        ("figures",),
        ("report", "importing", "gating"),
        ("published", "wandb_dashboard"),
        ("meta_analysis",),
        ("studies_page",),
    ),
}
# What else a module of a package may import: the folders of the other package.
ACROSS = {
    "analysis": {"common", "tasks", "study"},
    "analysis.power": {"common", "config", "planning"},
    "analysis.dashboard": {"common", "config"},
    "analysis.wandb_dashboard.command": {"common", "config", "study", "tracking"},
    "scaling_study.sweep": {"report", "rules", "study"},
}
# Commands, and what users import: they import freely within their package, and nobody imports them.
COMMANDS = {
    "scaling_study": {
        "api",
        *("__main__", "cancel", "export", "measure", "prune", "status", "studies", "sweep"),
        *("sync", "train"),
    },
    "analysis": {
        *(
            "__main__",
            "api",
            "compare",
            "dashboard",
            "gate",
            "importers",
            "statement",
            "power",
            "recommend",
            "summary",
        ),
    },
}


# Modules that only answer to a name under which users may import them.
FORMER_NAMES = {"scaling_study": {"errors"}, "analysis": set[str]()}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = sorted([*ROOT.glob("scaling_study/**/*.py"), *ROOT.glob("analysis/**/*.py")])
MODULES = {module_of(path): path for path in PATHS}


@cache
def imports(module: str) -> set[str]:
    """Modules of ours that a module imports anywhere, inside functions too."""
    found, path = set[str](), MODULES[module]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            assert not node.level, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & set(MODULES)


def room(module: str) -> tuple[str, str]:
    """The package and the folder or command in it; the folder is empty for the package itself."""
    package, *rest = module.split(".")
    return package, rest[0] if rest else ""


def layer(package: str, folder: str) -> int:
    """Where a folder stands; commands stand above all."""
    layers = LAYERS[package]
    return next((i for i, names in enumerate(layers) if folder in names), len(layers))


def allowed(module: str, imported: str) -> bool:
    (package, folder), (other, target) = room(module), room(imported)
    if package != other:
        own = ACROSS.get(module) or ACROSS.get(f"{package}.{folder}") or ACROSS.get(package, set())
        return target in own
    if folder == target or not target:
        return True
    return layer(package, target) < layer(package, folder)


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_layers(module: str) -> None:
    above = {imported for imported in imports(module) if not allowed(module, imported)}
    assert not above


def test_a_package_has_its_commands_and_folders_at_its_top() -> None:
    for package, commands in COMMANDS.items():
        folders = {name for names in LAYERS[package] for name in names}
        found = {room(module)[1] for module in MODULES if room(module)[0] == package} - {""}
        assert found - folders == commands | FORMER_NAMES[package]
        assert len([*(ROOT / package).glob("*.py")]) <= 11


def siblings(folder: str) -> Mapping[str, set[str]]:
    """Which of its files and subfolders each file and subfolder of a folder imports."""
    depth = folder.count(".") + 2 if folder else 1

    def part(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    inside = [m for m in MODULES if not folder or m.startswith(f"{folder}.")]
    graph: dict[str, set[str]] = {part(module): set() for module in inside}
    for module in inside:
        graph[part(module)] |= {part(i) for i in imports(module) if i in inside}
    return {name: targets - {name} for name, targets in graph.items()}


def ring(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_ring() -> None:
    assert ring({module: imports(module) for module in MODULES}) == []


FOLDERS = sorted({module.rpartition(".")[0] for module in MODULES if "." in module})


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_files_and_folders_of_a_folder_import_each_other_in_a_ring(folder: str) -> None:
    assert ring(siblings(folder)) == []


def test_what_all_launchers_share_names_none_of_them() -> None:
    launchers = tuple(f"scaling_study.launch.{name}" for name in launcher_names())
    shared = {module for module in MODULES if module.rpartition(".")[0] == "scaling_study.launch"}
    assert len(launchers) == 3
    assert not [
        (module, imported)
        for module in shared - {*launchers}
        for imported in imports(module)
        if imported.startswith(launchers)
    ]


def test_rule_kinds_do_not_import_each_other() -> None:
    kinds = {module for module in MODULES if module.startswith("analysis.rules.kinds.")}
    assert not [(kind, other) for kind in kinds for other in imports(kind) & kinds]


def test_torch_is_imported_at_the_top_only_where_training_happens() -> None:
    # Layers, families and entry points import it inside the functions that need it.
    with_torch = {
        *("scaling_study.models.modules", "scaling_study.models.shapes_alone"),
        "scaling_study.launch.local.preload",
        *(f"scaling_study.models.counting.{name}" for name in ("backward", "count", "shapes")),
    }
    for module, path in MODULES.items():
        top = ast.parse(path.read_text(encoding="utf-8")).body
        names = {a.name for n in top if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in top if isinstance(n, ast.ImportFrom)}
        if any(name.split(".")[0] == "torch" for name in names):
            folders = ("scaling_study.training.", "scaling_study.models.networks.")
            assert module in with_torch or module.startswith(folders), module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "from scaling_study.common.extensions import module_names\n"
            "from scaling_study.models import families, family\n"
            "for name in module_names(families): family(name)",
            {"torch"},
        ),
        ("import scaling_study.export", {"torch"}),
        (
            "import scaling_study.sweep.__main__",
            {"torch", "wandb", "pandas", "scipy", "matplotlib"},
        ),
        (
            "import scaling_study.cancel",
            {"torch", "submitit", "pandas", "scipy", "matplotlib"},
        ),
        (
            "import scaling_study.status.__main__, scaling_study.studies, scaling_study.prune",
            {"torch", "hydra", "submitit", "numpy", "pandas", "scipy", "matplotlib", "PIL"},
        ),
        (
            "from scaling_study.dispatch import help\n"
            "from scaling_study.dispatch.catalogue import COMMANDS\n"
            "help.overall(), *[help.of_settings(c) for c in COMMANDS.values() if c.about]",
            {"torch", "hydra", "omegaconf", "yaml", "rich", "numpy", "pandas", "scipy"},
        ),
        ("import analysis.__main__, analysis.published.__main__", {"torch", "hydra"}),
        (
            "import analysis.power, analysis.rules.preregistration",
            {"torch", "pandas", "matplotlib"},
        ),
    ],
)
def test_what_planning_and_analysis_do_not_load(code: str, absent: set[str]) -> None:
    probe = f"{code}\nimport sys\nprint(*sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""


ENDS = """
import sys
from scaling_study.__main__ import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print("exit", code, *sorted({HEAVY} & set(sys.modules)))
"""
HEAVY = {
    *("torch", "hydra", "numpy", "pandas", "scipy", "scipy.optimize", "scipy.stats", "matplotlib"),
    *("submitit", "wandb", "PIL", "sklearn", "http.client"),
}


def loaded(*words: str, cwd: Path = ROOT) -> set[str]:
    """Which heavy modules a command has loaded when it has succeeded."""
    probe = ENDS.replace("{HEAVY}", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", probe, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env=environment() | {"PYTHONPATH": str(ROOT)},
    )
    ended, code, *names = done.stdout.splitlines()[-1].split()
    assert (ended, code) == ("exit", "0"), done.stdout + done.stderr
    return set(names)


@pytest.mark.slow
def test_a_plan_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    # It composes a configuration, costs cells and asks what they can decide.
    assert loaded("plan", "+grid=depth_vs_width", cwd=tmp_path) == {"hydra", "numpy", "scipy"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_help_loads_nothing_heavy(name: str) -> None:
    assert loaded(name, "--help") <= {"numpy", "http.client"}


def test_a_status_loads_nothing_heavy(tmp_path: Path) -> None:
    results = runs({4: -0.05})
    study = write_study(tmp_path, results)
    columns = ("run_id", "train_flops", *(axis.name for axis in AXES))
    write_plan(study, [{name: getattr(r, name) for name in columns} for r in results])
    assert loaded("status", "results/demo", cwd=tmp_path) == set()
