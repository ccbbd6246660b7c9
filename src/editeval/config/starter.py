"""`starter`: a commented configuration to begin with, put together from the ready files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from editeval import plugins
from editeval.config import ready, short_names
from editeval.config.schema import Config
from editeval.config.values import parse_devices, suggestion
from editeval.config.yaml_tree import FLAG, Source, make
from editeval.errors import ConfigError
from editeval.files import Folder
from editeval.plugins import names_code
from editeval.text import as_yaml, run_command, shell_line

RESOLVED = "config.yaml"  # in a run directory

_PLACE = "PATH                      # where its data are; the authors' own layout, or see docs/benchmarks.md"


def starter(file: str, words: Mapping[str, str | None]) -> str:
    """The text of a configuration of the model, benchmark, data, judge and gpus that `words` has; None: the default's.

    Raises ConfigError, one line, for a name that stands for nothing.
    """
    for name, word in words.items():
        if word is not None and not word.strip():
            raise ConfigError(f"--{name}: is empty; give a value, or leave --{name} out")
    if words["data"] is not None and words["benchmark"] in (None, "procedural"):
        raise ConfigError("--data: the built-in benchmark draws its samples and reads no data; add --benchmark NAME")
    default = ready.yaml_sections((ready.folder() / "config.yaml").read_text(encoding="utf-8"))
    benchmark = _benchmark(words["benchmark"], words["data"]) if words["benchmark"] else default["benchmark"]
    authors = ready.folder() / "configs" / "benchmarks" / f"{words['benchmark']}.yaml"
    is_drawn = words["benchmark"] in (None, "procedural")  # else neither targets nor a stand-in are there
    if words["judge"] is None and authors.is_file():
        judge = ready.yaml_sections(authors.read_text(encoding="utf-8"))["reward_model"]
    elif words["judge"] is None and is_drawn:
        judge = default["reward_model"]
    else:
        judge = _named("judges", words["judge"] or "qwen3-vl-8b")
    editor = default["diffusion_model"]
    if words["model"] or not is_drawn:
        editor = _named("editors", words["model"] or "qwen-image-edit-2511")
    gpus = words["gpus"]
    if gpus is not None:
        parse_devices(make(gpus, "", Source("--gpus", "flag --gpus", FLAG)))
    parts = [benchmark, *((_on(gpus, editor), _on(gpus, judge)) if gpus else (editor, judge)), default["evaluation"]]
    commands = {
        f"editeval check {shell_line([file])}": "is it sound? starts nothing",
        f"editeval run {shell_line([file])} --dry-run": "what a run will take",
        f"editeval run {shell_line([file])} --limit 10": "ten samples",
        f"editeval run {shell_line([file])}": "run it, or continue it",
    }
    width = max(map(len, commands))
    head = "".join(f"#     {command:{width}}   {what}\n" for command, what in commands.items())
    told = (
        "# Written by `editeval init`. Change what you like; `editeval list editors NAME` explains the parameters.\n#\n"
    )
    return told + head + "\n" + "\n".join("".join(lines).rstrip() + "\n" for lines in parts)


def _benchmark(name: str, data: str | None) -> list[str]:
    names = plugins.available("benchmarks")
    if name not in names and not plugins.is_foreign(name):
        raise ConfigError(f"--benchmark: no benchmark {name!r}{suggestion(name, names)}")
    file = ready.folder() / "configs" / "benchmarks" / f"{name}.yaml"
    place = f"    path: {yaml.safe_dump(data).splitlines()[0] if data else _PLACE}\n"
    if not file.is_file():
        return ["benchmark:\n", f"  type: {name}\n", *(["  params:\n", place] if data or name != "procedural" else [])]
    lines = ready.yaml_sections(file.read_text(encoding="utf-8"))["benchmark"]
    at = lines.index("  params:\n") + 1 if "  params:\n" in lines else 0
    if data is None:
        return lines
    kept = [line for line in lines if not re.match(r"    (path|repo|revision):", line)]
    return [*kept[:at], place, *kept[at:]] if at else [*lines, "  params:\n", place]


def _named(kind: str, word: str) -> list[str]:
    """The section that `word` stands for, with the comments of its ready file if it has one."""
    section, *_ = short_names.SECTIONS[kind]
    path = short_names.file_of(kind, word)
    if path is not None:
        return ready.yaml_sections(path.read_text(encoding="utf-8"))[section]
    return as_yaml(dict(short_names.sections(kind, word)), width=80).splitlines(keepends=True)


def _on(gpus: str, lines: list[str]) -> list[str]:
    """The section with these devices and no others."""
    written = f"    device_ids: {yaml.safe_dump(gpus).splitlines()[0]}      # one worker on each\n"
    kept = [line for line in lines if "device_ids:" not in line]
    while kept and not kept[-1].strip():
        kept.pop()
    if "  execution:\n" in kept:
        at = kept.index("  execution:\n") + 1
        return [*kept[:at], written, *kept[at:]]
    return [*kept, "  execution:\n", written]


def write_resolved(run: Folder, config: Config) -> None:
    """Writes `config` with every default and flag in it: a file that gives the same run again."""
    again = run_command("run", run.root / RESOLVED, names_code=names_code(config.resolved))
    text = f"# What this run was started with, every default and flag included. To continue it: {again}\n"
    data = (text + as_yaml(dict(config.resolved), width=120)).encode("utf-8")
    if not run.is_file(RESOLVED) or run.read(RESOLVED) != data:
        run.write(RESOLVED, data)


def save_new(path: Path, text: str) -> None:
    """Writes a file that is not there yet. Raises ConfigError if it is, or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: is there already, and stays as it is; name another file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; name another file") from error
