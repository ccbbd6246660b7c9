"""What v1, v2.x and RE-Edit called things. The only file that knows; everything after it sees one spelling.

`translate` works on one layer (the file, the environment, one `--set`), so that two spellings in one layer can
contradict each other while a higher layer simply wins. `obsolete_key_warning` is for keys that nothing reads,
`category_aliases` says for which benchmarks two words can mean one category.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from editeval import plugins
from editeval.config.schema import POLICIES
from editeval.config.values import parse, parse_devices
from editeval.config.yaml_tree import Node, child, moved, placed, plain, problem, quoted, without
from editeval.errors import ConfigError, Problems
from editeval.machine.interpreters import of_conda

Place = tuple[str, ...]

SPELLINGS = {"editor": "diffusion_model", "judge": "reward_model", "judges": "reward_models"}
"""Sections by their plain names."""

ALIASES: Mapping[str, str] = {
    "物理": "physical",
    "环境": "environmental",
    "社会": "cultural",
    "文化": "cultural",
    "social": "cultural",
    "因果": "causal",
    "指代": "referential",
}
"""The categories of v2's and RE-Edit's data: the words of the one, and what the other calls them."""
_V2_ROLES = ("category", "image", "image_path", "instruction")


def canonical(name: str) -> str:
    """The English word where `name` is one of v2's categories, else `name` itself."""
    return ALIASES.get(name, name)


def category_aliases(benchmark: str, fields: Mapping[str, str]) -> Mapping[str, str]:
    """Which words mean the same category: ALIASES for v2's data and the built-in scenes, none for any other benchmark.

    Data are v2's if `json_records` reads category, image and instruction from the fields that v2 had. Words of a format
    of the user's own are the user's: `social` and `cultural` are two categories there.
    """
    is_v2 = benchmark == "json_records" and not any(role in fields for role in _V2_ROLES)
    return ALIASES if is_v2 or benchmark == "procedural" else {}


@dataclass(frozen=True, slots=True)
class Named:
    """The plug-in behind an old name, and what its log lines call it."""

    type: str
    log_name: str = ""
    defaults: tuple[tuple[str, str], ...] = ()  # parameters for which the old name meant another default


_QWEN_EDIT = Named("qwen_image_edit", "MultiGPUQwenImageEdit")
_QWEN_JUDGE = Named("transformers_vlm", defaults=(("protocol", "rubric"),))  # the prompts of the YAML
_QWEN_JUDGES = ("qwen3_vl_subprocess", "qwen3_vl_multi_gpu_subprocess")
TYPES: dict[str, dict[str, Named]] = {
    "editors": {
        "multi_gpu_qwen_image_edit": _QWEN_EDIT,
        "multi_gpu_qwen_edit": _QWEN_EDIT,
        "qwen_image_edit": Named("qwen_image_edit"),
        "qwen_image_edit_2511": Named("qwen_image_edit_plus"),
        "flux_kontext": Named("diffusers_pipeline"),
        "flux2_dev": Named("diffusers_pipeline", defaults=(("model_name", "black-forest-labs/FLUX.2-dev"),)),
    },
    "judges": {
        **dict.fromkeys(("qwen3_vl", *_QWEN_JUDGES), _QWEN_JUDGE),
        "qwen3_vl_vllm_subprocess": Named("vllm_vlm", defaults=(("protocol", "re_edit"),)),
    },
    "benchmarks": {},
}
MODULES: dict[str, dict[str, Named]] = {  # last module of src.models.<kind>.implementations.<module>.<Class>
    "editors": {"multi_gpu_qwen_edit": _QWEN_EDIT, "qwen_image_edit": Named("qwen_image_edit")},
    "judges": dict.fromkeys(("qwen3_vl_reward", *_QWEN_JUDGES), _QWEN_JUDGE),
}
_SAID = ("multi_gpu_qwen_edit", "qwen_image_edit_2511", "flux_kontext", "flux2_dev", "qwen3_vl_vllm_subprocess")
"""Names that nothing but documents of v2 and RE-Edit has: what they stand for is said."""
_RE_EDIT_ONLY = re.compile(r"janus|ovis_u1|hidream_e1|omnigen2|dreamomni2|step1x_edit_v1p(1|2_preview)")
_CLASS_PATH = re.compile(r"src\.models\.(?:diffusion|reward)\.(?:implementations\.)?(\w+)\.\w+")
_REFUSED = {
    "editors": "it returned a copy of the source image; use identity for that as a control, or simulated",
    "judges": "it returned random scores; use reference, which measures against a known target",
}


def resolve_type(kind: str, node: Node) -> Named:
    """What the written type or class path means. Raises ConfigError for the placeholders and unknown class paths."""
    written = parse(str, node)
    match = _CLASS_PATH.fullmatch(written)
    name = match[1] if match else written
    if name.startswith("example_") or (match and name.startswith("example")):
        raise problem(node, f"{quoted(written)} is refused: {_REFUSED.get(kind, 'it is a placeholder')}")
    if match:
        if name not in MODULES.get(kind, {}):
            known = ", ".join(sorted(TYPES[kind]))
            raise problem(node, f"no replacement for {quoted(written)}; name a type instead, for example {known}")
        return MODULES[kind][name]
    if kind == "editors" and _RE_EDIT_ONLY.fullmatch(written):
        advice = "`editeval list editors` shows those that there are, and `type: my_editor.py` names one of your own"
        raise problem(node, f"no editor here runs {quoted(written)}; {advice}")
    return TYPES[kind].get(written, Named(written))


def resolve(kind: str, section: Node, name: str) -> tuple[Named, Node]:
    """The plug-in that `type` and `class_path` agree on, and the node that names it fully.

    v2 read `class_path` alone: beside one of v2's, a `type` that names nothing is decoration.
    """
    by_type, by_path = child(section, "type"), child(section, "class_path")
    if by_path is not None and not _CLASS_PATH.fullmatch(parse(str, by_path)):
        advice = "for code of your own, write `type: package.module` and add --allow-code"
        raise problem(by_path, f"{quoted(by_path.value)} is never imported; {advice}")
    if by_type is None or by_path is None:
        node = by_type or by_path
        if node is None:
            raise ConfigError(f"{section.where}: {name}.type: missing; `editeval list {kind}` shows what there is")
        return resolve_type(kind, node), node
    if _is_decoration(kind, by_type):
        return resolve_type(kind, by_path), by_path
    one, other = resolve_type(kind, by_type), resolve_type(kind, by_path)
    if one.type != other.type:
        raise problem(by_path, f"is {other.type}, but {by_type.key} ({by_type.where}) is {one.type}; keep one")
    return (other, by_path) if other.log_name and not one.log_name else (one, by_type)


def _is_decoration(kind: str, by_type: Node) -> bool:
    word = parse(str, by_type)
    return not (word in TYPES[kind] or word.startswith("example_") or plugins.is_name(kind, word))


def type_notes(kind: str, section: Node, named: Named) -> list[str]:
    """One line if a `type` of v2's documents stands for something else than it says."""
    by_type, by_path = child(section, "type"), child(section, "class_path")
    if by_type is None:
        return []
    where = f"{by_type.where}: {by_type.key}: {quoted(by_type.value)}"
    if by_path is not None and _is_decoration(kind, by_type):
        return [f"{where} has no effect, v2 never read it: {by_path.key} names {named.type}, which is used"]
    return [f"{where} is {named.type} here"] if by_type.value in _SAID else []


# ------------------------------------------------------------------------------------------------ one layer

_REFUSED_SECTIONS = {
    "diffusion_model.primary": "RE-Edit's spelling; write its type and params directly under diffusion_model, or "
    "let `editeval migrate` write today's file",
    "diffusion_model.refinement": "a second, refining edit does not exist here; remove it",
    "mllm": "a refining language model does not exist here; remove the section",
    "log_level": "RE-Edit's spelling; write logging.level",
}
_READ_ON = {  # what is refused, and where it belongs: what it holds is checked as well
    "diffusion_model.primary.type": "diffusion_model.type",
    "diffusion_model.primary.params": "diffusion_model.params",
    "log_level": "logging.level",
}
_MOVES: tuple[tuple[str, str], ...] = (
    ("data.path", "benchmark.params.path"),
    ("data.categories", "benchmark.categories"),
    ("benchmark.data_path", "benchmark.params.path"),
    ("diffusion_model.params.device_ids", "diffusion_model.execution.device_ids"),
    ("logging.save_to_file", "logging.file_output"),
)
_JUDGE_MOVES: tuple[tuple[str, str], ...] = (  # within the section of a judge
    ("params.device_ids", "execution.device_ids"),
    ("params.batch_size", "execution.batch_size"),
    ("params.timeout", "execution.timeout_s"),
    ("params.python_path", "execution.python"),
)
_TAKEN = ("seed", "device_ids", "device", "enable_batch_sync")
STAGE_KEYS = {  # keys of `params` that say how a stage runs; the plug-in never sees them (but for the seed)
    "diffusion_model": (*_TAKEN, "images", "num_seeds"),
    "reward_model": (*_TAKEN, "batch_size", "use_batch_inference", "timeout", "python_path", "conda_env"),
}


def canonical_section(path: str) -> str:
    """`path` as if its judge were the only one: reward_models.strict.type becomes reward_model.type."""
    return re.sub(r"^reward_models\.[^.]+", "reward_model", path)


def translate(layer: Node, problems: Problems) -> tuple[Node, list[str]]:
    """The layer in today's spelling, and warnings. What it says twice, differently, becomes one of `problems`."""
    for refused, reason in _REFUSED_SECTIONS.items():
        node = child(layer, *refused.split("."))
        if node is not None:
            problems.add(problem(node, reason))
    for old, new in _READ_ON.items():
        if child(layer, *new.split(".")) is None:
            layer = moved(layer, old.split("."), new.split("."))
    for refused in _REFUSED_SECTIONS:
        layer = without(layer, *refused.split("."))
    for written, name in SPELLINGS.items():
        if (node := child(layer, written)) is not None:
            with problems.collect():
                layer = _move((name,), without(layer, written), node)
            layer = without(layer, written)
    warnings: list[str] = []
    changes: list[tuple[Place, Callable[[Node, Node], Node]]] = []
    judges = judge_sections(layer)
    for section, moves in (((), _MOVES), *((judge, _JUDGE_MOVES) for judge in judges)):
        changes += [((*section, *old.split(".")), partial(_move, (*section, *new.split(".")))) for old, new in moves]
    for section in (("diffusion_model",), *judges):
        changes.append(((*section, "params", "enable_batch_sync"), partial(_batch_sync, section)))
        changes.append(((*section, "params", "device"), partial(_device, section, warnings)))
    changes += [((*section, "params", "conda_env"), partial(_conda, section, warnings)) for section in judges]
    for path, change in changes:
        node = child(layer, *path)
        if node is not None:
            layer = without(layer, *path)
            with problems.collect():
                layer = change(layer, node)
    if child(layer, "data") is not None and plain(layer.children["data"]) == {}:
        layer = without(layer, "data")
    return layer, warnings


def judge_sections(layer: Node) -> list[Place]:
    """Where the judges of `layer` are: under reward_model, or each under its name in reward_models."""
    several = child(layer, "reward_models")
    one = [("reward_model",)] if child(layer, "reward_model") is not None else []
    return [*one, *(("reward_models", name) for name in (several.children if several is not None else ()))]


def _move(place: Place, layer: Node, node: Node) -> Node:
    """To `place`, where nothing else may be said."""
    other = child(layer, *place)
    same: Callable[[Node], object] = parse_devices if place[-1] == "device_ids" else plain
    if other is not None and same(node) != same(other):
        raise _contradiction(node, other)
    return placed(layer, node, *place)


def _contradiction(node: Node, other: Node) -> ConfigError:
    said = f"{other.key}: {quoted(plain(other))} ({other.where})"
    return problem(node, f"{quoted(plain(node))} contradicts {said}; keep one")


def _batch_sync(section: Place, layer: Node, node: Node) -> Node:
    """`enable_batch_sync` becomes a policy; an explicit policy that does not contradict it stays."""
    policy = child(layer, *section, "execution", "policy")
    wanted = parse(bool, node)
    if policy is None:
        name = "batch_sync" if wanted else "round_robin"
        return placed(layer, replace(node, value=name), *section, "execution", "policy")
    if policy.value in tuple(POLICIES) and wanted != (policy.value == "batch_sync"):
        raise _contradiction(node, policy)
    return layer


def _device(section: Place, warnings: list[str], layer: Node, node: Node) -> Node:
    """`device` (one, or "auto") becomes `device_ids`, if they are not given as well."""
    ids = child(layer, *section, "execution", "device_ids")
    is_any_gpu = node.value in ("auto", "cuda")
    devices = None if is_any_gpu else parse_devices(node)
    if ids is not None:
        listed = parse_devices(ids)
        if devices not in (None, listed) or (node.value == "cuda" and "cpu" in (listed or ())):
            raise _contradiction(node, ids)
        return layer
    is_judge = section != ("diffusion_model",)
    if is_any_gpu and is_judge:
        now = f"{node.where}: {node.key}: {quoted(node.value)} now means one judge on each visible GPU"
        advice = f"to spread one over several, set {'.'.join(section)}.execution.devices_per_worker"
        warnings.append(f"{now}; {advice}")
    is_every_gpu = node.value == "auto" or (is_any_gpu and is_judge)
    found = replace(node, value=None if is_every_gpu else "cuda:0" if is_any_gpu else node.value)
    return placed(layer, found, *section, "execution", "device_ids")


def _conda(section: Place, warnings: list[str], layer: Node, node: Node) -> Node:
    """`conda_env` becomes the interpreter of that environment, if this machine has it and no other one is named."""
    name = parse(str | None, node)
    python = of_conda(name) if name else None
    if name and child(layer, *section, "execution", "python") is not None:
        warnings.append(f"{node.where}: {node.key}: has no effect: an interpreter is named as well")
    elif name and python is None:
        why = "no conda environment of this name is on this machine; the judge runs in the environment of editeval"
        warnings.append(f"{node.where}: {node.key}: {quoted(name)} has no effect: {why}")
    elif python is not None:
        return placed(layer, replace(node, value=str(python)), *section, "execution", "python")
    return layer


# ------------------------------------------------------------------------------------------------ what nothing reads

_ALWAYS_RESUMES = "the same command always continues an unfinished run; --fresh starts again"
_ONE_LEDGER = "progress is kept in the run directory after every edit"
_DEAD_V2 = "v2 never read it either"
NO_EFFECT: dict[str, str] = {
    "diffusion_model.params.batch_size": "an editor takes one request at a time on each device",
    "reward_model.params.compare_with_original": "a judge that looks at pictures is always shown both",
    "reward_model.params.script_path": "the judge is part of editeval: no script is run",
    "reward_model.params.temperature": f"{_DEAD_V2}, and this judge does not sample",
    "reward_model.params.use_batch_inference": "this judge takes reward_model.execution.batch_size requests at a time",
    "evaluation.results_dir": "evaluation.output_dir is given, and it is where results go",
    "evaluation.images_dir": "edits are kept in the run's own directory under evaluation.output_dir",
    "evaluation.logs_dir": "v2 only made the folder; logging.log_file says where the log is",
    "evaluation.save_generated_images": "edits are always kept: scores that nobody can look at prove nothing",
    "evaluation.resume_from_checkpoint": _ALWAYS_RESUMES,
    "evaluation.enable_checkpoint": _ALWAYS_RESUMES,
    "evaluation.checkpoint_path": _ONE_LEDGER,
    "evaluation.checkpoint_interval": _ONE_LEDGER,
    "logging.log_dir": "logging.log_file is given",
    "runtime.num_workers": f"{_DEAD_V2}; there is one worker per device of device_ids",
    "runtime.use_multiprocessing": f"{_DEAD_V2}; diffusion_model.execution.backend says it",
    "runtime.seed": f"{_DEAD_V2}; diffusion_model.params.seed is the base seed",
}
_AS_IT_IS: dict[str, bool | int] = {  # with this value the key says what happens anyway: no warning
    "diffusion_model.params.batch_size": 1,
    "reward_model.params.use_batch_inference": True,
    "evaluation.save_generated_images": True,
    "evaluation.resume_from_checkpoint": True,
    "evaluation.enable_checkpoint": True,
}


def obsolete_key_warning(path: str, node: Node) -> list[str] | None:
    """Warnings (one or none) for an old key without effect; None for a key that is simply unknown."""
    path = canonical_section(path)
    if path not in NO_EFFECT:
        return None
    satisfied = path in _AS_IT_IS and repr(node.value) == repr(_AS_IT_IS[path])  # true is not 1
    return [] if satisfied else [f"{node.where}: {node.key}: has no effect: {NO_EFFECT[path]}"]
