"""From a file of v2 or RE-Edit to today's: every key that changes carries a comment, every dropped one a reason.

`migrated` works on the tree that the loader reads: `legacy.translate` moves what has another place today, and a node
remembers the key and the line that it was written under. Comments of the old file are not carried over.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from editeval import plugins
from editeval.config import legacy, load
from editeval.config.schema import SECTIONS
from editeval.config.values import field_names
from editeval.config.yaml_tree import (
    FILE,
    Node,
    Plain,
    Source,
    child,
    make,
    moved,
    placed,
    plain,
    quoted,
    read_file,
    without,
)
from editeval.errors import Problems

_NOW = Source("", "", FILE)
_HOME = {"data": "benchmark", "mllm": "diffusion_model", "log_level": "logging", "runtime": "evaluation"}
"""Under which section of today's file it is said what became of a section that is no more."""

_ONE_EDIT = "one model edits, and what it makes is what is judged; run a second editor as a run of its own, and compare"
_ONE_LEDGER = "every edit is kept, and the same command continues"
RE_EDIT_DROPPED = {  # longer keys before the sections that hold them
    "diffusion_model.refinement": _ONE_EDIT,
    "mllm": f"no language model rewrites instructions here: {_ONE_EDIT}",
    "evaluation.save_images": "edits are always kept in the run's directory",
    "evaluation.primary_images_dir": "edits come from the editor, and a file that is missing is never a source image",
    "evaluation.primary_image_suffix": "edits come from the editor",
    "evaluation.skip_refinement": "there is no refinement to skip",
    "evaluation.skip_stage4": "without reward_model, edits are made and not judged",
    "evaluation.enable_primary_scoring": "every edit is judged",
    "evaluation.enable_sc_metric": "protocol re_edit always asks for semantic_consistency",
    "evaluation.enable_instruction_following_metric": "protocol re_edit always asks for instruction_following",
    "evaluation.enable_pq_metric": "protocol re_edit does not ask for it; protocol viescore has a perceptual quality",
    "evaluation.enable_iterative_refinement": _ONE_EDIT,
    "evaluation.use_original_as_primary": "the type identity returns the source image, as a control",
    "evaluation.category_to_dir": "file names come from sample ids",
    "evaluation.enable_disk_cache": _ONE_LEDGER,
    "evaluation.cache_dir": _ONE_LEDGER,
    "prompts": "protocol re_edit asks in its own words; words of your own go with protocol rubric (one number 0-10)",
}
_RE_EDIT_MARKS = (("diffusion_model", "primary"), ("mllm",), ("log_level",), ("evaluation", "enable_sc_metric"))
_GREEDY = "RE-Edit took one greedy reply"
Place = tuple[str, ...]


def migrated(path: Path) -> str:
    """Today's file for the configuration in `path`. Raises ConfigError if there is none, with everything wrong in it.

    What else is a mistake in the old file is one in the new file: `check` finds it there.
    """
    problems = Problems(path)
    old = read_file(path, Source(str(path), f"file {path}", FILE, numbered=True), problems)
    problems.check()
    is_re_edit = any(child(old, *mark) is not None for mark in _RE_EDIT_MARKS)
    new = _Migration(old)
    if is_re_edit:
        new.leave_re_edit()
    new.tree, warnings = legacy.translate(new.tree, problems)
    new.name_benchmark()
    for kind, section in [("editors", ("diffusion_model",)), *(("judges", s) for s in legacy.judge_sections(new.tree))]:
        with problems.collect():
            new.name_plugin(kind, section, is_re_edit)
    if problems.found and not is_re_edit:
        load.read_config(path, problems, environ={})  # whatever else is wrong is said with it
    problems.check()
    new.judge_one_by_one()
    new.drop_without_effect(())
    new.account_for(old, warnings)
    head = f"# Today's form of {path.name}, by `editeval migrate`: what changed is said at its key.\n"
    return head + "".join(new.sections())


def _leaves(node: Node) -> list[Node]:
    return [leaf for below in node.children.values() for leaf in _leaves(below)] if node.is_map else [node]


def _line(node: Node) -> str:
    return f"line {node.where.rpartition(':')[2]}"


class _Migration:
    """The tree on its way to today's form, and what is said of its keys."""

    def __init__(self, old: Node) -> None:
        self.tree = old
        self.said: dict[Place, str] = {}  # of new keys
        self.dropped: dict[str, list[str]] = {}  # of old ones, by the section where they are looked for
        self.gone: set[str] = set()  # old keys that have been accounted for

    def _at(self, *path: str) -> Node | None:
        return child(self.tree, *path)

    def _value(self, *path: str) -> Plain:
        node = child(self.tree, *path)
        return plain(node) if node is not None else None

    def _put(self, path: Place, value: object, why: str) -> None:
        self.tree = placed(self.tree, make(value, "", _NOW), *path)
        self.said[path] = why

    def _remove(self, *path: str) -> None:
        self.tree = without(self.tree, *path)

    def _drop(self, path: Place, reason: str) -> None:
        """Removes what is at `path`, and says why."""
        node = self._at(*path)
        if node is not None:
            self._remove(*path)
            self._say_dropped(node, reason)

    def _say_dropped(self, node: Node, reason: str) -> None:
        section = node.key.partition(".")[0]
        inside = [leaf.key.removeprefix(f"{node.key}.") for leaf in _leaves(node) if leaf.key != node.key]
        holds = f", with {', '.join(inside)}" if inside else ""
        line = f"dropped {node.key} ({_line(node)}){holds}: {reason}"
        self.dropped.setdefault(_HOME.get(section, section), []).append(line)
        self.gone |= {node.key, *(leaf.key for leaf in _leaves(node))}

    # -------------------------------------------------------------------------------------------- RE-Edit

    def leave_re_edit(self) -> None:
        """The tree in v2's form, without what RE-Edit alone had."""
        is_judged = self._value("evaluation", "skip_stage4") is not True
        for key, reason in RE_EDIT_DROPPED.items():
            self._drop(tuple(key.split(".")), reason)
        if not is_judged:
            self._drop(("reward_model",), "skip_stage4 was true")
        for name in ("type", "params"):
            self.tree = moved(self.tree, ("diffusion_model", "primary", name), ("diffusion_model", name))
        self._remove("diffusion_model", "primary")
        self.tree = moved(self.tree, ("log_level",), ("logging", "level"))
        offload = self._at("diffusion_model", "params", "use_cpu_offload")
        if offload is not None and offload.value is True:
            self._remove("diffusion_model", "params", "use_cpu_offload")
            self.tree = placed(self.tree, replace(offload, value="model"), "diffusion_model", "params", "cpu_offload")
        if self._at("reward_model") is not None:
            self._ask_as_re_edit()

    def _ask_as_re_edit(self) -> None:
        """Protocol re_edit, asked as RE-Edit did, on as many devices as it took."""
        params, execution = ("reward_model", "params"), ("reward_model", "execution")
        why = "RE-Edit's questions: a verdict on the category, and two grades"
        new: list[tuple[Place, object, str]] = [((*params, "protocol"), "re_edit", why)]
        if self._value("reward_model", "type") == "qwen3_vl_vllm_subprocess":
            new += [((*params, "num_samples"), 1, _GREEDY), ((*params, "temperature"), 0, _GREEDY)]
            size = self._value(*params, "tensor_parallel_size")
            ids = self._value(*params, "device_ids") or self._value("diffusion_model", "params", "device_ids")
            listed = ids if isinstance(ids, list) else []
            if isinstance(size, int) and size > 0:
                at = (*execution, "devices_per_worker")
                self.tree = moved(self.tree, (*params, "tensor_parallel_size"), at)
                self._remove(*params, "device_ids")
                why = f"as many of the editor's as workers of {size} can share" if listed else "one worker"
                used = listed[: len(listed) // size * size] or list(range(size))
                new.append(((*execution, "device_ids"), used, why))
        for path, value, why in new:
            if self._at(*path) is None:
                self._put(path, value, why)

    # -------------------------------------------------------------------------------------------- v2

    def name_benchmark(self) -> None:
        """`json_records`, where a path alone meant it."""
        node = self._at("benchmark")
        if node is not None and child(node, "type") is None:
            self.said["benchmark", "type"] = "what the path of a file of records alone meant"
            typed = {"type": make("json_records", "", _NOW), **node.children}
            self.tree = placed(self.tree, replace(node, value=typed), "benchmark")

    def name_plugin(self, kind: str, section: Place, is_re_edit: bool) -> None:
        """The stage under today's name, with what the old name meant besides, and without what nothing reads."""
        node = self._at(*section)
        old = {n: below for n in ("type", "class_path") if (below := child(node, n)) is not None}
        if node is None or not old:
            return
        named, _ = legacy.resolve(kind, node, ".".join(section))
        if any(below.value != named.type or name == "class_path" for name, below in old.items()):
            was = " and ".join(f"{below.key}: {below.value} ({_line(below)})" for below in old.values())
            self.said[*section, "type"] = f"was {was}"
        self.gone |= {below.key for below in old.values()}
        rest = {name: below for name, below in node.children.items() if name not in old}
        typed = {"type": make(named.type, "", _NOW), **rest}
        self.tree = placed(self.tree, replace(node, value=typed), *section)
        for param, value in named.defaults:
            if self._at(*section, "params", param) is None:
                self._put((*section, "params", param), value, "what the old type meant")
        if is_re_edit and plugins.is_name(kind, named.type) and not plugins.is_foreign(named.type):
            known = {*field_names(plugins.load(kind, named.type).Params), "seed", "num_seeds"}
            given = self._at(*section, "params")
            for name, below in (given.children if given is not None else {}).items():
                path = (*section, "params", name)
                if name not in known and legacy.obsolete_key_warning(".".join(path), below) is None:
                    self._drop(path, f"{named.type} has no such parameter")

    def judge_one_by_one(self) -> None:
        """`use_batch_inference: false` as what it means, and no `file_output: false`: the log is always written."""
        for section in legacy.judge_sections(self.tree):
            path, size = (*section, "params", "use_batch_inference"), (*section, "execution", "batch_size")
            batched, given = self._at(*path), self._at(*size)
            if batched is None or batched.value is not False or self._is_read(path):
                continue
            self._remove(*path)
            was = [f"was {batched.key}: false ({_line(batched)})"]
            if given is not None:
                was.append(f"and {given.key}: {_flow(plain(given))} ({_line(given)}), without effect beside it")
                self.gone.add(given.key)
            self._put(size, 1, " ".join(was))
            self.gone.add(batched.key)
        if self._value("logging", "file_output") is False:
            self._drop(("logging", "file_output"), "the log is always written")
            if self._value("logging") == {}:
                self._remove("logging")

    def drop_without_effect(self, path: Place) -> None:
        """Drops the keys below `path` that are accepted and do nothing."""
        node = self._at(*path)
        for name in node.children if node is not None else ():
            below = (*path, name)
            reason = legacy.NO_EFFECT.get(legacy.canonical_section(".".join(below)))
            if reason is None:
                self.drop_without_effect(below)
            elif not self._is_needed(below):
                self._drop(below, reason)
        if not self._value("runtime"):
            self._remove("runtime")

    def _is_needed(self, path: Place) -> bool:
        """Whether a key that does nothing beside another one is alone, or has a meaning with its value."""
        instead = {"results_dir": "output_dir", "log_dir": "log_file"}.get(path[-1])
        if instead is not None:
            return self._at(*path[:-1], instead) is None
        return self._is_read(path) or (path[-1] == "use_batch_inference" and self._value(*path) is not True)

    def _is_read(self, path: Place) -> bool:
        """Whether the plug-in has a parameter of that name after all."""
        word = self._value(*path[:-2], "type")
        kind = "editors" if path[0] == "diffusion_model" else "judges"
        if path[-2:-1] != ("params",) or not isinstance(word, str):
            return False
        is_ours = plugins.is_name(kind, word) and not plugins.is_foreign(word)
        return is_ours and path[-1] in field_names(plugins.load(kind, word).Params)

    def account_for(self, old: Node, warnings: list[str]) -> None:
        """A comment for every key that is elsewhere now, and for every one that the translation took out."""
        before = {leaf.key: leaf for leaf in _leaves(old)}
        kept: set[str] = set()
        for path, node in _places(self.tree, ()):
            kept.add(node.key)
            written = before.get(node.key)
            is_other = written is not None and plain(written) != plain(node)
            if node.key and (node.key != ".".join(path) or is_other):
                value = f": {_flow(plain(written))}" if written is not None and is_other else ""
                self.said.setdefault(path, f"was {node.key}{value} ({_line(node)})")
        for key, leaf in before.items():
            if key not in kept | self.gone and leaf.value != {}:
                found = (w.partition(f"{key}: ")[2] for w in warnings if f": {key}: " in w)
                self._say_dropped(leaf, next(found, "another key says the same"))

    # -------------------------------------------------------------------------------------------- text

    def sections(self) -> Iterator[str]:
        """The text of every section, in their usual order."""
        names = dict.fromkeys((*self.tree.children, *self.dropped))
        for name in sorted(names, key=lambda name: SECTIONS.index(name) if name in SECTIONS else len(SECTIONS)):
            lines = [f"# {_one_line(line)}" for line in self.dropped.get(name, ())]
            node = self.tree.children.get(name)
            lines += self._written((name,), node) if node is not None else ()
            yield "\n" + "\n".join(lines) + "\n"

    def _written(self, path: Place, node: Node) -> Iterator[str]:
        """The lines of one key: its comment above it, what is in it below."""
        indent = "  " * (len(path) - 1)
        if path in self.said:
            yield f"{indent}# {_one_line(self.said[path])}"
        value = plain(node)
        if isinstance(value, str):
            yield textwrap.indent(_dumped({path[-1]: value}), indent)
        elif not node.children:
            yield f"{indent}{_flow(path[-1])}: {_flow(value)}"
        else:
            yield f"{indent}{_flow(path[-1])}:"
        for name, below in node.children.items():
            yield from self._written((*path, name), below)


def _places(node: Node, path: Place) -> Iterator[tuple[Place, Node]]:
    """Every leaf with where it is."""
    if not node.children:
        yield path, node
    for name, below in node.children.items():
        yield from _places(below, (*path, name))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _dumped(value: Plain, is_flow: bool = False) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=is_flow, allow_unicode=True, width=10**9, sort_keys=False
    )
    return text.rstrip("\n")


def _flow(value: Plain) -> str:
    """`value` as YAML on one line."""
    return _dumped([value], is_flow=True).removeprefix("[").removesuffix("]")


def _one_line(text: str) -> str:
    return text if text.isprintable() else quoted(text, 200)
