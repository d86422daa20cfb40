"""What a W&B project has: its runs, its pages, its workspaces."""

import base64
import json
import os
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from scaling_study.config.tracking import Tracking, base_url
from scaling_study.tracking.base import TrackingError
from scaling_study.tracking.payload import DIGEST
from scaling_study.tracking.wandb_client import CHECKPOINT_KEY, PROBE_S, translated

# Time limit of a call of W&B's API, s.
API_S = 30
# Runs per request.
PAGE = 50


@dataclass(frozen=True)
class StoredRun:
    """What W&B has of a run: the hash of the payload that it got, group, tags, a checkpoint."""

    digest: str | None
    group: str | None
    tags: tuple[str, ...]
    checkpoint: bool = False


def stored_runs(run_ids: Sequence[str], project: str, entity: str | None) -> dict[str, StoredRun]:
    """What W&B has of those of these runs that it has; raises a TrackingError without an answer."""
    import wandb

    found: dict[str, StoredRun] = {}
    try:
        with translated(wandb.errors.Error, OSError):
            api = wandb.Api(timeout=API_S)
            path = f"{entity or api.default_entity}/{project}"
            for start in range(0, len(run_ids), PAGE):
                names = {"name": {"$in": list(run_ids[start : start + PAGE])}}
                for run in api.runs(path, filters=names, per_page=PAGE, lazy=False):
                    summary = run.summary_metrics
                    checkpoint = bool(summary.get(CHECKPOINT_KEY))
                    digest, tags = summary.get(DIGEST), tuple(run.tags)
                    found[run.id] = StoredRun(digest, run.group, tags, checkpoint)
    except ValueError as error:
        if "Could not find project" not in str(error):
            raise
        return {}  # W&B creates a project with its first run
    return found


def default_entity() -> str:
    """The key's default entity; raises a TrackingError if W&B does not answer or names nobody."""
    import wandb

    with translated(wandb.errors.Error, OSError):
        entity = wandb.Api(timeout=API_S).default_entity
    if not entity:
        raise TrackingError("the key has no default entity; give --entity")
    return str(entity)


def project_page(entity: str, project: str) -> str:
    """Address of a project's web page; that of a run is below it, in `runs`."""
    from wandb.sdk.lib.wbauth.host_url import HostUrl

    return f"{HostUrl(base_url()).app_url}/{quote(entity)}/{quote(project)}"


def page(tracking: Tracking) -> str | None:
    """The same of what runs are tracked to; None if only a server knows, which does not say."""
    entity = tracking.entity or os.environ.get("WANDB_ENTITY") or _asked_entity()
    return project_page(entity, tracking.project) if entity else None


def _asked_entity() -> str | None:
    """The key's default entity by one plain request: starting W&B's client takes a process."""
    from wandb.sdk.lib.wbauth import read_netrc_auth

    url = base_url()
    try:
        key = os.environ.get("WANDB_API_KEY") or read_netrc_auth(host=url)
        login = base64.b64encode(f"api:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        body = json.dumps({"query": "query Viewer { viewer { entity } }"}).encode()
        request = urllib.request.Request(f"{url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=PROBE_S) as answer:
            return str(json.load(answer)["data"]["viewer"]["entity"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_view(view: Any, earlier: str | None, parts: Sequence[str]) -> str:
    """Save a workspace or a report, over the one at the address `earlier` if it is still there.

    Of that one these `parts` are replaced. Gives its address; raises a TrackingError if W&B does
    not take it.
    """
    import wandb

    target = view
    with translated(wandb.errors.Error, OSError, KeyError, TypeError):
        if earlier:
            with suppress(ValueError, TypeError):  # somebody deleted it
                target = type(view).from_url(earlier)
                for name in parts:
                    setattr(target, name, getattr(view, name))
        return str(target.save().url)
