"""From a file of v2 or RE-Edit to today's: every key that changes carries a comment, every dropped one a reason.

`migrated` works on the tree that the loader reads: `legacy.translate` moves what has another place today, and a node
remembers the key and the line that it was written under. Comments of the old file are not carried over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from editeval import plugins
from editeval.config import legacy, load, yaml_tree
from editeval.config.layers import SECTIONS
from editeval.config.values import field_names
from editeval.config.yaml_tree import FILE, Node, Source, child, make, placed, plain, quoted, without
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


@dataclass(slots=True)
class _Changes:
    """What is said of keys: of new ones by their path, of dropped ones by the section where they are looked for."""

    said: dict[tuple[str, ...], str] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # old keys that have been accounted for

    def drop(self, node: Node, reason: str) -> None:
        """Says why `node`, and everything in it, has no place any more."""
        section = node.key.partition(".")[0]
        inside = [leaf.key.removeprefix(f"{node.key}.") for leaf in _leaves(node) if leaf.key != node.key]
        holds = f", with {', '.join(inside)}" if inside else ""
        line = f"dropped {node.key} ({_line(node)}){holds}: {reason}"
        self.dropped.setdefault(_HOME.get(section, section), []).append(line)
        self.gone |= {node.key, *(leaf.key for leaf in _leaves(node))}


def migrated(path: Path) -> str:
    """Today's file for the configuration in `path`. Raises ConfigError if there is none, with everything wrong in it.

    What else is a mistake in the old file is one in the new file: `check` finds it there.
    """
    problems = Problems(path)
    old = yaml_tree.read_file(path, Source(str(path), f"file {path}", FILE, numbered=True), problems)
    problems.check()
    changes = _Changes()
    tree = _from_re_edit(old, changes) if _is_re_edit(old) else old
    tree, warnings = legacy.translate(tree, problems)
    tree = _typed_benchmark(tree, changes)
    for kind, section in [("editors", ("diffusion_model",)), *(("judges", s) for s in legacy.judge_sections(tree))]:
        with problems.collect():
            tree = _stage(tree, kind, section, _is_re_edit(old), changes)
    if problems.found and not _is_re_edit(old):
        load.read_config(path, problems, environ={})  # whatever else is wrong is told with it
    problems.check()
    tree = _without_effect(_one_by_one(tree, changes), changes)
    _account(old, tree, warnings, changes)
    head = f"# Today's form of {path.name}, by `editeval migrate`: what changed is said at its key.\n"
    found = dict.fromkeys((*tree.value, *changes.dropped))
    names = sorted(found, key=lambda name: SECTIONS.index(name) if name in SECTIONS else len(SECTIONS))
    return head + "".join(f"\n{_section(name, tree, changes)}" for name in names)


def _is_re_edit(tree: Node) -> bool:
    return any(child(tree, *path) is not None for path in _RE_EDIT_MARKS)


def _leaves(node: Node) -> list[Node]:
    return [leaf for below in node.value.values() for leaf in _leaves(below)] if node.is_map else [node]


def _line(node: Node) -> str:
    return f"line {node.where.rpartition(':')[2]}"


# ------------------------------------------------------------------------------------------------ RE-Edit


def _from_re_edit(tree: Node, changes: _Changes) -> Node:
    """The tree in v2's form, without what RE-Edit alone had."""
    is_judged = plain(child(tree, "evaluation", "skip_stage4") or make(False, "", _NOW)) is not True
    for key, reason in RE_EDIT_DROPPED.items():
        node = child(tree, *key.split("."))
        if node is not None:
            changes.drop(node, reason)
            tree = without(tree, *key.split("."))
    judge = child(tree, "reward_model")
    if judge is not None and not is_judged:
        changes.drop(judge, "skip_stage4 was true")
        tree = without(tree, "reward_model")
    for old, new in (("primary.type", "type"), ("primary.params", "params")):
        node = child(tree, "diffusion_model", *old.split("."))
        if node is not None:
            tree = placed(without(tree, "diffusion_model", *old.split(".")), node, "diffusion_model", new)
    tree = without(tree, "diffusion_model", "primary")
    level = child(tree, "log_level")
    if level is not None:
        tree = placed(without(tree, "log_level"), level, "logging", "level")
    offload = child(tree, "diffusion_model", "params", "use_cpu_offload")
    if offload is not None and offload.value is True:
        tree = without(tree, "diffusion_model", "params", "use_cpu_offload")
        tree = placed(tree, replace(offload, value="model"), "diffusion_model", "params", "cpu_offload")
    return _re_edit_judge(tree, changes) if child(tree, "reward_model") is not None else tree


def _re_edit_judge(tree: Node, changes: _Changes) -> Node:
    """Protocol re_edit, asked as RE-Edit did, on as many devices as it took."""
    params, section = ("reward_model", "params"), ("reward_model",)
    kind = child(tree, *section, "type")
    new: list[tuple[tuple[str, ...], Any, str]] = [
        ((*params, "protocol"), "re_edit", "RE-Edit's questions: a verdict on the category, and two grades")
    ]
    if kind is not None and kind.value == "qwen3_vl_vllm_subprocess":
        new.append(((*params, "num_samples"), 1, _GREEDY))
        new.append(((*params, "temperature"), 0, _GREEDY))
        size = child(tree, *params, "tensor_parallel_size")
        ids = child(tree, *params, "device_ids") or child(tree, "diffusion_model", "params", "device_ids")
        listed = ids.value if ids is not None and isinstance(ids.value, list) else []
        if size is not None and isinstance(size.value, int) and size.value > 0:
            tree = placed(
                without(tree, *params, "tensor_parallel_size"), size, *section, "execution", "devices_per_worker"
            )
            used = listed[: len(listed) // size.value * size.value] or list(range(size.value))
            tree = without(tree, *params, "device_ids")
            why = f"as many of the editor's as workers of {size.value} can share" if listed else "one worker"
            new.append(((*section, "execution", "device_ids"), used, why))
    for path, value, why in new:
        if child(tree, *path) is None:
            tree = placed(tree, make(value, "", _NOW), *path)
            changes.said[path] = why
    return tree


# ------------------------------------------------------------------------------------------------ v2


def _typed_benchmark(tree: Node, changes: _Changes) -> Node:
    if child(tree, "benchmark") is None or child(tree, "benchmark", "type") is not None:
        return tree
    changes.said["benchmark", "type"] = "what the path of a file of records alone meant"
    node = child(tree, "benchmark")
    assert node is not None, "looked at above"
    return placed(tree, replace(node, value={"type": make("json_records", "", _NOW), **node.value}), "benchmark")


def _stage(tree: Node, kind: str, section: tuple[str, ...], is_re_edit: bool, changes: _Changes) -> Node:
    """The stage under today's name, with what the old name meant besides, and without what nothing reads."""
    node = child(tree, *section)
    if node is None or not node.is_map or not {"type", "class_path"} & node.value.keys():
        return tree
    named, _ = legacy.resolve(kind, node, ".".join(section))
    old = {name: node.value[name] for name in ("type", "class_path") if name in node.value}
    if any(plain(below) != named.type or name == "class_path" for name, below in old.items()):
        changes.said[*section, "type"] = "was " + " and ".join(
            f"{below.key}: {below.value} ({_line(below)})" for below in old.values()
        )
    changes.gone |= {below.key for below in old.values()}
    rest = {name: below for name, below in node.value.items() if name not in old}
    tree = placed(tree, replace(node, value={"type": make(named.type, "", _NOW), **rest}), *section)
    for param, value in named.defaults:
        if child(tree, *section, "params", param) is None:
            tree = placed(tree, make(value, "", _NOW), *section, "params", param)
            changes.said[*section, "params", param] = "what the old type meant"
    if not is_re_edit or plugins.is_foreign(named.type) or not plugins.is_name(kind, named.type):
        return tree
    known = {*field_names(plugins.load(kind, named.type).Params), "seed"}
    given = child(tree, *section, "params")
    for name, below in (given.value if given is not None and given.is_map else {}).items():
        if name not in known and legacy.fate(".".join((*section, "params", name)), below) is None:
            changes.drop(below, f"{named.type} has no such parameter")
            tree = without(tree, *section, "params", name)
    return tree


def _one_by_one(tree: Node, changes: _Changes) -> Node:
    """`use_batch_inference: false` as what it means, and no `file_output: false`: the log is always written."""
    for section in legacy.judge_sections(tree):
        params, size = (*section, "params"), (*section, "execution", "batch_size")
        batched, told = child(tree, *params, "use_batch_inference"), child(tree, *size)
        if (
            batched is None
            or plain(batched) is not False
            or not _is_idle(tree, (*params, "use_batch_inference"), False)
        ):
            continue
        tree = placed(without(tree, *params, "use_batch_inference"), make(1, "", _NOW), *size)
        was = [f"was {batched.key}: false ({_line(batched)})"]
        was += [f"and {told.key}: {_flow(plain(told))} ({_line(told)}), without effect beside it"] if told else []
        changes.said[size] = " ".join(was)
        changes.gone |= {batched.key, *([told.key] if told else [])}
    to_file = child(tree, "logging", "file_output")
    if to_file is not None and plain(to_file) is False:
        changes.drop(to_file, "the log is always written")
        tree = without(tree, "logging", "file_output")
        tree = tree if tree.value["logging"].value else without(tree, "logging")
    return tree


def _without_effect(tree: Node, changes: _Changes, path: tuple[str, ...] = ()) -> Node:
    """The tree without the keys that are accepted and do nothing."""
    node = child(tree, *path)
    if node is None or not node.is_map:
        return tree
    for name, below in node.value.items():
        reason = legacy.NO_EFFECT.get(legacy.role(".".join((*path, name))))
        if reason is None:
            tree = _without_effect(tree, changes, (*path, name))
        elif _is_idle(tree, (*path, name)):
            changes.drop(below, reason)
            tree = without(tree, *path, name)
    runtime = child(tree, "runtime")
    return without(tree, "runtime") if runtime is not None and not runtime.value else tree


def _is_idle(tree: Node, path: tuple[str, ...], value: bool = True) -> bool:
    """False where a key with no effect beside another one has one alone, or where the plug-in reads it after all."""
    if path[:2] == ("evaluation", "results_dir"):
        return child(tree, "evaluation", "output_dir") is not None
    if path[:2] == ("logging", "log_dir"):
        return child(tree, "logging", "log_file") is not None
    if path[-1] == "use_batch_inference" and plain(child(tree, *path) or make(None, "", _NOW)) is not value:
        return False
    word = child(tree, *path[:-2], "type")
    if path[-2] != "params" or word is None:
        return True
    kind = "editors" if path[0] == "diffusion_model" else "judges"
    is_ours = plugins.is_name(kind, word.value) and not plugins.is_foreign(word.value)
    return not (is_ours and path[-1] in field_names(plugins.load(kind, word.value).Params))


def _account(old: Node, tree: Node, warnings: list[str], changes: _Changes) -> None:
    """A comment for every key that stands elsewhere, and for every one that the translation took out."""
    kept: set[str] = set()
    before = {leaf.key: leaf for leaf in _leaves(old)}

    def walk(node: Node, path: tuple[str, ...]) -> None:
        if node.is_map and node.value:
            for name, below in node.value.items():
                walk(below, (*path, name))
        elif node.key:
            kept.add(node.key)
            written = before.get(node.key)
            is_other = written is not None and plain(written) != plain(node)
            if node.key != ".".join(path) or is_other:
                value = f": {_flow(plain(written))}" if written is not None and is_other else ""
                changes.said.setdefault(path, f"was {node.key}{value} ({_line(node)})")

    walk(tree, ())
    for key, leaf in before.items():
        if key not in kept | changes.gone and leaf.value != {}:
            why = next((w.partition(f"{key}: ")[2] for w in warnings if f": {key}: " in w), "another key says the same")
            changes.drop(leaf, why)


# ------------------------------------------------------------------------------------------------ text


def _section(name: str, tree: Node, changes: _Changes) -> str:
    lines = [f"# {_one_line(line)}" for line in changes.dropped.get(name, ())]
    node = tree.value.get(name)
    return "\n".join([*lines, *(_written(name, node, (), changes) if node is not None else ())]) + "\n"


def _written(name: str, node: Node, above: tuple[str, ...], changes: _Changes) -> list[str]:
    """The lines of one key: its comment above it, what is in it below."""
    path, indent = (*above, name), "  " * len(above)
    said = changes.said.get(path)
    lines = [f"{indent}# {_one_line(said)}"] if said else []
    key = f"{indent}{_flow(name)}:"
    if node.is_map and node.value:
        return [*lines, key, *(line for k, below in node.value.items() for line in _written(k, below, path, changes))]
    return [*lines, *_value(key, plain(node), indent + "  ")]


def _value(key: str, value: Any, indent: str) -> list[str]:
    """`key: value`; a text of several lines as a block, where a block can hold it."""
    is_block = isinstance(value, str) and "\n" in value.rstrip("\n") and not value.startswith((" ", "\n", "\t"))
    if is_block and all(c.isprintable() or c == "\n" for c in value):
        body = value.rstrip("\n")
        ends = len(value) - len(body)
        if ends <= 1:
            rows = [f"{indent}{row}" if row else "" for row in body.split("\n")]
            return [f"{key} |{'' if ends else '-'}", *rows]
    return [f"{key} {_flow(value)}"]


def _flow(value: Any) -> str:
    """`value` as YAML on one line."""
    if isinstance(value, str) and ("\n" in value or not value.isprintable()):
        return json.dumps(value, ensure_ascii=not value.replace("\n", "").isprintable())
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return text.strip().removesuffix("...").strip()


def _one_line(text: str) -> str:
    return text if text.isprintable() else quoted(text, 200)
