"""The command line: commands, flags, help. What a command does is in the file of its name, imported when it runs."""

from __future__ import annotations

from editeval.cli.arguments import Parser, VersionAction
from editeval.cli.console import EXIT_CODES
from editeval.cli.flags import (
    CODE,
    CONFIG,
    CONFIG_FLAGS,
    DATA,
    DEBUG,
    DISPLAY,
    JSON,
    JUDGE,
    MODEL,
    NAME,
    RUN,
    RUNS_IN,
    Commands,
    add_command,
    flag,
    run_flags,
    scores,
    stage_flags,
    switch,
)
from editeval.cli.parser_decisions import add_comparisons, add_reliability
from editeval.config.ready import located

EXPORTS = ("csv", "parquet", "md", "tex", "trace", "junit", "vega", "hf", "eval-results", "archive")
PEOPLE = (
    *("editreward_bench", "tiger_editreward_bench", "mmrb2", "editreward_compass", "imagenhub", "vcreward"),
    "own",
)
ONE_LINE = """examples:
  editeval run                               the default: built-in benchmark, no model, on this CPU
  editeval run my.yaml --limit 10            `editeval init my.yaml` writes one
  editeval run --model Qwen/Qwen-Image-Edit-2511 --benchmark gedit --data PATH --judge qwen3-vl-8b --gpus 0-5

"""
PLUGINS = ("editors", "judges", "benchmarks", "protocols", "policies")


def build_parser() -> Parser:
    """The whole command line. `options.command` is a function of the module `options.module` of this package."""
    parser = Parser(
        prog="editeval",
        description="Evaluate instruction-based image-editing models on every GPU, with numbers that can be trusted.",
        epilog="example:\n  editeval run config.yaml --limit 10\n\n" + EXIT_CODES,
    )
    parser.add_argument("--version", action=VersionAction, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for add in (
        _add_runs,
        _add_imports,
        _add_lists,
        _add_looks,
        _add_scores,
        add_comparisons,
        add_reliability,
        _add_others,
    ):
        add(commands)
    return parser


def build_legacy_parser() -> Parser:
    """The command line of main.py."""
    parser = Parser(prog="main.py", description="The same as `editeval run CONFIG`.", epilog=EXIT_CODES)
    default = "config.yaml"
    parser.add_argument(
        "--config", type=located, default=default, metavar="CONFIG", help=f"configuration (default: {default})"
    )
    MODEL(parser)
    NAME(parser)
    run_flags(parser)
    parser.set_defaults(command="run", module="run")
    return parser


def _add_runs(commands: Commands[Parser]) -> None:
    run = add_command(
        commands,
        "run",
        "edit, judge and report; the same command again continues",
        CONFIG,
        epilog=ONE_LINE + EXIT_CODES,
    )
    MODEL(run)
    NAME(run)
    run_flags(run)
    init = "write a commented configuration to start from; overwrites nothing"
    start = (MODEL, flag("--benchmark", metavar="NAME", help="see `editeval list benchmarks`"), JUDGE)
    file = flag("file", nargs="?", default="editeval.yaml", metavar="FILE", help="default: editeval.yaml")
    gpus = flag("--gpus", metavar="IDS", help="0-5, 0,2, all or cpu")
    add_command(commands, "init", init, file, *start, flag("--data", metavar="PATH", help=DATA), gpus)
    check = "is this configuration sound? starts nothing"
    add_command(commands, "check", check, CONFIG, MODEL, CONFIG_FLAGS, module="run")
    add_command(
        commands,
        "migrate",
        "write today's file for a configuration of v2 or RE-Edit",
        flag("config", metavar="OLD", help="the old file; it stays as it is"),
        flag("-o", "--output", metavar="NEW", help="the new file, which must not be there; default: stdout"),
    )
    only = "only these reasons: oom,timeout,parse,crash,..."
    add_command(
        commands,
        "retry",
        "try again what failed in a run, and only that",
        *(RUN, flag("--only", default="", metavar="REASON,...", help=only), CODE, DEBUG, DISPLAY),
        epilog=EXIT_CODES,
    )


def _add_imports(commands: Commands[Parser]) -> None:
    layout = "how the files are named, such as {category}/{id}.png (default: found out)"
    imports = add_command(
        commands,
        "import",
        "edits made elsewhere become a run: judge, compare and verify them like any other",
        flag("folder", metavar="FOLDER", help="with the edits; or a .jsonl of {id, image}, or a gallery of the Hub"),
        flag(
            "config",
            type=located,
            nargs="?",
            metavar="CONFIG",
            help="whose benchmark, judges and prompts; not its editor",
        ),
        flag("--name", metavar="MODEL", help="what made the edits: begins the run's name (default: that of FOLDER)"),
        flag("--layout", default="", metavar="PATTERN", help=layout),
        module="import_edits",
        epilog="examples:\n  editeval import edits/ --benchmark gedit --data GEdit-Bench --name my-model judge.yaml\n"
        "  editeval import edits.jsonl config.yaml --name my-model\n\n" + EXIT_CODES,
    )
    run_flags(imports)
    imports.set_defaults(command="import_edits")
    imports.last = "config"


def _add_lists(commands: Commands[Parser]) -> None:
    add_command(
        commands,
        "runs",
        "the runs of a folder, the newest first: model, benchmark, mean, interval, coverage, badge",
        flag("folder", nargs="?", default="outputs", metavar="FOLDER", help="default: outputs"),
        flag("--benchmark", metavar="TEXT", help="only those whose benchmark's name contains TEXT"),
        flag("--model", metavar="TEXT", help="only those whose model contains TEXT"),
        flag("--last", type=int, metavar="N", help="only the N newest"),
        JSON,
    )
    add_command(
        commands,
        "leaderboard",
        "runs ranked: a table for every kind of scores that compare, with intervals of means and of places",
        flag(
            "runs", nargs="*", default=[], metavar="RUN|FOLDER", help="runs, names, folders of runs (default: outputs)"
        ),
        RUNS_IN,
        flag("--to", choices=("md", "csv", "json", "tex", "html"), help="instead of the table in the terminal"),
        flag("-o", "--output", metavar="FILE", help="of --to; default: stdout"),
        epilog="example:\n  editeval leaderboard outputs --to html -o leaderboard.html\n",
    )
    add_command(
        commands,
        "submit",
        "a run in one file from which anybody computes its numbers again",
        RUN,
        flag("-o", "--output", required=True, metavar="FILE.tar.gz", help="the file to write"),
        switch("--with-images", "with the edits; without, only their hashes"),
    )
    add_command(
        commands,
        "verify-submission",
        "compute every number of a submission again, offline; what was changed is named",
        flag("file", metavar="FILE", help="from `editeval submit`"),
        module="submit",
        epilog="exit codes:\n  0    every number follows from what the file holds\n"
        "  2    not a submission, or changed so that it cannot be read\n  3    something differs\n",
    ).set_defaults(command="verify_submission")


def _add_looks(commands: Commands[Parser]) -> None:
    add_command(
        commands,
        "status",
        "where a run stands; works while it is running",
        RUN,
        switch("--follow", "until the run ends, once a second"),
        switch("--json", "machine-readable; with --follow one line a second"),
        epilog="exit codes:\n  0    running, or complete\n  3    ended with failures, or stopped before its end\n",
    )
    add_command(
        commands,
        "show",
        "everything known about one sample",
        RUN,
        flag("sample", metavar="SAMPLE", help="an id, the beginning of one, or a glob like 'causal/*'"),
        switch("--json", "one JSON object per sample"),
    )
    add_command(
        commands,
        "export",
        "a run for spreadsheets, data frames, papers and trace viewers",
        flag("runs", nargs="*", default=["latest"], metavar="RUN", help="several only with --to tex"),
        flag("--to", required=True, choices=EXPORTS),
        flag("--output", metavar="PATH", help="default: in the run directory; - is stdout"),
        flag("--task", metavar="OWNER/NAME:ID", help="with --to eval-results: a benchmark of the Hub and a task of it"),
        flag("--push", metavar="OWNER/NAME", help="with --to hf: also to this data set of the Hub, private if new"),
        RUNS_IN,
        switch("--allow-code", "for md: a `type` that is a file or module may be run"),
        epilog="examples:\n  editeval export --to trace              then open it at https://ui.perfetto.dev\n"
        "  editeval export runA runB --to tex      one table, a row per model\n",
    )
    add_command(
        commands,
        "view",
        "look at runs in a browser, side by side; ratings are saved in the runs",
        flag("runs", nargs="*", default=["latest"], metavar="RUN", help="run directories, names, or latest"),
        RUNS_IN,
        flag("--port", type=int, default=0, metavar="N", help="on 127.0.0.1 (default: a free one)"),
        flag("--rater", default="", metavar="NAME", help="who rates: kept apart from what others have rated"),
        switch("--no-open", "print the address, open nothing"),
        switch("--intersect", "runs of different benchmarks: the samples all have"),
    )
    shown = "what the run shows from now on, the headline's first; default: as before; repeatable"
    add_command(
        commands,
        "report",
        "regenerate the reports of a run and print its table",
        *(RUN, scores(shown, action="append", default=[]), CODE),
        flag("--embed", metavar="FILE", help="also write everything but full-size pictures into one file"),
        flag("--scale-of", metavar="JUDGE", help="show a judge's scores on the scale of JUDGE; needs --bridge"),
        flag("--bridge", metavar="FILE", help="from `editeval bridge`: leads to the scale of JUDGE"),
    )
    repairs = (
        switch("--repair", "fix what is safe: lost images, reports, temporary files"),
        switch("--accept-loss", "with --repair: also where many images are missing, which are then made again"),
    )
    add_command(
        commands, "verify", "hash every image again; compare ledger, files, reports, inputs", RUN, *repairs, CODE
    )


def _add_scores(commands: Commands[Parser]) -> None:
    add_command(
        commands,
        "score",
        "judge a run again, with another judge; edits nothing, and earlier scores stay",
        RUN,
        flag(
            "config", type=located, nargs="?", metavar="CONFIG", help="whose judges and prompts; default: the run's own"
        ),
        flag("--set", action="append", default=[], metavar="A.B=C", help="of judges or prompts; repeatable"),
        flag("--data", metavar="PATH", help="where the data of the run's benchmark are now"),
        *(CODE, DEBUG, DISPLAY),
        epilog="example:\n  editeval score latest other_judge.yaml\n"
        "  editeval score latest --set reward_model.params.protocol=pointwise\n",
        module="rescore",
    )
    add_command(
        commands,
        "reparse",
        "read a judge's kept replies again, offline; the earlier scores stay beside the new ones",
        RUN,
        scores("whose replies; needed if the run has several score sets"),
        flag("--protocol", metavar="NAME", help="another protocol that asks the same questions"),
        flag("--match-published", nargs="*", metavar="BUG", help="published bugs to repeat; none: repeats no more"),
        flag("--min-label-mass", type=float, metavar="X", help="least probability on the labels, 0 to 1"),
        CODE,
        module="rescore",
    )
    certify = add_command(
        commands,
        "certify",
        "how far can this judge be trusted? needs no editor and no data",
        flag("config", type=located, nargs="?", default="config.yaml", metavar="CONFIG", help="whose judge"),
        flag("--num-items", type=int, default=60, metavar="N", help="samples shown, at least 30"),
        switch("--dry-run", "how many calls, tokens and dollars; nothing is asked"),
        flag("--judge", metavar="NAME", help="of several judges, this one alone"),
        *(JSON, stage_flags("the judges")),
    )
    meta = add_command(
        commands,
        "meta",
        "how far does this judge agree with people? on pairs or ratings of real edits",
        flag("config", type=located, nargs="?", default="config.yaml", metavar="CONFIG", help="whose judge"),
        flag("--data", dest="people", required=True, metavar="NAME", help=f"what people said: {', '.join(PEOPLE)}"),
        flag("--path", default="", metavar="PATH", help="its file, folder or clone (default: the Hub's data set)"),
        flag("--limit", dest="num_pairs", type=int, metavar="N", help="about N pairs, at least 30 (default: all)"),
        flag("--judge", metavar="NAME", help="of several judges, this one alone"),
        switch("--dry-run", "how many calls, tokens and dollars; nothing is asked"),
        *(JSON, stage_flags("the judges")),
    )
    for parser in (certify, meta):
        parser.set_defaults(benchmark=None, data=None, categories=None, limit=None, first=None, sample=None)


def _add_others(commands: Commands[Parser]) -> None:
    output_dir = flag("--output-dir", default="outputs", metavar="DIR", help="whose disk is looked at")
    add_command(
        commands, "doctor", "this machine: devices, libraries, caches, disks, bad combinations", output_dir, JSON
    )
    one = flag("name", nargs="?", metavar="NAME", help="all that is known of this benchmark or protocol")
    what = flag("what", choices=PLUGINS)
    names = add_command(commands, "list", "list editors, judges, benchmarks, protocols and policies", what, one)
    names.set_defaults(command="list_names")
    shell = flag("shell", choices=("bash", "zsh", "tcsh"))
    add_command(commands, "completion", "print what makes a shell complete commands and flags", shell, module="init")
    add_command(
        commands,
        "reproduce",
        "results that authors publish, through our parser and means, beside their numbers",
        flag("name", nargs="?", metavar="NAME", help="a format of --list; all: those whose results are public"),
        flag("--from", dest="folder", metavar="FOLDER", help="a clone of the authors' repository, or your results"),
        flag("--published", action="append", default=[], metavar="X=V", help="'[TABLE: ]ROW COLUMN=VALUE' to compare"),
        switch("--markdown", "as a page"),
        switch("--chinese", "the page in Chinese"),
        switch("--list", "the formats, and what cannot be recomputed"),
        epilog="exit codes:\n  0    every published number is reached\n  1    some differ\n"
        "  2    usage, or the folder is not what the authors publish\n",
    )
    workers = "2.0,2.1,2.0,2.0,2.0,2.0"
    add_command(
        commands,
        "simulate",
        "what a run takes under every policy",
        flag("--requests", type=int, default=270, metavar="N"),
        flag("--durations", default=workers, metavar="S,S,...", help="one per worker"),
        flag("--cv", type=float, default=0.0, metavar="X", help="coefficient of variation per request"),
        flag("--draws", type=int, default=200, metavar="N", help="random draws to average (with --cv)"),
        switch("--rotate", "the durations move on by one worker every round"),
        flag("--max-drift", type=int, default=1, metavar="K", help="of bounded_drift"),
        flag("--svg", default="", metavar="FILE", help="also draw the first draw: a row per worker, batches as lines"),
        flag("--seed", type=int, default=0, metavar="N"),
        JSON,
    )
