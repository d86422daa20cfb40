"""The forms: a heading for each question, and an answer from stored facts, blank without one.

Headings follow the NeurIPS paper checklist, the compute report that CVPR asks for, and the summary
of the ML Reproducibility Challenge. Venues change their wording: check the form of the year.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.report.statement.facts import Facts
from analysis.rules.rule import Preregistration
from scaling_study.common.format import duration, engineering
from scaling_study.study.axes import plain

# Columns of results, and what a statement calls them.
HARDWARE = {
    "device": "Devices",
    "world_size": "Processes that trained a run",
    "threads": "CPU threads of a process",
    "precision": "Precision",
}
DATA = {
    "data": "Data",
    "n_train": "Training images",
    "n_val": "Evaluation images",
    "eval_split": "Evaluated on the split",
}
SETTINGS = {
    "family": "Models",
    "recipe": "Recipes",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "lr": "Peak learning rate",
}


@dataclass(frozen=True)
class Stated:
    """What the forms are filled from; `rules` are None where a study declares none that holds.

    `verdicts` are sentences, `excluded` the runs that are not analysed with the reason. `why` says
    why there is no verdict.
    """

    name: str
    question: str
    facts: Facts
    rules: Preregistration | None
    verdicts: Sequence[str]
    excluded: Sequence[str]
    why: str


@dataclass(frozen=True)
class Item:
    """A question of a form, and what answers it: lines, none where only its author knows."""

    heading: str
    answer: Callable[[Stated], Iterator[str]]


def blank(stated: Stated) -> Iterator[str]:
    """For the author to fill in."""
    yield from ()


def of_question(stated: Stated) -> Iterator[str]:
    """What the study asks, and which claims were declared before it was trained."""
    if stated.question:
        yield stated.question
    for rule in stated.rules.rules if stated.rules else ():
        if rule.headline:
            yield f"Headline claim {rule.name}: {rule.claim}."


def of_results(stated: Stated) -> Iterator[str]:
    """The verdicts, and whether they confirm what was declared."""
    yield from stated.verdicts
    if not stated.verdicts and stated.why:
        yield f"No verdict: {stated.why}."
    if stated.verdicts and stated.rules is not None:
        if stated.rules.exploratory:
            yield f"The verdicts are exploratory, because {stated.rules.exploratory}."
        else:
            yield "The verdicts are confirmatory: rules and runs were frozen before training."


def of_error_bars(stated: Stated) -> Iterator[str]:
    """What intervals cover, how they are made, and how many claims share the error rate."""
    if (rules := stated.rules) is None:
        return
    yield f"Intervals have a confidence level of {100 * (1 - rules.alpha):g} %, two-sided."
    about = "the variation between seeds (initial weights, order and augmentation of images)"
    if rules.generalise == "seeds":
        yield f"They cover {about}; the images that are evaluated are the same in all runs."
    else:
        yield f"They cover {about}, and other {rules.generalise} of the same kind."
    yield (
        "They are intervals of Student's t of a contrast of cell means of ln(error), with each "
        "cell's own variance between seeds drawn towards the pooled one, and Welch-Satterthwaite "
        "degrees of freedom."
    )
    if rules.paired:
        yield "Runs of equal seed are paired."
    elif stated.facts.trunks:
        yield "Lengths of training that share a trunk are taken together, seed by seed."
    if rules.seed_sd is not None:
        yield f"Where one seed a cell measures no noise, the SD between seeds is {rules.seed_sd}."
    if sum(rule.headline for rule in rules.rules) > 1:
        yield "Holm's correction covers the headline claims."
    if rules.looks:
        looks = ", ".join(f"{look:g}" for look in rules.looks)
        yield f"Verdicts are read at {looks} seeds a cell; all looks together keep the level."


def of_seeds(stated: Stated) -> Iterator[str]:
    """How often the cells were trained."""
    if seeds := stated.facts.seeds:
        each = f"{seeds[0]}" if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]}"
        yield f"{len(seeds)} configurations, each trained with {each} seeds."


def of_compute(stated: Stated) -> Iterator[str]:
    """What all finished runs took, and failed attempts as far as they are known."""
    facts = stated.facts
    if not facts.results:
        return
    for gpu, unit in ((True, "GPU-hours"), (False, "hours of a process on a CPU")):
        if hours := facts.hours(gpu):
            yield f"{hours:.4g} {unit} for {len(facts.results)} finished runs, evaluation included."
    most = "At most " if facts.ended_early else ""
    if (flops := facts.total("own_train_flops")) is not None:
        yield f"{most}{flops:.4g} FLOPs of training (2 x multiply-adds, forward and backward)."
    if (flops := facts.total("eval_flops")) is not None:
        yield f"{most}{flops:.4g} FLOPs of evaluation."
    if facts.ended_early:
        yield f"FLOPs are those of whole runs; {facts.ended_early} ended before their last epoch."
    if facts.label_flops:
        yield f"{facts.label_flops:.4g} FLOPs of labels that trained runs gave images without any."
    if facts.attempts_s:
        yield f"Attempts without a result: {duration(facts.attempts_s)} more."


def of_hardware(stated: Stated) -> Iterator[str]:
    """Devices, processes, precision and the largest memory."""
    facts = stated.facts
    yield from _listed(facts, HARDWARE)
    if memory := facts.values("peak_memory_bytes"):
        yield f"Largest memory of a process or a GPU: {engineering(memory[-1])}B."


def of_models(stated: Stated) -> Iterator[str]:
    """The sizes of the networks."""
    for name, label in (("params", "Parameters"), ("flops", "Forward FLOPs of an image")):
        if values := stated.facts.values(name):
            ends = dict.fromkeys((engineering(values[0]), engineering(values[-1])))
            yield f"{label}: {' to '.join(ends)}."


def of_data(stated: Stated) -> Iterator[str]:
    """Data sets, and how many images train and score."""
    yield from _listed(stated.facts, DATA)


def of_settings(stated: Stated) -> Iterator[str]:
    """Where every setting stands, and the main ones."""
    yield from _listed(stated.facts, SETTINGS)
    if stated.facts.results and stated.facts.configs:
        yield "All settings of each run are in its config.yaml, from which it can be repeated."


def _listed(facts: Facts, labels: Mapping[str, str]) -> Iterator[str]:
    """The values of columns, by their labels; none of a column that is blank."""
    for name, label in labels.items():
        if values := facts.values(name):
            yield f"{label}: {', '.join(map(plain, values))}."


def of_code(stated: Stated) -> Iterator[str]:
    """The versions that trained the runs."""
    if commits := stated.facts.values("git_commit"):
        dirty = any(one.git_dirty for one in stated.facts.results)
        yield f"Commits: {', '.join(commits)}{', with uncommitted changes' if dirty else ''}."
    found = {
        str(n): str(v) for one in stated.facts.results for n, v in (one.versions or {}).items()
    }
    if found:
        yield f"Versions: {', '.join(f'{name} {version}' for name, version in found.items())}."


def of_exclusions(stated: Stated) -> Iterator[str]:
    """Runs that do not enter the analysis."""
    states = ", ".join(f"{n} {state}" for state, n in stated.facts.states.items())
    yield f"Planned runs: {states}."
    yield f"{len(stated.excluded)} planned runs are not analysed{':' * bool(stated.excluded)}"
    yield from (f"- {text}" for text in stated.excluded)


FORMS: dict[str, tuple[str, tuple[Item, ...]]] = {
    "neurips": (
        "NeurIPS paper checklist",
        (
            Item("Claims", of_question),
            Item("Limitations", blank),
            Item("Theory assumptions and proofs", blank),
            Item("Experimental result reproducibility", of_code),
            Item("Open access to data and code", of_data),
            Item("Experimental setting and details", of_settings),
            Item("Experiment statistical significance: error bars", of_error_bars),
            Item("Experiment statistical significance: seeds", of_seeds),
            Item("Experiment statistical significance: exclusions", of_exclusions),
            Item("Experiments compute resources: compute", of_compute),
            Item("Experiments compute resources: hardware", of_hardware),
            Item("Compute of preliminary and of unreported experiments", blank),
            Item("Code of ethics, broader impacts, safeguards", blank),
            Item("Licences of existing assets", blank),
            Item("New assets", blank),
            Item("Crowdsourcing and human subjects", blank),
            Item("Use of large language models", blank),
        ),
    ),
    "cvpr": (
        "CVPR compute report",
        (
            Item("Hardware", of_hardware),
            Item("Total compute", of_compute),
            Item("Models", of_models),
            Item("Data", of_data),
            Item("Training settings", of_settings),
            Item("Runs and seeds", of_seeds),
            Item("Failed and excluded runs", of_exclusions),
            Item("Compute before this study (pilots, searches)", blank),
            Item("Energy and emissions", blank),
        ),
    ),
    "mlrc": (
        "MLRC reproducibility summary",
        (
            Item("Scope of reproducibility", of_question),
            Item("Methodology: settings", of_settings),
            Item("Methodology: code", of_code),
            Item("Methodology: compute", of_compute),
            Item("Methodology: hardware", of_hardware),
            Item("Results", of_results),
            Item("Results: what the error bars cover", of_error_bars),
            Item("What was easy", blank),
            Item("What was difficult", blank),
            Item("Communication with original authors", blank),
        ),
    ),
}


def text(stated: Stated, name: str) -> str:
    """A form as Markdown; where no stored fact answers, the space below its heading is empty."""
    title, items = FORMS[name]
    parts = [f"# {title}: {stated.name}"]
    for item in items:
        parts += [f"## {item.heading}", "\n".join(item.answer(stated))]
    return "\n\n".join(filter(None, parts)) + "\n"
