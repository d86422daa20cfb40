"""Folders with settings of a site, outside any checkout: launchers, data sets, presets as YAML.

A folder has Hydra's groups: launcher/NAME.yaml is chosen by `launcher=NAME`. `--info searchpath`
shows where Hydra looks.
"""

import os
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from scaling_study.common.errors import InputError

# Folders with a colon between them, before the user's own.
VARIABLE = "SCALING_STUDY_CONFIG"
PROVIDER = "site"


def site_folders() -> list[Path]:
    """Those of SCALING_STUDY_CONFIG, then ~/.config/scaling-study (by XDG_CONFIG_HOME).

    InputError if one of the first is no folder; the user's own need not be there.
    """
    named = [Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(":") if text]
    for folder in named:
        if not folder.is_dir():
            raise InputError(f"{VARIABLE}={folder}: no such folder; give folders that exist")
    own = user_folder()
    return [folder.resolve() for folder in (*named, *([own] if own.is_dir() else []))]


def user_folder() -> Path:
    """Where a user's own settings of sites lie, there or not."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path("~/.config").expanduser()) / "scaling-study"


class SiteFolders(SearchPathPlugin):
    """Hydra asks it where else to look, after the packaged folders."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in site_folders():
            search_path.append(PROVIDER, f"file://{folder}")


def register() -> None:
    """Let Hydra look there, whatever composes."""
    Plugins.instance().register(SiteFolders)
