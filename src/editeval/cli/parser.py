"""The command line: commands, flags, help. What a command does is in the file of its name, imported when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from editeval.cli.arguments import Parser, VersionAction
from editeval.cli.console import EXIT_CODES

Group = argparse._ActionsContainer
Flags = Callable[[Group], object]
"""Adds one flag or several."""
DISPLAYS = ("auto", "live", "plain", "json", "none")
EXPORTS = ("csv", "parquet", "md", "tex", "trace", "archive")
PEOPLE = (
    *("editreward_bench", "tiger_editreward_bench", "mmrb2", "editreward_compass", "imagenhub", "vcreward"),
    "own",
)
PLUGINS = ("editors", "judges", "benchmarks", "protocols", "policies")


# ------------------------------------------------------------------------------------------------ flags


def _flag(*names: str, **how: Any) -> Flags:
    return lambda group: group.add_argument(*names, **how)


def _switch(name: str, help: str) -> Flags:
    return _flag(name, action="store_true", help=help)


def _several(*flags: Flags) -> Flags:
    return lambda group: [add(group) for add in flags]


def _scores(help: str, **how: Any) -> Flags:
    """--scores (once called --judging): a name, or the beginning of an id, as `editeval status` lists them."""
    how |= {"dest": "scores", "metavar": "NAME|ID"}
    return _several(_flag("--scores", help=help, **how), _flag("--judging", help=argparse.SUPPRESS, **how))


def _stage_flags(stages: str, *more: Flags) -> Flags:
    """What can be said of `stages`, and `more`."""

    def add(parser: Group) -> None:
        group = parser.add_argument_group("configuration (flag > --set > EDITEVAL_* > file > default)")
        _flag("--set", action="append", default=[], metavar="A.B=C", help="one value, as YAML; repeatable")(group)
        _flag("--output-dir", metavar="DIR", help="where runs and logs go (default: outputs)")(group)
        _flag("--device-ids", nargs="+", metavar="ID", help=f"GPU numbers or cpu, of {stages}")(group)
        _flag("--seed", type=int, metavar="N", help=f"base seed of {stages}")(group)
        _several(_CODE, _switch("--debug", "log everything; errors keep their traceback"), *more)(group)

    return add


_CODE = _switch("--allow-code", "a `type` that is a file or a module may be run")
_DEBUG = _switch("--debug", "errors keep their traceback")
_JSON = _switch("--json", "machine-readable")
_CONFIG = _flag("config", nargs="?", default="config.yaml", metavar="CONFIG", help="default: config.yaml")
_RUNS_IN = _flag("--output-dir", default="outputs", metavar="DIR", help="where runs are looked for")
_RUN = _several(
    _flag("run", nargs="?", default="latest", metavar="RUN", help="a run directory, its name, or latest"), _RUNS_IN
)
_DISPLAY = _flag(
    "--display",
    choices=DISPLAYS,
    default="auto",
    help="while it runs: auto is live on a terminal, else plain; json: an event per line on stdout",
)
_DATA = "where its data are: the path that it reads"
_CONFIG_FLAGS = _stage_flags(
    "editor and judges",
    _flag("--benchmark", metavar="NAME", help="this benchmark, whatever CONFIG has: see `editeval list benchmarks`"),
    _flag("--data", metavar="PATH", help=_DATA),
    _flag("--categories", nargs="+", metavar="NAME", help="only these (also comma-separated)"),
    _flag("--limit", type=int, metavar="N", help="only N samples, drawn evenly over the categories"),
    _flag("--first", type=int, metavar="N", help="only the first N samples"),
    _flag("--sample", action="append", metavar="ID", help="only these ids (* and ? match); repeatable"),
)


def _run_flags(parser: argparse.ArgumentParser) -> None:
    _CONFIG_FLAGS(parser)
    _several(
        _switch("--dry-run", "print the full plan; load no model, write nothing"),
        _switch("--fresh", "start a new run directory; deletes nothing"),
        _switch("--resume", "the default anyway; not with --fresh"),
        _DISPLAY,
    )(parser.add_argument_group("run"))


# ------------------------------------------------------------------------------------------------ commands


def build_parser() -> Parser:
    """The whole command line. `options.command` is a function of the module `options.module` of this package."""
    parser = Parser(
        prog="editeval",
        description="Evaluate instruction-based image-editing models on every GPU, with numbers that can be trusted.",
        epilog="example:\n  editeval run config.yaml --limit 10\n\n" + EXIT_CODES,
    )
    parser.add_argument("--version", action=VersionAction, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for add in (_add_runs, _add_imports, _add_looks, _add_scores, _add_comparisons, _add_others):
        add(commands)
    return parser


def build_legacy_parser() -> Parser:
    """The command line of main.py."""
    parser = Parser(prog="main.py", description="The same as `editeval run CONFIG`.", epilog=EXIT_CODES)
    default = "config.yaml"
    parser.add_argument("--config", default=default, metavar="CONFIG", help=f"configuration (default: {default})")
    _run_flags(parser)
    parser.set_defaults(command="run", module="run")
    return parser


Commands = argparse._SubParsersAction


def _add(commands: Commands[Parser], name: str, help: str, *flags: Flags, module: str = "", epilog: str = "") -> Parser:
    parser = commands.add_parser(name, help=help, epilog=epilog)
    _several(*flags)(parser)
    parser.set_defaults(command=name, module=module or name)
    return parser


def _add_runs(commands: Commands[Parser]) -> None:
    run = _add(commands, "run", "edit, judge and report; the same command again continues", _CONFIG, epilog=EXIT_CODES)
    _run_flags(run)
    _add(commands, "check", "is this configuration sound? starts nothing", _CONFIG, _CONFIG_FLAGS, module="run")
    _add(
        commands,
        "migrate",
        "write today's file for a configuration of v2 or RE-Edit",
        _flag("config", metavar="OLD", help="the old file; it stays as it is"),
        _flag("-o", "--output", metavar="NEW", help="the new file, which must not be there; default: stdout"),
    )
    only = "only these reasons: oom,timeout,parse,crash,..."
    _add(
        commands,
        "retry",
        "try again what failed in a run, and only that",
        *(_RUN, _flag("--only", default="", metavar="REASON,...", help=only), _CODE, _DEBUG, _DISPLAY),
        epilog=EXIT_CODES,
    )


def _add_imports(commands: Commands[Parser]) -> None:
    layout = "how the files are named, such as {category}/{id}.png (default: found out)"
    imports = _add(
        commands,
        "import",
        "edits made elsewhere become a run: judge, compare and verify them like any other",
        _flag("folder", metavar="FOLDER", help="with the edits; or a .jsonl of {id, image}, or a gallery of the Hub"),
        _flag("config", nargs="?", metavar="CONFIG", help="whose benchmark, judges and prompts; not its editor"),
        _flag("--name", metavar="MODEL", help="what made the edits: begins the run's name (default: that of FOLDER)"),
        _flag("--layout", default="", metavar="PATTERN", help=layout),
        module="import_edits",
        epilog="examples:\n  editeval import edits/ --benchmark gedit --data GEdit-Bench --name my-model judge.yaml\n"
        "  editeval import edits.jsonl config.yaml --name my-model\n\n" + EXIT_CODES,
    )
    _run_flags(imports)
    imports.set_defaults(command="import_edits")
    imports.last = "config"


def _add_looks(commands: Commands[Parser]) -> None:
    _add(
        commands,
        "status",
        "where a run stands; works while it is running",
        _RUN,
        _switch("--follow", "until the run ends, once a second"),
        _switch("--json", "machine-readable; with --follow one line a second"),
        epilog="exit codes:\n  0    running, or complete\n  3    ended with failures, or stopped before its end\n",
    )
    _add(
        commands,
        "show",
        "everything known about one sample",
        _RUN,
        _flag("sample", metavar="SAMPLE", help="an id, the beginning of one, or a glob like 'causal/*'"),
        _switch("--json", "one JSON object per sample"),
    )
    _add(
        commands,
        "export",
        "a run for spreadsheets, data frames, papers and trace viewers",
        _flag("runs", nargs="*", default=["latest"], metavar="RUN", help="several only with --to tex"),
        _flag("--to", required=True, choices=EXPORTS),
        _flag("--output", metavar="PATH", help="default: in the run directory; - is stdout"),
        _RUNS_IN,
        _switch("--allow-code", "for md: a `type` that is a file or module may be run"),
        epilog="examples:\n  editeval export --to trace              then open it at https://ui.perfetto.dev\n"
        "  editeval export runA runB --to tex      one table, a row per model\n",
    )
    _add(
        commands,
        "view",
        "look at runs in a browser, side by side; ratings are saved in the runs",
        _flag("runs", nargs="*", default=["latest"], metavar="RUN", help="run directories, names, or latest"),
        _RUNS_IN,
        _flag("--port", type=int, default=0, metavar="N", help="on 127.0.0.1 (default: a free one)"),
        _switch("--no-open", "print the address, open nothing"),
        _switch("--intersect", "runs of different benchmarks: the samples all have"),
    )
    shown = "what the run shows from now on, the headline's first; default: as before; repeatable"
    _add(
        commands,
        "report",
        "regenerate the reports of a run and print its table",
        *(_RUN, _scores(shown, action="append", default=[]), _CODE),
        _flag("--embed", metavar="FILE", help="also write everything but full-size pictures into one file"),
        _flag("--scale-of", metavar="JUDGE", help="show a judge's scores on the scale of JUDGE; needs --bridge"),
        _flag("--bridge", metavar="FILE", help="from `editeval bridge`: leads to the scale of JUDGE"),
    )
    repairs = (
        _switch("--repair", "fix what is safe: lost images, reports, temporary files"),
        _switch("--accept-loss", "with --repair: also where many images are missing, which are then made again"),
    )
    _add(commands, "verify", "hash every image again; compare ledger, files, reports, inputs", _RUN, *repairs, _CODE)


def _add_scores(commands: Commands[Parser]) -> None:
    _add(
        commands,
        "score",
        "judge a run again, with another judge; edits nothing, and earlier scores stay",
        _RUN,
        _flag("config", nargs="?", metavar="CONFIG", help="whose judges and prompts; default: the run's own"),
        _flag("--set", action="append", default=[], metavar="A.B=C", help="of judges or prompts; repeatable"),
        _flag("--data", metavar="PATH", help="where the data of the run's benchmark are now"),
        *(_CODE, _DEBUG, _DISPLAY),
        epilog="example:\n  editeval score latest other_judge.yaml\n"
        "  editeval score latest --set reward_model.params.protocol=pointwise\n",
        module="rescore",
    )
    _add(
        commands,
        "reparse",
        "read a judge's kept replies again, offline; the earlier scores stay beside the new ones",
        _RUN,
        _scores("whose replies; needed if the run has several score sets"),
        _flag("--protocol", metavar="NAME", help="another protocol that asks the same questions"),
        _flag("--match-published", nargs="*", metavar="BUG", help="published bugs to repeat; none: repeats no more"),
        _flag("--min-label-mass", type=float, metavar="X", help="least probability on the labels, 0 to 1"),
        _CODE,
        module="rescore",
    )
    certify = _add(
        commands,
        "certify",
        "how far can this judge be trusted? needs no editor and no data",
        _flag("config", nargs="?", default="config.yaml", metavar="CONFIG", help="whose judge"),
        _flag("--num-items", type=int, default=60, metavar="N", help="samples shown, at least 30"),
        _switch("--dry-run", "how many calls, tokens and dollars; nothing is asked"),
        _flag("--judge", metavar="NAME", help="of several judges, this one alone"),
        *(_JSON, _stage_flags("the judges")),
    )
    meta = _add(
        commands,
        "meta",
        "how far does this judge agree with people? on pairs or ratings of real edits",
        _flag("config", nargs="?", default="config.yaml", metavar="CONFIG", help="whose judge"),
        _flag("--data", dest="people", required=True, metavar="NAME", help=f"what people said: {', '.join(PEOPLE)}"),
        _flag("--path", default="", metavar="PATH", help="its file, folder or clone (default: the Hub's data set)"),
        _flag("--limit", dest="num_pairs", type=int, metavar="N", help="about N pairs, at least 30 (default: all)"),
        _flag("--judge", metavar="NAME", help="of several judges, this one alone"),
        _switch("--dry-run", "how many calls, tokens and dollars; nothing is asked"),
        *(_JSON, _stage_flags("the judges")),
    )
    for parser in (certify, meta):
        parser.set_defaults(benchmark=None, data=None, categories=None, limit=None, first=None, sample=None)


def _add_comparisons(commands: Commands[Parser]) -> None:
    _add(
        commands,
        "compare",
        "which model is better: by a judge of pairs of edits, by people's verdicts, or by the scores of the runs",
        _flag("runs", nargs="*", default=[], metavar="RUN", help="two or more: run directories, or their names"),
        _flag("--judge", metavar="FILE", help="configuration whose judge compares two edits (protocol: pairwise, ...)"),
        _flag(
            "--verdicts", metavar="FILE", help="people's verdicts instead: .jsonl, MMRB2's .json, ImagenHub's folder"
        ),
        _flag("--max-pairs", type=int, metavar="N", help="ask about at most N pairs of edits"),
        _switch("--all", "ask about every pair of edits, whatever the answers are"),
        _flag("--out", metavar="FOLDER", help="of comparison.json and .md (default: comparisons/ beside the runs)"),
        _flag("--seed", type=int, default=0, metavar="N", help="of the order of samples and of the bootstrap"),
        _flag("--set", action="append", default=[], metavar="A.B=C", help="of the judge; repeatable"),
        _flag("--data", metavar="PATH", help="where the data of the runs' benchmark are now"),
        *(_RUNS_IN, _JSON, _CODE, _DEBUG),
        epilog="examples:\n  editeval compare runA runB runC --judge judge.yaml --max-pairs 500\n"
        "  editeval compare --verdicts people.jsonl\n\n" + EXIT_CODES,
    )
    _add(
        commands,
        "bridge",
        "carry a new judge's scores over to an old judge's scale, from what both judged",
        _flag("--anchor", nargs="+", required=True, metavar="RUN", help="what both judged: runs, or tables"),
        _flag("--from", dest="source", required=True, metavar="NEW", help="judge whose scores are carried over"),
        _flag("--to", dest="target", required=True, metavar="OLD", help="judge on whose scale they are to be"),
        _flag("--metric", action="append", default=[], metavar="TO[=FROM]", help="only these; default: all in common"),
        _flag("--out", metavar="FILE", help="default: bridge-NEW-to-OLD.json here"),
        *(_RUNS_IN, _DEBUG),
        epilog="examples:\n  editeval bridge --anchor runA runB runC --from qwen --to gpt-4.1\n"
        "  editeval report new-run --scale-of gpt-4.1 --bridge bridge-qwen-to-gpt-4.1.json\n\n"
        "Tables have the columns editor, sample, from, to, and metric, cluster, category if there are several.\n",
    )


def _add_others(commands: Commands[Parser]) -> None:
    output_dir = _flag("--output-dir", default="outputs", metavar="DIR", help="whose disk is looked at")
    _add(commands, "doctor", "this machine: devices, libraries, caches, disks, bad combinations", output_dir, _JSON)
    one = _flag("name", nargs="?", metavar="NAME", help="all that is known of this benchmark or protocol")
    what = _flag("what", choices=PLUGINS)
    names = _add(commands, "list", "list editors, judges, benchmarks, protocols and policies", what, one)
    names.set_defaults(command="list_names")
    _add(
        commands,
        "reproduce",
        "results that authors publish, through our parser and means, beside their numbers",
        _flag("name", nargs="?", metavar="NAME", help="a format of --list; all: those whose results are public"),
        _flag("--from", dest="folder", metavar="FOLDER", help="a clone of the authors' repository, or your results"),
        _flag("--published", action="append", default=[], metavar="X=V", help="'[TABLE: ]ROW COLUMN=VALUE' to compare"),
        _switch("--markdown", "as a page"),
        _switch("--chinese", "the page in Chinese"),
        _switch("--list", "the formats, and what cannot be recomputed"),
        epilog="exit codes:\n  0    every published number is reached\n  1    some differ\n"
        "  2    usage, or the folder is not what the authors publish\n",
    )
    workers = "2.0,2.1,2.0,2.0,2.0,2.0"
    _add(
        commands,
        "simulate",
        "what a run takes under every policy",
        _flag("--requests", type=int, default=270, metavar="N"),
        _flag("--durations", default=workers, metavar="S,S,...", help="one per worker"),
        _flag("--cv", type=float, default=0.0, metavar="X", help="coefficient of variation per request"),
        _flag("--draws", type=int, default=200, metavar="N", help="random draws to average (with --cv)"),
        _switch("--rotate", "the durations move on by one worker every round"),
        _flag("--max-drift", type=int, default=1, metavar="K", help="of bounded_drift"),
        _flag("--seed", type=int, default=0, metavar="N"),
        _JSON,
    )
