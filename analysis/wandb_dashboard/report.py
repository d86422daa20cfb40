"""A study's W&B Report, which reads like report.html. Built here, saved by `dashboard`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.report.page.glossary import WORDS
from analysis.rules.phrases import capitalised

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2.interface import Report

# What W&B takes as a title.
MOST_TITLE = 128
# Sections of the workspace that a report shows too, under these headings.
SHOWN = {"Frontiers and arms": "Explore", "Runs": "Runs", "Figures": "Figures"}


class Place(NamedTuple):
    """Where the runs of a study are, and the tag that they carry."""

    entity: str
    project: str
    study: str
    tag: str


def build(place: Place, said: Mapping[str, Any], sections: Sequence[Any]) -> "Report":
    """The report of a study: what was `said` of it in answer.json, and panels of its workspace."""
    import wandb_workspaces.reports.v2.interface as wr

    title = str(said.get("question") or f"Study {place.study}")
    title = title if len(title) <= MOST_TITLE else f"{title[: MOST_TITLE - 1]}…"
    return wr.Report(
        entity=place.entity,
        project=place.project,
        title=title,
        description=f"Study {place.study}",
        blocks=[*_answer(place, said), *_claims(said), *_panels(place, sections), *_words()],
    )


def _answer(place: Place, said: Mapping[str, Any]) -> Iterator[Any]:
    """What weakens the verdicts, the sentence of the main one, and its picture."""
    import wandb_workspaces.reports.v2.interface as wr

    if reason := said.get("exploratory"):
        yield wr.P(f"These verdicts are exploratory, because {reason}.")
    if sentence := said.get("sentence"):
        yield wr.H2(f"{capitalised(said['verdict'])}: {sentence}")
    if picture := said.get("picture"):
        keys = [f"figures/{picture}"]
        yield _grid(place, [wr.MediaBrowser(media_keys=keys, num_columns=1)])


def _claims(said: Mapping[str, Any]) -> Iterator[Any]:
    import wandb_workspaces.reports.v2.interface as wr

    if claims := said.get("claims"):
        yield wr.H1("Verdicts")
        yield wr.UnorderedList([f"{capitalised(word)}: {text}" for word, text in claims])
    yield wr.H1("Our reading beside the paper's")
    yield from map(wr.P, said["reading"])


def _panels(place: Place, sections: Sequence[Any]) -> Iterator[Any]:
    import wandb_workspaces.reports.v2.interface as wr

    for section in sections:
        if section.name in SHOWN:
            yield wr.H1(SHOWN[section.name])
            yield _grid(place, section.panels)


def _words() -> Iterator[Any]:
    import wandb_workspaces.reports.v2.interface as wr

    yield wr.H1("Ten words")
    yield wr.UnorderedList([f"{word}: {meaning}" for word, meaning in WORDS])


def _grid(place: Place, panels: Sequence[Any]) -> Any:
    """Panels over the runs that carry the study's tag."""
    import wandb_workspaces.reports.v2.interface as wr
    from wandb_workspaces import workspaces as ws

    runs = wr.Runset(
        entity=place.entity,
        project=place.project,
        name=place.study,
        filters=[ws.Tags().isin([place.tag])],
    )
    return wr.PanelGrid(runsets=[runs], panels=list(panels))
