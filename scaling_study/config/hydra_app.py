"""One wrapper for the Hydra entry points: composes, and turns bad input into one clear message."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import hydra
import yaml
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scaling_study.common.command_line import entry_point, report
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir, import_own_analysis
from scaling_study.common.validation import flat_items, suggest
from scaling_study.config import checked_input, site_folders
from scaling_study.config.hydra_files import expand_home, not_text
from scaling_study.config.interpolations import check_interpolations
from scaling_study.study.axes import KEYS
from scaling_study.study.overrides import text

# Hydra reads 1,2 and range(2) as sweeps of its own, over whole commands, unless they are texts.
SWEEPS_OF_HYDRA = ("requires --multirun", "Error merging override", "Ambiguous value")
SEVERAL_VALUES = (
    "an axis of a grid takes a list, as in 'grid.axes.seed=[0,1]', or a sweep as a text, as in "
    "'grid.axes.seed=\"range(3)\"' and 'grid.axes={seed: \"range(3)\"}'; a single run takes "
    "several values with -m"
)
# What a configuration that cannot be composed raises.
COMPOSING = (HydraException, OmegaConfBaseException, yaml.YAMLError)
# What Hydra only warns of.
CHOSEN_TWICE = re.compile(r"Multiple values for (\S+)\.")
NOT_THERE = ".*path=.* is not available"
# Where every command finds configs, whatever it is asked.
OWN_SOURCES = ("hydra", "main", "schema", site_folders.PROVIDER)
# By this the configs name the packaged folders.
site_folders.register()
checked_input.register()
OmegaConf.register_new_resolver("data_dir", lambda name: str(data_dir(name)), replace=True)


def run(task: Callable[[dict[str, Any], list[str]], int], config_name: str) -> NoReturn:
    """Compose CONFIG_NAME.yaml with the command line, call `task`, exit with the code it returns.

    `task` gets the config as plain nested values and the overrides as they were typed. Errors of
    the user's, Hydra's own included, are printed as one message, with exit code 2.
    """
    sys.exit(_code_of(task, config_name))


@entry_point
def _code_of(task: Callable[[dict[str, Any], list[str]], int], config_name: str) -> int:
    # Without this Hydra prints errors itself, and exits with 1, the code for failed runs.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        import_own_analysis()
        site_folders.site_folders()
        checked_input.check_words(sys.argv[1:])
    except InputError as error:
        return report(str(error))
    codes: list[int] = []
    of_disk: list[OSError] = []
    composed = False

    def body(config: DictConfig) -> None:
        nonlocal composed
        composed = True
        try:
            values = _plain(config)
            checked_input.check_values(values)
            expand_home(values)
            codes.append(task(values, list(HydraConfig.get().overrides.task)))
        except InputError as error:
            codes.append(report(str(error)))
        except COMPOSING as error:
            codes.append(report(_explain(error, config_name)))
        except OSError as error:
            of_disk.append(error)  # else Hydra adds a line of its own

    app = hydra.main(version_base="1.3", config_path=str(data_dir("conf")), config_name=config_name)
    try:
        with warnings.catch_warnings(), _composing_once():
            # A folder that is not there: what it should have had would be missed without a word.
            warnings.filterwarnings("error", message=NOT_THERE, category=UserWarning)
            app(body)()
    except COMPOSING as error:
        return report(_explain(error, config_name))
    except UnicodeDecodeError as error:
        return report(not_text(error))
    except UserWarning as warning:
        return report(f"{warning}; give folders that exist")
    except RecursionError:
        if composed:
            raise
        return report(_endless())
    except ValueError as error:
        if composed:
            raise  # a defect of ours
        return report(str(error))
    if of_disk:
        raise of_disk[0]
    return max(codes, default=0)


@contextmanager
def _composing_once() -> Iterator[None]:
    """Keep Hydra from composing a configuration twice, first only to read `hydra.mode` from it.

    Without that key its mode follows from -m alone, which Hydra knows when it is told None.
    """
    if any("hydra.mode" in word for word in sys.argv[1:]):
        yield
        return
    asks = Hydra.get_mode
    Hydra.get_mode = lambda self, config_name, overrides: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = asks  # type: ignore[method-assign]


def _endless() -> str:
    """What is told where a configuration has taken Python's stack."""
    words = " ".join(sys.argv[1:])[:100]
    return f"{words}: a file names itself in its defaults, or a value refers to itself"


def _plain(config: DictConfig) -> dict[Any, Any]:
    """A composed configuration as nested values, its interpolations written out."""
    try:
        check_interpolations(OmegaConf.to_container(config))
        values = OmegaConf.to_container(config, resolve=True)
    except RecursionError:
        raise InputError(_endless()) from None
    assert isinstance(values, dict)
    return values


def search_path() -> list[str]:
    """An override by which `composed` finds the configs that the running command has found."""
    if not HydraConfig.initialized():
        return []
    found = HydraConfig.get().runtime.config_sources
    paths = [f"{s.schema}://{s.path}" for s in found if s.provider not in OWN_SOURCES]
    return [f"hydra.searchpath={text(paths)}"]


def _explain(error: Exception, config_name: str) -> str:
    """Hydra's message without its advice to add unknown keys; instead, what was probably meant."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else "a file"
        return f"{place}: not YAML: {error.problem or error.context}"
    if isinstance(error, yaml.reader.ReaderError):
        sign = f"the character #x{error.character:02x}" if isinstance(error.character, int) else ""
        return f"{error.name}: not YAML: {sign} at position {error.position} is not allowed"
    said = str(error).strip() or str(error.__cause__ or "").strip()
    lines = said.splitlines() or [type(error).__name__]
    # Hydra's own first line says only where it was.
    message = " ".join(lines[: 2 if lines[0].endswith("while composing config:") else 1])
    if "Incompatible key type" in message or not said:
        return f"{message}: a key in a file is null, or of another kind than names and numbers"
    if found := CHOSEN_TWICE.match(message):
        group = found[1]
        return f"{group}: it is chosen already; without the plus it is replaced, as in {group}=NAME"
    if key := getattr(error, "full_key", None):
        message = f"{key}: {message}"
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        near = suggest(name, error.options)
        return f"{group}={name}: no such file{near}; known: {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        if (data_dir("sweeps") / "grid" / f"{error.override}.yaml").is_file():
            return f"{error.override}: a grid is added with a plus, as in +grid={error.override}"
        return (
            f"{error.override}: not an override of Hydra's ({message}); a text with other signs "
            "than those of names and numbers is quoted twice: 'key=\"text\"'"
        )
    if any(words in message for words in SWEEPS_OF_HYDRA):
        return f"{message}: {SEVERAL_VALUES}"
    if "Could not override" not in message:
        return message
    if "'grid'" in message:
        return "a grid is added with a plus: +grid=NAME"
    typed = [word.split("=")[0].lstrip("+~") for word in sys.argv[1:] if "=" in word]
    known = list(dict(flat_items(composed(config_name, []))))
    for name in typed:
        if name == "recipe":
            return "recipe: a run's recipe is chosen by its group train, as in train=paper"
        if name in KEYS and name not in known:
            return (
                f"{name}: the setting of one run is {KEYS[name]}; "
                f"a grid's axis is set by grid.axes.{name}=[…] after +grid=NAME"
            )
        if name.startswith("grid.") and f"'{name}'" in message:
            axis, axes = name.removeprefix("grid.axes."), [*KEYS, *known]
            near = "" if axis == name or axis in axes else suggest(axis, axes)
            return (
                f"{name}: not in the grid's file{near}; what that does not have is added with ++, "
                "as in '++grid.axes.seed=[0,1]'; a dotted axis as in "
                "'++grid.axes={train.epochs: [1,2]}'"
            )
        if name not in known and f"'{name}'" in message:
            return f"{name}: no such setting{suggest(name, known)}"
    return message


def composed(config_name: str, overrides: list[str]) -> dict[str, Any]:
    """CONFIG_NAME.yaml with these overrides, as plain nested values."""
    return _plain(_compose(config_name, overrides))


def chosen_files(config_name: str, overrides: list[str]) -> dict[str, str]:
    """The file that each group is of, by the group's name, in CONFIG_NAME.yaml with overrides."""
    config = _compose(config_name, overrides, hydra_too=True)
    return {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}


def _compose(config_name: str, overrides: list[str], hydra_too: bool = False) -> DictConfig:
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        return hydra.compose(config_name, overrides, return_hydra_config=hydra_too)


def in_one_sentence(error: Exception) -> str:
    """What is wrong with a configuration that `composed` has not composed."""
    return _explain(error, "sweep")
