"""`editeval sweep`: one run per checkpoint, adapter or value of a parameter, and how they compare."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

from editeval.cli.console import continuing, interruptible, overrides_of, result_console
from editeval.config.load import load_config
from editeval.config.schema import Config
from editeval.config.values import MAX_NAME
from editeval.errors import ConfigError
from editeval.reports.sweep_tables import render_sweep, write_sweep
from editeval.reports.tables import to_json
from editeval.run.arrivals import Arrivals, natural
from editeval.run.gating import margin_of
from editeval.run.plan import editor_of
from editeval.run.scheduler import TIME_OVER, Interrupt
from editeval.run.sweep import Stopping, Sweep
from editeval.run.sweep_results import document, folder_of
from editeval.text import one_line
from editeval.types import Metric

PARAMS = "diffusion_model.params"
NAP_S = 0.2


def sweep(options: argparse.Namespace) -> int:
    """0 if all are done or were stopped early, 3 if one failed, is not finished or lacks scores, 128 + signal."""
    _check(options)
    base = _config(options, ())
    found = _variants(options, base)
    labels = _labels([path for path, _ in found])
    is_open = options.watch is not None
    stopping = _stopping(options, None if is_open else len(found) - 1)
    running = Sweep(lambda sets: _config(options, sets), stopping, options.argv, options.display)
    for label, (_, sets) in zip(labels, found, strict=True):
        running.add(label, (*sets, _named(base, label)))
    with interruptible() as interrupt:
        if is_open:
            with _limited(24.0 if options.max_hours is None else options.max_hours, interrupt):
                _watch(options, base, running, [Path(word) for word, _ in found], interrupt)
        else:
            _advance(running, interrupt)
    told = document(running, base.name, options.margin if stopping else None)
    asked = ("checkpoint", "lora", "set_each", "watch", "stop_early", "margin")
    folder = folder_of(base, {name: getattr(options, name) for name in asked})
    write_sweep(told, folder)
    if options.json:
        sys.stdout.write(to_json(told) + "\n")
    elif options.display != "json":
        render_sweep(told, result_console())
    sys.stderr.write(f"Sweep: {folder / 'sweep.json'}\n")
    if interrupt.signum not in (None, TIME_OVER):
        sys.stderr.write(f"Interrupted; to continue: {continuing(options.argv)}\n")
        return 128 + interrupt.signum
    is_unfinished = any(row["status"] == "incomplete" for row in told["checkpoints"])
    if is_unfinished:
        sys.stderr.write(f"--max-hours: the time is over; to continue: {continuing(options.argv)}\n")
    is_fine = all(one.exit_code == 0 and not one.error for one in running.contestants)
    return 0 if is_fine and not is_unfinished else 3


def _advance(running: Sweep, interrupt: Interrupt) -> None:
    while running.advance(interrupt):
        pass


@contextmanager
def _limited(hours: float, interrupt: Interrupt) -> Iterator[None]:
    """Inside, `interrupt` expires after so many hours, whatever is at work."""
    timer = threading.Timer(hours * 3600, interrupt.expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check(options: argparse.Namespace) -> None:
    given = [name for name in ("checkpoint", "lora", "set_each") if getattr(options, name) is not None]
    if len(given) > 1:
        words = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{words}: sweep one thing; run `editeval sweep` twice for two")
    if options.watch is not None and options.set_each is not None:
        raise ConfigError("--watch and --set-each: a folder has checkpoints, not values; choose one")
    if options.watch is None and not any(getattr(options, name) for name in given):
        raise ConfigError("sweep: nothing to compare: name folders with --checkpoint or --lora, values with --set-each")
    for name in ("max_hours", "poll_s"):
        if getattr(options, name) is not None and options.watch is None:
            raise ConfigError(f"--{name.replace('_', '-')}: is about --watch; leave it out")
        if getattr(options, name) is not None and not 0 < getattr(options, name) < 1e6:
            raise ConfigError(f"--{name.replace('_', '-')}: must be above 0, got {getattr(options, name):g}")
    if options.json and options.display == "json":
        raise ConfigError("--json and --display json: both would write to stdout; choose one")
    if options.margin is not None and not options.stop_early:
        raise ConfigError("--margin: is about --stop-early; add it, or leave --margin out")


def _config(options: argparse.Namespace, sets: tuple[str, ...]) -> Config:
    overrides = overrides_of(options)
    return load_config(
        Path(options.config), replace(overrides, sets=(*overrides.sets, *sets)), allow_code=options.allow_code
    )


def _stopping(options: argparse.Namespace, num_rivals: int | None) -> Stopping | None:
    if not options.stop_early:
        return None

    def margin(metric: Metric) -> float:
        return margin_of(options.margin or "1%", metric)

    return Stopping(margin, num_rivals)


def _variants(options: argparse.Namespace, base: Config) -> list[tuple[str, tuple[str, ...]]]:
    """(what it is called, what it sets) of everything named, in natural order; values as they were given."""
    if options.set_each is not None:
        key, _, values = options.set_each.partition("=")
        words = [value.strip() for value in values.split(",") if value.strip()]
        if not key or not words:
            raise ConfigError(f"--set-each: must be KEY=V1,V2,..., got {options.set_each!r}")
        return [(f"{key.rpartition('.')[2]}={word}", (f"{key}={word}",)) for word in words]
    paths = dict.fromkeys(options.checkpoint or options.lora or ())
    return [(path, _sets(options, base, path)) for path in sorted(paths, key=natural)]


def _sets(options: argparse.Namespace, base: Config, path: str) -> tuple[str, ...]:
    """What the checkpoint or adapter at `path` sets."""
    params, stage = base.diffusion_model.params, base.diffusion_model
    marked = [f for f in fields(params) if f.metadata.get("weights")] if is_dataclass(params) else []
    names = [f.name for f in marked if f.name != "lora"]
    if options.lora is not None:
        if not any(f.name == "lora" for f in marked):
            raise ConfigError(f"--lora: the editor {stage.requested_type!r} takes no adapters; use --checkpoint")
        adapters = [*map(dict, getattr(params, "lora", ())), {"path": path}]
        return (f"{PARAMS}.lora={json.dumps(adapters, ensure_ascii=False)}",)
    if not names:
        editor = editor_of(base).__name__
        raise ConfigError(f"--checkpoint: {editor} has no parameter that names its weights; use --set-each KEY=V1,V2")
    return (f"{PARAMS}.{names[0]}={json.dumps(path, ensure_ascii=False)}",)


def _named(base: Config, label: str) -> str:
    """What tables call its run: the label, behind the name that the configuration gives."""
    name = f"{base.evaluation.name} {label}" if base.evaluation.name else label
    return f"evaluation.name={json.dumps(name[-MAX_NAME:].strip(), ensure_ascii=False)}"


def _labels(words: Sequence[str]) -> list[str]:
    """The last part of each path, and as much before it as tells them apart."""
    parts = [Path(word).parts if "=" not in word else (word,) for word in words]
    found = [part[-1] if part else word for part, word in zip(parts, words, strict=True)]
    for size in range(2, max(map(len, parts), default=1) + 1):
        counts = Counter(found)
        found = ["/".join(part[-size:]) if counts[name] > 1 else name for name, part in zip(found, parts, strict=True)]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise ConfigError(f"sweep: {one_line(twice[0])} is named twice; name each checkpoint once")
    return found


def _watch(options: argparse.Namespace, base: Config, running: Sweep, taken: list[Path], interrupt: Interrupt) -> None:
    """The given checkpoints, then new ones as they are completed, until an interrupt."""
    arrivals = Arrivals(Path(options.watch))
    _advance(running, interrupt)
    while interrupt.signum is None:
        for path in arrivals.look(taken):
            taken.append(path)
            label = _free_label(path, running)
            running.add(label, (*_sets(options, base, str(path)), _named(base, label)))
        _advance(running, interrupt)
        for _ in _naps(options.poll_s or 30.0):
            if interrupt.signum is not None:
                break
    for path in arrivals.look(taken):
        arrivals.waiting[path] = "it was completed too late; the same command takes it"
    for path, why in arrivals.waiting.items():
        sys.stderr.write(f"{one_line(path)}: not taken: {one_line(why)}\n")


def _free_label(path: Path, running: Sweep) -> str:
    known = {one.label for one in running.contestants}
    return path.name if path.name not in known else str(path)


def _naps(seconds: float) -> Iterator[None]:
    """For so long, in steps that let an interrupt through."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(NAP_S, left))
        yield
