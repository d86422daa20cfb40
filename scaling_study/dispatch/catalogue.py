"""Every command of `scaling-study`: what it does, how it is typed, and where it is implemented."""

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Command:
    """A command.

    entry: MODULE:FUNCTION; the function reads sys.argv, and returns or raises the exit code.
    summary: one line. examples: what to type, without the program's name.
    words: overrides that are added to those that the user typed.
    about: what it does, in full, where the help is ours and not that of an argparse parser: for
        commands that take settings (KEY=VALUE). needs_grid: whether +grid=NAME is one of them.
    """

    name: str
    entry: str
    summary: str
    examples: tuple[str, ...]
    words: tuple[str, ...] = ()
    about: str = ""
    needs_grid: bool = False

    def __call__(self) -> int | None:
        """Run it on sys.argv; the exit code."""
        module, _, function = self.entry.partition(":")
        code: int | None = getattr(import_module(module), function)()
        return code


SWEEP = "scaling_study.sweep.__main__:command"
PLAN = """\
Shows every run of a grid with its parameters, FLOPs, memory, forecast of time and
state, and what the grid can decide. Nothing is trained and nothing is written."""
RUN = """\
Trains the runs of a grid that have no result yet, on this machine or through SLURM.
The same command again goes on where it stopped: what is finished is never trained twice."""
TRAIN = """\
Trains one run in this process and stores its result beside those of all studies.
Several GPUs: torchrun --nproc-per-node 8 -m scaling_study.train …"""
MEASURE = """\
Times every network of a grid alone on this machine, in turn, several times over:
step time, forward time and memory, into results/NAME/measured.csv. The analysis takes
its step times from there."""
POWER = """\
Says how often simulated studies of a grid would support each of its rules, by seeds per
cell and by noise. Nothing is trained."""

GROUPS: dict[str, tuple[Command, ...]] = {
    "Plan and train": (
        Command(
            "plan",
            SWEEP,
            "show every run of a grid, its cost and what it can decide",
            (
                "plan +grid=depth_vs_width",
                "plan +grid=depth_vs_width 'grid.axes.epochs=[5,40]' plan.out=plan.csv",
                "plan +grid=depth_vs_width plan.probe=true    (time a few steps first)",
            ),
            ("dry_run=true",),
            PLAN,
            needs_grid=True,
        ),
        Command(
            "power",
            "analysis.power:main",
            "say how often simulated studies of a grid would decide",
            ("power +grid=depth_vs_width",),
            about=POWER,
            needs_grid=True,
        ),
        Command(
            "run",
            SWEEP,
            "train what is missing of a grid",
            (
                "run +grid=depth_vs_width",
                "run +grid=depth_vs_width data=digits grid.name=depth_vs_width_digits",
                "run +grid=paper/fig3_depth_vs_width launcher=slurm budget.gpu_hours=400",
            ),
            about=RUN,
            needs_grid=True,
        ),
        Command(
            "train",
            "scaling_study.train:command",
            "train one run",
            (
                "train model.depth=26 data=digits",
                "train +preset=resnet_rs_152_224 data=imagefolder data.root=imagenet device=cuda",
            ),
            about=TRAIN,
        ),
        Command(
            "measure",
            "scaling_study.measure:command",
            "time every network of a grid alone on this machine",
            ("measure +grid=depth_vs_width", "measure +grid=depth_vs_width measure.rounds=5"),
            about=MEASURE,
            needs_grid=True,
        ),
        Command(
            "status",
            "scaling_study.status.__main__:main",
            "show how the runs of a study stand",
            ("status results/depth_vs_width", "status results/depth_vs_width --watch"),
        ),
        Command(
            "cancel",
            "scaling_study.cancel:main",
            "stop what runs or waits of a study; checkpoints stay",
            ("cancel results/depth_vs_width",),
        ),
        Command(
            "site",
            "scaling_study.launch.slurm.site_check:main",
            "say what a SLURM is like, and try a run on it",
            ("site check", "site check --name mylab --write --run"),
        ),
    ),
    "Ask what was found": (
        Command(
            "report",
            "analysis.__main__:main",
            "verdicts, frontiers, figures and report.html of a study",
            (
                "report results/depth_vs_width -o figures/depth_vs_width",
                "report results/depth_vs_width -o figures/short --where epochs=5",
            ),
        ),
        Command(
            "compare",
            "analysis.compare:main",
            "put two or three studies side by side: effects, cells, cost",
            (
                "compare results/depth_vs_width results/depth_vs_width_digits",
                "compare depth_vs_width depth_vs_width_2 depth_vs_width_3   (make replicate)",
            ),
        ),
        Command(
            "summary",
            "analysis.summary:main",
            "each rule over several data sets, and in a new one",
            (
                "summary depth_vs_width depth_vs_width_digits depth_vs_width_fashion published",
                "summary depth_vs_width depth_vs_width_digits --cost flops -o figures/summary",
            ),
        ),
        Command(
            "statement",
            "analysis.statement:main",
            "what venues ask to state: error bars, seeds, compute",
            ("statement depth_vs_width", "statement depth_vs_width --form neurips -o neurips.md"),
        ),
        Command(
            "gate",
            "analysis.gate:main",
            "keep a change or not: runs with it against runs without",
            (
                "gate results/base results/change --ledger decisions.jsonl",
                "gate runs.csv:branch=main runs.csv:branch=new --outcome loss --margin 0.01",
            ),
        ),
        Command(
            "recommend",
            "analysis.recommend:main",
            "say what to train next under a budget",
            (
                "recommend results/depth_vs_width --max-flops 1e7",
                "recommend results/depth_vs_width --gpu-hours 0.1 --epochs 40",
            ),
        ),
        Command(
            "published",
            "analysis.published.__main__:main",
            "the paper's claims on the paper's own numbers",
            ("published -o figures/published",),
        ),
        Command(
            "import",
            "analysis.importers:main",
            "frontiers and speed-ups from tables of other tools",
            (
                "import models.csv --map val_error=top1 --unit val_error='percent accuracy' "
                "-o figures/models",
                "import results-imagenet.csv benchmark-infer.csv --format timm -o figures/timm",
            ),
        ),
        Command(
            "export",
            "scaling_study.export:main",
            "write the weights of a trained run to a file",
            ("export results/runs/RUN_ID -o network.safetensors",),
        ),
    ),
    "Keep and share": (
        Command(
            "studies",
            "scaling_study.studies:main",
            "list the studies of a results folder",
            ("studies", "studies results --json"),
        ),
        Command(
            "prune",
            "scaling_study.prune:main",
            "list, and only if asked to delete, runs of no study",
            ("prune", "prune RUN_ID", "prune --delete"),
        ),
        Command(
            "pack",
            "scaling_study.archive.pack:main",
            "make one file of a study, to keep or to send",
            ("pack depth_vs_width", "pack depth_vs_width -o study.zip --checkpoints"),
        ),
        Command(
            "unpack",
            "scaling_study.archive.unpack:main",
            "put a packed study into a results folder",
            ("unpack depth_vs_width.zip", "unpack study.zip --results other/results"),
        ),
        Command(
            "sync",
            "scaling_study.sync:main",
            "send the runs of a study to Weights & Biases",
            ("sync results/depth_vs_width --entity lab --project scaling",),
        ),
        Command(
            "dashboard",
            "analysis.dashboard:main",
            "send the analysis and a workspace to Weights & Biases",
            ("dashboard results/depth_vs_width --entity lab --project scaling",),
        ),
    ),
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
