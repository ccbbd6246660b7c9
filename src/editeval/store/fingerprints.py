"""What a run and a score set are made with: parameters, weights and code, and how two of them differ.

Local weights stand in an identity by their content, in place of the parameter that names them; a plug-in from outside
stands there by its source, a built-in one by its `version`. The commit of a model on the Hub is often known only once
it is loaded: it is not part of the id, but on record in the ledger, and another commit is another run or score set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from editeval.config.schema import Stage
from editeval.errors import MachineError
from editeval.machine import digest, hub
from editeval.store import manifest
from editeval.store.run_store import RunStore
from editeval.types import Editor, Judge

CODE, COMMIT, WEIGHTS = "code", "commit", "weights."
_HOME = Path(__file__).resolve().parents[1]
Parts = Mapping[str, str]
"""Part -> digest: `weights.<parameter>`, `code`, `commit`. What is not known is not there."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plug-in consists of besides its parameters, as it is on this machine now."""

    weights: Mapping[str, str] = field(default_factory=dict)  # dotted parameter -> digest of what it names
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # dotted parameter -> file -> size and digest
    sources: Mapping[str, str] = field(default_factory=dict)  # module -> digest; empty for a built-in plug-in
    commit: str | None = None  # of a model on the Hub, as the cache of this machine has it
    is_on_hub: bool = False  # whether there is a commit to be known

    @property
    def code(self) -> str:
        """Digest of all sources; empty for a built-in plug-in."""
        return digest.digest_of_sources(self.sources)

    @property
    def parts(self) -> dict[str, str]:
        """Everything that is known, by its name."""
        found = {f"{WEIGHTS}{name}": text for name, text in self.weights.items()}
        found |= {CODE: self.code} if self.sources else {}
        return found | ({COMMIT: self.commit} if self.commit else {})

    def listed(self) -> dict[str, Any]:
        """File by file, for whoever wants to know which one changed."""
        return {"weights": {name: dict(files) for name, files in self.files.items()}, "code": dict(self.sources)}


def json_params(params: Any) -> dict[str, Any]:
    """A plug-in's parameters as JSON values."""
    values = asdict(params) if is_dataclass(params) and not isinstance(params, type) else params.model_dump(mode="json")
    result: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return result


def identity_params(params: Any) -> dict[str, Any]:
    """The parameters that decide what an image looks like: all but fields with the metadata {"identity": False}."""
    hidden = {name for name, marks in _marks(params) if marks.get("identity") is False}
    return {name: value for name, value in json_params(params).items() if name not in hidden}


def _marks(params: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, metadata) of every field; parameters that are no dataclass have none."""
    return ((f.name, f.metadata) for f in fields(params)) if is_dataclass(params) else iter(())


def inputs_of(stage: Stage, plugin: type[Editor] | type[Judge]) -> Inputs:
    """Digests of the weights and the code of a stage's plug-in. Reads no large file whole.

    Raises MachineError, beginning with the parameter, for weights that cannot be read.
    """
    params = stage.params
    is_elsewhere = stage.execution.backend == "ray"  # the nodes' caches of the Hub are not the one here
    found: dict[str, digest.ContentDigest] = {}
    for name, path in _named_paths(plugin, params):
        try:
            found[name] = digest.digest_of(path)
        except MachineError as error:
            raise MachineError(f"{stage.section}.params.{name}: {error}") from error
    model = plugin.hub_model(params)
    return Inputs(
        weights={name: one.text for name, one in found.items()},
        files={name: one.files for name, one in found.items()},
        sources={} if _is_built_in(plugin) else digest.sources_of(sys.modules[plugin.__module__]),
        commit=hub.commit_in_cache(model) if model is not None and not is_elsewhere else None,
        is_on_hub=model is not None,
    )


def of_run(benchmark: str, stage: Stage, plugin: type[Editor], inputs: Inputs) -> dict[str, Any]:
    """The identity of a run."""
    params = deciding_params(stage.params, inputs)
    return manifest.identity(benchmark, stage.type, params, stage.seed) | extras(plugin, inputs)


def is_same_but_inputs(old: Mapping[str, Any], new: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether two identities differ at most in weights and code.

    `params` are all parameters of `new`. Of those of `old` that no digest stands for, each must be the same: a path
    that was written down before editeval digested what it names is compared as a text.
    """
    names = ("benchmark", "editor", "seed", "version")
    is_same = all(old.get(name) == new.get(name) for name in names)
    return is_same and bool(without(params, old.get("weights", {})) == old.get("params"))


def extras(plugin: type[Editor] | type[Judge], inputs: Inputs) -> dict[str, Any]:
    """What an identity says of weights and code; nothing where there is nothing to say."""
    said: dict[str, Any] = {"weights": dict(inputs.weights)} if inputs.weights else {}
    said |= {"source": inputs.code} if inputs.sources else {}
    return said | ({"version": plugin.version} if plugin.version > 1 else {})


def deciding_params(params: Any, inputs: Inputs) -> dict[str, Any]:
    """The parameters of an identity: without those that digests stand for."""
    found: dict[str, Any] = without(identity_params(params), inputs.weights)
    return found


def editor_id(identity: Mapping[str, Any], inputs: Inputs, commit: str | None) -> str:
    """Id of the editor of a run, whatever the benchmark; empty while its commit on the Hub is not known."""
    if inputs.is_on_hub and not commit:
        return ""
    parts = {name: value for name, value in identity.items() if name != "benchmark"}
    return manifest.run_id(parts | ({COMMIT: commit} if commit and not inputs.weights else {}))[:16]


# what is on record ----------------------------------------------------------------------------------------------------


def recorded(store: RunStore, stage: str = "edit", score_set: str = "") -> dict[str, str]:
    """The parts of an editor or a judge under which this run has worked; what is not known is not there."""
    told: Mapping[str, Any] = store.manifest["identity"]
    if stage != "edit":
        details = next((one.details for one in store.judgings() if one.id == score_set), {})
        told = details.get("identity", {})
    known = {f"{WEIGHTS}{name}": str(text) for name, text in told.get("weights", {}).items()}
    known |= {CODE: str(told["source"])} if "source" in told else {}
    commit = _loaded_commit(store, stage, score_set)
    known |= {COMMIT: commit} if commit else {}
    later: dict[str, str] = json.loads(store.fact(_fact(stage, score_set)) or "{}")
    return known | later


def record(store: RunStore, parts: Parts, stage: str = "edit", score_set: str = "") -> None:
    """From now on these parts are on record, besides what is already."""
    known = recorded(store, stage, score_set)
    if any(known.get(name) != text for name, text in parts.items()):
        store.set_fact(_fact(stage, score_set), json.dumps(known | dict(parts), sort_keys=True))


def _fact(stage: str, score_set: str) -> str:
    return f"inputs {stage} {score_set}".strip()


def _loaded_commit(store: RunStore, stage: str, score_set: str) -> str | None:
    """What the models of an earlier invocation said of themselves."""
    loads = [event["data"] for event in store.events("load")]
    mine = [one.get("facts", {}) for one in loads if (one["stage"], one.get("judging_id", "")) == (stage, score_set)]
    return next((str(facts["commit"]) for facts in mine if facts.get("commit")), None)


def changed(known: Parts, now: Parts) -> list[str]:
    """Parts that are known on both sides and differ."""
    return [name for name, text in now.items() if name in known and known[name] != text]


def unrecorded(known: Parts, now: Parts) -> list[str]:
    """Parts that are there now and that were not recorded then."""
    return [name for name in now if name not in known]


def in_words(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What changed about a part, with the first file; `old` and `new` as `Inputs.listed` gives them."""
    if name == COMMIT:
        return "weights (another commit on the Hub)"
    if name == CODE:
        return f"code of the plug-in{_files(old.get('code', {}), new.get('code', {}))}"
    parameter = name.removeprefix(WEIGHTS)
    files = (one.get("weights", {}).get(parameter, {}) for one in (old, new))
    return f"weights named by {parameter}{_files(*files)}"


def _files(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if not names or not old:
        return ""
    return f" ({names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''})"


# parameters that name files -------------------------------------------------------------------------------------------


def _named_paths(plugin: type[Editor] | type[Judge], params: Any) -> Iterator[tuple[str, Path]]:
    """(dotted parameter, path) of every parameter that names weights, or another file, of this machine.

    Fields with the metadata {"weights": True}, if they name what is there. In plug-ins from outside without such a
    field any value that is an existing file, or a folder that looks like a model. Further, everywhere, values of that
    kind that are explicit paths ("/", "./", "../", "~"). Never fields with {"identity": False}.
    """
    declared = {name for name, marks in _marks(params) if marks.get("weights") is True}
    is_free = not declared and not _is_built_in(plugin)
    for name, text in _leaves(identity_params(params)):
        is_declared = name in declared
        if not text or "\0" in text or not (is_declared or is_free or text.startswith(("/", "./", "../", "~"))):
            continue
        try:
            path = Path(text).expanduser()
            is_meant = path.is_file() or (path.is_dir() and (is_declared or digest.looks_like_a_model(path)))
        except (OSError, RuntimeError):  # a text that is no file name, a home that is not there
            continue
        if is_meant:
            yield name, path


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield prefix, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}.{number}")


def without(tree: Any, names: Mapping[str, str], prefix: str = "") -> Any:
    """`tree` without the leaves that are named; a list keeps its places."""
    if isinstance(tree, Mapping):
        pairs = ((key, value, f"{prefix}.{key}" if prefix else str(key)) for key, value in tree.items())
        return {key: without(value, names, name) for key, value, name in pairs if name not in names}
    if isinstance(tree, list):
        return [None if f"{prefix}.{n}" in names else without(v, names, f"{prefix}.{n}") for n, v in enumerate(tree)]
    return tree


def _is_built_in(plugin: type[Editor] | type[Judge]) -> bool:
    file = getattr(sys.modules[plugin.__module__], "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(_HOME)
