"""The command line of the commands that decide: which model is better, and on whose scale."""

from __future__ import annotations

from editeval.cli.arguments import Parser
from editeval.cli.console import EXIT_CODES
from editeval.cli.flags import (
    CODE,
    CONFIG,
    CONFIG_FLAGS,
    DEBUG,
    DISPLAY,
    JSON,
    RUN,
    RUNS_IN,
    Commands,
    add_command,
    flag,
    several,
    switch,
)
from editeval.config.ready import located

RATINGS = "of people, .csv or .tsv: sample, rating, model, rater; or the page's .json (default: those of `view`)"
COMPARISONS = ("md", "csv", "json", "tex")


def add_sweep(commands: Commands[Parser]) -> None:
    add = add_command(
        commands,
        "sweep",
        "one run per checkpoint, adapter or value, and which of them may be the best",
        CONFIG,
        epilog="examples:\n  editeval sweep base.yaml --checkpoint out/checkpoint-*\n"
        "  editeval sweep base.yaml --lora --watch out --max-hours 12 --stop-early --margin 0.1\n"
        "  editeval sweep base.yaml --set-each diffusion_model.params.true_cfg_scale=1,2.5,4\n\n" + EXIT_CODES,
    )
    CONFIG_FLAGS(add)
    several(
        flag("--checkpoint", nargs="*", metavar="DIR", help="checkpoints; their names are those of the runs"),
        flag("--lora", nargs="*", metavar="DIR", help="adapters on the checkpoint of CONFIG"),
        flag("--set-each", metavar="KEY=V1,V2", help="values of a parameter instead"),
        flag("--watch", metavar="FOLDER", help="and every checkpoint (with --lora: adapter) that is completed there"),
        flag("--max-hours", type=float, metavar="H", help="of --watch (default: 24)"),
        flag("--poll-s", type=float, metavar="S", help="seconds between two looks into it (default: 30)"),
        switch("--stop-early", "stop one that is shown to be worse than another by more than the margin"),
        flag("--margin", metavar="M", help="of --stop-early: 0.1 (of the metric), or 1%% (of its scale; the default)"),
        *(JSON, DISPLAY),
    )(add.add_argument_group("sweep"))


def add_gate(commands: Commands[Parser]) -> None:
    add_command(
        commands,
        "gate",
        "may an engine take the place of another one? decided by paired scores against a margin",
        flag("first_run", metavar="RUN_A", help="what it has to keep up with: a run directory, or its name"),
        flag("second_run", metavar="RUN_B", help="the quantised, compiled, few-step, ... engine of the same model"),
        flag(
            "--margin",
            required=True,
            metavar="M",
            help="how much worse B may be: 0.1 (of the metric), or 1%% (of its scale)",
        ),
        switch("--no-pixels", "leave out how the edits differ; it decides nothing"),
        flag("--to", choices=("md",), help="as Markdown"),
        *(RUNS_IN, JSON, DEBUG),
        epilog="examples:\n  editeval gate bf16-run fp8-run --margin 0.1\n"
        "  editeval gate 50-steps 4-steps --margin 1% --to md\n\n" + EXIT_CODES,
    )


def add_comparisons(commands: Commands[Parser]) -> None:
    add_gate(commands)
    add_sweep(commands)
    add_command(
        commands,
        "compare",
        "which model is better: by a judge of pairs of edits, by people's verdicts, or by the scores of the runs",
        flag("runs", nargs="*", default=[], metavar="RUN", help="two or more: run directories, or their names"),
        flag(
            "--judge",
            type=located,
            metavar="FILE",
            help="configuration whose judge compares two edits (protocol: pairwise, ...)",
        ),
        flag("--verdicts", metavar="FILE", help="people's verdicts instead: .jsonl, MMRB2's .json, ImagenHub's folder"),
        flag("--metric", metavar="NAME", help="by scores: which, as the runs call it (default: the headline)"),
        switch("--intersect", "by scores: the samples that all have; what else differs is said, and no error"),
        flag("--baseline", metavar="RUN", help="by scores: each other run is compared with this one alone"),
        flag(
            "--fail-on-regression",
            type=float,
            metavar="MARGIN",
            help="exit code 4 unless the 95 %% interval excludes a loss of more than MARGIN",
        ),
        flag("--to", choices=COMPARISONS, help="by scores: print it as this"),
        flag("--output", metavar="PATH", help="of --to (default: stdout)"),
        flag("--max-pairs", type=int, metavar="N", help="ask about at most N pairs of edits"),
        switch("--all", "ask about every pair of edits, whatever the answers are"),
        flag("--out", metavar="FOLDER", help="of comparison.json and .md (default: comparisons/ beside the runs)"),
        flag("--seed", type=int, default=0, metavar="N", help="of the order of samples and of the bootstrap"),
        flag("--set", action="append", default=[], metavar="A.B=C", help="of the judge; repeatable"),
        flag("--data", metavar="PATH", help="where the data of the runs' benchmark are now"),
        *(RUNS_IN, JSON, CODE, DEBUG),
        epilog="examples:\n  editeval compare runA runB\n"
        "  editeval compare new --baseline old --fail-on-regression 0.2\n"
        "  editeval compare runA runB runC --judge judge.yaml --max-pairs 500\n"
        "  editeval compare --verdicts people.jsonl\n\n" + EXIT_CODES,
    )
    _add_bridge_and_plan(commands)


def _add_bridge_and_plan(commands: Commands[Parser]) -> None:
    add_command(
        commands,
        "bridge",
        "carry a new judge's scores over to an old judge's scale, from what both judged",
        flag("--anchor", nargs="+", required=True, metavar="RUN", help="what both judged: runs, or tables"),
        flag("--from", dest="source", required=True, metavar="NEW", help="judge whose scores are carried over"),
        flag("--to", dest="target", required=True, metavar="OLD", help="judge on whose scale they are to be"),
        flag("--metric", action="append", default=[], metavar="TO[=FROM]", help="only these; default: all in common"),
        flag("--out", metavar="FILE", help="default: bridge-NEW-to-OLD.json here"),
        *(RUNS_IN, DEBUG),
        epilog="examples:\n  editeval bridge --anchor runA runB runC --from qwen --to gpt-4.1\n"
        "  editeval report new-run --scale-of gpt-4.1 --bridge bridge-qwen-to-gpt-4.1.json\n\n"
        "Tables have the columns editor, sample, from, to, and metric, cluster, category if there are several.\n",
    )


def add_reliability(commands: Commands[Parser]) -> None:
    """What figures are worth: how many samples, whose agreement, how much noise."""
    add_command(
        commands,
        "plan",
        "how many samples a wanted difference takes, from a pilot run, or from two that are paired",
        flag("--pilot", nargs="+", required=True, metavar="RUN", help="one run, or two scored by the same judge"),
        flag("--difference", type=float, metavar="D", help="of two means, on the scale of the pilot's headline"),
        flag("--samples", dest="num_samples", type=int, metavar="N", help="the other way round: what N samples show"),
        flag("--power", type=float, default=0.8, metavar="P", help="how often it is to be found (default: 0.8)"),
        flag(
            "--comparisons", type=int, default=1, metavar="M", help="of how many at once, as Holm's first step has it"
        ),
        flag("--correlation", type=float, metavar="R", help="of the two models' scores, with one pilot (default: 0)"),
        *(RUNS_IN, JSON, DEBUG),
        epilog="examples:\n  editeval plan --pilot base --difference 0.2\n"
        "  editeval plan --pilot base tuned --samples 1000\n",
    )
    add_command(
        commands,
        "agreement",
        "how far judges and people agree about the edits of runs, and what people would give all of them",
        flag("runs", nargs="*", default=["latest"], metavar="RUN", help="run directories, or their names"),
        flag("--ratings", action="append", default=[], metavar="FILE", help=RATINGS),
        flag("--judges", nargs="+", default=[], metavar="NAME", help="score sets of the runs (default: all)"),
        flag("--metric", default="", metavar="NAME", help="of every judge (default: the headline of each)"),
        *(RUNS_IN, JSON, DEBUG),
        epilog="examples:\n  editeval agreement runA runB --ratings people.csv\n"
        "  editeval agreement runA --judges qwen gpt-4.1\n",
    )
    add_command(
        commands,
        "noise",
        "how much of a run's scores comes from samples, seeds and repeats of the judge: makes and judges repeats",
        RUN,
        flag(
            "--seeds", type=int, metavar="N", help="edits of each sample, the run's own with them (default: its, or 2)"
        ),
        flag("--draws", type=int, default=2, metavar="N", help="judgements of each edit"),
        flag("--samples", dest="num_samples", type=int, default=50, metavar="N", help="drawn at random (default: 50)"),
        switch("--dry-run", "say what would be made; make nothing"),
        *(JSON, CODE, DEBUG),
        epilog=EXIT_CODES,
    )
