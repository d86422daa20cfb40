"""Who may import whom, and that planning stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Module, or package with a dot at its end: what it may import of ours. Entry points import freely.
ALLOWED: dict[str, set[str]] = {
    "scaling_study.errors": set(),
    "scaling_study.paths": set(),
    "scaling_study.device": set(),
    "scaling_study.world": {"scaling_study.errors"},
    "scaling_study.regimes": {"scaling_study.errors", "scaling_study.values"},
    "scaling_study.provenance": {"scaling_study.paths"},
    "scaling_study.values": {"scaling_study.errors"},
    "scaling_study.recipe": {"scaling_study.values"},
    "scaling_study.initial": {"scaling_study.errors", "scaling_study.values"},
    "scaling_study.config": {
        "scaling_study.data.",
        "scaling_study.errors",
        "scaling_study.initial",
        "scaling_study.models.",
        "scaling_study.recipe",
        "scaling_study.regimes",
        "scaling_study.tracking.options",
        "scaling_study.values",
    },
    "scaling_study.tracking.options": {
        "scaling_study.errors",
        "scaling_study.paths",
        "scaling_study.values",
    },
    "scaling_study.tracking.": {
        "scaling_study.config",
        "scaling_study.cost",
        "scaling_study.results",
        "scaling_study.tracking.",
        "scaling_study.tracking.options",
    },
    "scaling_study.results": {"scaling_study.errors"},
    "scaling_study.claims": set(),
    "scaling_study.store": {
        "scaling_study.claims",
        "scaling_study.errors",
        "scaling_study.results",
    },
    "scaling_study.settings": {
        "scaling_study.launch.",
        "scaling_study.config",
        "scaling_study.data.",
        "scaling_study.errors",
        "scaling_study.provenance",
        "scaling_study.tracking.options",
        "scaling_study.values",
    },
    "scaling_study.grid": {
        "scaling_study.config",
        "scaling_study.errors",
        "scaling_study.paths",
        "scaling_study.planning.",
        "scaling_study.settings",
        "scaling_study.values",
    },
    # Parts of the plan; `plan`, `grid`, `cost` and `forecast` are made of them and used by them.
    "scaling_study.planning.": {
        "scaling_study.config",
        "scaling_study.cost",
        "scaling_study.data.",
        "scaling_study.device",
        "scaling_study.errors",
        "scaling_study.forecast",
        "scaling_study.grid",
        "scaling_study.launch.",
        "scaling_study.models.",
        "scaling_study.paths",
        "scaling_study.plan",
        "scaling_study.planning.",
        "scaling_study.results",
        "scaling_study.settings",
        "scaling_study.store",
        "scaling_study.values",
    },
    "scaling_study.models.": {
        "scaling_study.errors",
        "scaling_study.initial",
        "scaling_study.models.",
        "scaling_study.values",
    },
    "scaling_study.data.": {
        "scaling_study.data.",
        "scaling_study.errors",
        "scaling_study.values",
    },
    "scaling_study.cost": {
        "scaling_study.config",
        "scaling_study.data.",
        "scaling_study.errors",
        "scaling_study.models.",
        "scaling_study.planning.",
        "scaling_study.recipe",
    },
    "scaling_study.forecast": {"scaling_study.data."},
    "scaling_study.plan": {
        "scaling_study.config",
        "scaling_study.cost",
        "scaling_study.errors",
        "scaling_study.forecast",
        "scaling_study.grid",
        "scaling_study.planning.",
        "scaling_study.regimes",
        "scaling_study.results",
        "scaling_study.store",
        "scaling_study.values",
    },
    "scaling_study.repeat": {"scaling_study.paths"},
    "scaling_study.live": {
        "scaling_study.errors",
        "scaling_study.results",
        "scaling_study.values",
    },
    "scaling_study.foretold": {"scaling_study.plan", "scaling_study.results"},
    "scaling_study.training.": {
        "scaling_study.config",
        "scaling_study.data.",
        "scaling_study.device",
        "scaling_study.errors",
        "scaling_study.models.",
        "scaling_study.recipe",
        "scaling_study.results",
        "scaling_study.training.",
        "scaling_study.world",
    },
    "scaling_study.launch.": {
        "scaling_study.claims",
        "scaling_study.config",
        "scaling_study.cost",
        "scaling_study.data.",
        "scaling_study.device",
        "scaling_study.errors",
        "scaling_study.launch.",
        "scaling_study.paths",
        "scaling_study.provenance",
        "scaling_study.results",
        "scaling_study.store",
        "scaling_study.tracking.",
        "scaling_study.training.",
        "scaling_study.values",
        "scaling_study.world",
    },
    "scaling_study.sweeping": {"scaling_study.claims", "scaling_study.results"},
    "scaling_study.submitted": {
        "scaling_study.config",
        "scaling_study.errors",
        "scaling_study.launch.",
        "scaling_study.plan",
        "scaling_study.settings",
        "scaling_study.store",
    },
    "scaling_study.launching": {
        "scaling_study.config",
        "scaling_study.errors",
        "scaling_study.launch.",
        "scaling_study.plan",
        "scaling_study.settings",
        "scaling_study.store",
        "scaling_study.submitted",
        "scaling_study.sweeping",
    },
    "scaling_study.worth": {  # asks the analysis, in its functions, what a plan is worth
        "analysis.",
        "scaling_study.config",
        "scaling_study.errors",
        "scaling_study.plan",
        "scaling_study.planning.",
    },
    "scaling_study.studydir": {
        "analysis.",
        "scaling_study.config",
        "scaling_study.data.",
        "scaling_study.plan",
        "scaling_study.results",
        "scaling_study.store",
    },
    "scaling_study.overview": {
        "scaling_study.launch.",
        "scaling_study.planning.",
        "scaling_study.results",
        "scaling_study.store",
        "scaling_study.sweeping",
    },
    "scaling_study.statusview": {"scaling_study.display", "scaling_study.overview"},
    "scaling_study.display": {
        "scaling_study.cost",
        "scaling_study.forecast",
        "scaling_study.launch.",
        "scaling_study.plan",
        "scaling_study.planning.",
    },
    "scaling_study.cli": {
        "scaling_study.config",
        "scaling_study.errors",
        "scaling_study.paths",
        "scaling_study.values",
    },
    "analysis.power": {  # an entry point too: it asks for a plan
        "analysis.",
        "scaling_study.cli",
        "scaling_study.errors",
        "scaling_study.plan",
        "scaling_study.planning.",
        "scaling_study.settings",
        "scaling_study.worth",
    },
    "analysis.dashboard": {  # an entry point too: it sends what the analysis wrote
        "analysis.",
        "scaling_study.errors",
        "scaling_study.results",
        "scaling_study.tracking.",
        "scaling_study.tracking.options",
    },
    "analysis.reporting.": {
        "analysis.",
        "analysis.reporting.",
        "scaling_study.repeat",
        "scaling_study.results",
    },
    "analysis.": {
        "analysis.",
        "analysis.power",
        "analysis.reporting.",
        "scaling_study.errors",
        "scaling_study.results",
        "scaling_study.store",  # the states of runs without a result
        "scaling_study.values",  # to suggest what a misspelt rule meant
    },
}
ENTRY_POINTS = {
    "scaling_study.cancel",
    "scaling_study.export",
    "scaling_study.measure",
    "scaling_study.status",
    "scaling_study.sweep",
    "scaling_study.sync",
    "scaling_study.train",
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rule(module: str) -> str | None:
    """The entry of the table that `module` falls under."""
    if module in ALLOWED:
        return module
    packages = [name for name in ALLOWED if name.endswith(".") and f"{module}.".startswith(name)]
    return packages[0] if packages else None


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            assert not node.level, f"{path}: a relative import"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("scaling_study", "analysis")}


MODULES = sorted([*ROOT.glob("scaling_study/**/*.py"), *ROOT.glob("analysis/**/*.py")])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_table(path: Path) -> None:
    module = name_of(path)
    if module in ENTRY_POINTS or module == "scaling_study":
        return
    own = rule(module)
    assert own, f"{module} is not in the table"
    for imported in imports(path):
        places = (imported, imported.rpartition(".")[0])
        named = [place for place in places if place in ALLOWED]
        target = named[0] if named else rule(places[0]) or rule(places[1])
        if target is not None:
            assert target in ALLOWED[own], f"{module} imports {imported}"
        assert imported not in ENTRY_POINTS, f"{module} imports an entry point"


def test_torch_is_imported_at_the_top_only_where_training_happens() -> None:
    # Layers, families and entry points import it inside the functions that need it.
    with_torch = {"scaling_study.models.build"}
    for path in MODULES:
        module = name_of(path)
        top = ast.parse(path.read_text(encoding="utf-8")).body
        names = {a.name for n in top if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in top if isinstance(n, ast.ImportFrom)}
        if any(name.split(".")[0] == "torch" for name in names):
            assert module in with_torch or module.startswith("scaling_study.training."), module


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "from scaling_study.models import family, family_names\n"
            "for name in family_names(): family(name)",
            {"torch"},
        ),
        ("import scaling_study.export", {"torch"}),
        ("import scaling_study.sweep", {"torch", "wandb", "pandas", "scipy", "matplotlib"}),
        (
            "import scaling_study.status, scaling_study.cancel",
            {"torch", "submitit", "pandas", "scipy", "matplotlib"},
        ),
        ("import analysis.__main__, analysis.published", {"torch", "hydra"}),
        ("import analysis.power, analysis.declared", {"torch", "pandas", "matplotlib"}),
    ],
)
def test_what_planning_and_analysis_do_not_load(code: str, absent: set[str]) -> None:
    probe = f"{code}\nimport sys\nprint(*sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""


def test_a_dry_run_does_not_load_torch() -> None:
    probe = (
        "import runpy, sys\n"
        "sys.argv = ['sweep', '+grid=depth_vs_width', 'dry_run=true']\n"
        "try:\n    runpy.run_module('scaling_study.sweep', run_name='__main__')\n"
        "except SystemExit as end:\n    print('exit', end.code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "exit 0 False"
