"""What a user says about tracking, and whether it can work: checked before anything is launched."""

import argparse
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import yaml

from scaling_study.common.command_line import parser
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.common.validation import group, one_value, refuse_unknown, require

# What a tracker does on request alone.
OPTIONS = ("system_metrics", "checkpoints", "alerts")
# W&B refuses longer tags. A longer name is cut, and so many digits of its hash tell it from others.
TAG_LENGTH, TAG_DIGITS = 64, 8
FORBIDDEN = "/ \\ # ? % :"
NAME_RULE = f"must be a name without {FORBIDDEN}"


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where else a run's metrics go. `study` is the grid that trains the run, if there is one.

    `name` is that of a tracker (`tracking/trackers`). After a run it has `finish_timeout_s` seconds
    to take the rest. On request it takes `system_metrics` of the run's machine and `checkpoints`,
    and sends `alerts` when a sweep ends.
    """

    name: str
    project: str
    entity: str | None
    tags: tuple[str, ...]
    finish_timeout_s: float
    study: str | None
    system_metrics: bool = False
    checkpoints: bool = False
    alerts: bool = False

    def __post_init__(self) -> None:
        require(_is_name(self.project), "tracking.project", self.project, NAME_RULE)
        for tag in self.tags:
            good = 0 < len(tag) <= TAG_LENGTH
            require(good, "tracking.tags", tag, f"1 to {TAG_LENGTH} characters")
        limit = self.finish_timeout_s
        require(limit > 0, "tracking.finish_timeout_s", limit, "must be more than 0 seconds")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From `asdict` by way of JSON, where tags are a list."""
        return cls(**{**values, "tags": tuple(values["tags"])})

    @property
    def requests(self) -> list[str]:
        """Those of OPTIONS that are asked for."""
        return [option for option in OPTIONS if getattr(self, option)]


def tracking_of(settings: Mapping[str, Any]) -> Tracking:
    """The group `tracking` of an entry point's settings; raises an InputError for a wrong one."""
    values = group(settings, "tracking")
    kinds = {field.name: field.type for field in fields(Tracking) if field.name != "study"}
    refuse_unknown(values, list(kinds), "tracking.")
    tags = values.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"tracking.tags={tags!r}: must be a list of names, as in [lab,paper]")
    grid = settings.get("grid")
    study = grid.get("name") if isinstance(grid, Mapping) else None
    own = {key: one_value(kind, values.get(key), f"tracking.{key}") for key, kind in kinds.items()}
    return Tracking(**own, study=study if isinstance(study, str) else None)


def tag_of(study: str) -> str:
    """The tag of runs that a study lists: its name, unless that is too long for W&B."""
    if len(study) <= TAG_LENGTH:
        return study
    digits = hashlib.sha256(study.encode()).hexdigest()[:TAG_DIGITS]
    return f"{study[: TAG_LENGTH - TAG_DIGITS - 1]}-{digits}"


def _is_name(text: str) -> bool:
    return bool(text) and not set(text) & set(FORBIDDEN.split())


def _name(text: str) -> str:
    if not _is_name(text):
        raise argparse.ArgumentTypeError(f"{text!r}: {NAME_RULE}")
    return text


def study_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Options of the commands that send a study to W&B; defaults are those of conf/run.yaml."""
    text = (data_dir("conf") / "run.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)["tracking"]
    asked = parser(module, description)
    asked.add_argument("results", type=Path, help="the study, such as results/depth_vs_width")
    asked.add_argument(
        "--project", type=_name, default=known["project"], help="default: %(default)s"
    )
    asked.add_argument("--entity", type=_name, default=known["entity"], help="W&B's user or team")
    return asked


def require_key(wanted: str) -> None:
    """Raise an InputError unless W&B's client finds what can be a key; no prompt, no network."""
    import wandb
    from wandb.errors import AuthenticationError
    from wandb.sdk.lib.wbauth import AuthApiKey, read_netrc_auth

    url = base_url()
    advice = (
        "set WANDB_API_KEY, or run `wandb login`, or track with tracking=offline and sync later"
    )
    try:
        if key := os.environ.get("WANDB_API_KEY"):
            AuthApiKey(host=url, api_key=key)
            return
        if os.environ.get("WANDB_IDENTITY_TOKEN_FILE") or read_netrc_auth(host=url):
            return
    except (AuthenticationError, wandb.errors.UsageError):  # its message may quote the key
        raise InputError(f"{wanted}: the key for {url} is not a valid one; {advice}") from None
    raise InputError(f"{wanted}: no key for {url}; {advice}")


def base_url() -> str:
    """The W&B server that the client would talk to."""
    from wandb.sdk import wandb_setup

    url = os.environ.get("WANDB_BASE_URL") or wandb_setup.singleton().settings.base_url
    return str(url).rstrip("/")
