"""What a run and a score set are made with: parameters, weights and code, and how two of them differ.

Local weights stand in an identity by their content, in place of the parameter that names them; a plug-in from outside
stands there by its source, a built-in one by its `version`. The commit of a model on the Hub is often known only once
it is loaded: it is not part of the id, but on record in the ledger, and another commit is another run or score set.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from editeval.config.schema import Stage
from editeval.errors import MachineError
from editeval.files import from_json
from editeval.machine import digest, hub
from editeval.prompts import Prompt
from editeval.store import manifest
from editeval.store.ledger_events import Load
from editeval.store.records import Json, Listed
from editeval.store.run_store import RunStore
from editeval.types import Editor, Judge, JudgeRequest, Sample

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

    def listed(self) -> Listed:
        """File by file, for whoever wants to know which one changed."""
        return {"weights": {name: dict(files) for name, files in self.files.items()}, "code": dict(self.sources)}


def json_params(params: Any) -> dict[str, object]:
    """A plug-in's parameters as JSON values."""
    values = asdict(params) if is_dataclass(params) and not isinstance(params, type) else params.model_dump(mode="json")
    result: dict[str, object] = json.loads(json.dumps(values, default=str))
    return result


def identity_params(params: object) -> dict[str, object]:
    """The parameters that decide what an image looks like: all but fields with the metadata {"identity": False}.

    Those with WHERE_SET are left out while they are empty: what older versions did not have changes no identity.
    """
    hidden = {name for name, marks in _marks(params) if marks.get("identity") is False}
    hidden |= {n for n, marks in _marks(params) if marks.get("identity_where_set") and not getattr(params, n)}
    return {name: value for name, value in json_params(params).items() if name not in hidden}


def _marks(params: object) -> Iterator[tuple[str, Mapping[str, object]]]:
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
        sources=_sources(plugin),
        commit=hub.commit_in_cache(model) if model is not None and not is_elsewhere else None,
        is_on_hub=model is not None,
    )


def of_run(benchmark: str, stage: Stage, plugin: type[Editor], inputs: Inputs) -> dict[str, object]:
    """The identity of a run."""
    params = deciding_params(stage.params, inputs)
    images = {} if stage.images == "all" else {"images": stage.images}
    return manifest.identity(benchmark, stage.type, params, stage.seed) | images | extras(plugin, inputs)


def is_same_but_inputs(old: Json, new: Json, params: Json) -> bool:
    """Whether two identities differ at most in weights and code.

    `params` are all parameters of `new`. Of those of `old` that no digest stands for, each must be the same: a path
    that was written down before editeval digested what it names is compared as a text.
    """
    names = ("benchmark", "editor", "seed", "version", "images")
    is_same = all(old.get(name) == new.get(name) for name in names)
    return is_same and without(params, weights_of(old)) == old.get("params")


def weights_of(identity: Json) -> dict[str, str]:
    """Digests of the weights in an identity, by parameter."""
    found = identity.get("weights")
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, Mapping) else {}


def extras(plugin: type[Editor] | type[Judge], inputs: Inputs) -> dict[str, object]:
    """What an identity says of weights and code; nothing where there is nothing to say."""
    said: dict[str, object] = {"weights": dict(inputs.weights)} if inputs.weights else {}
    said |= {"source": inputs.code} if inputs.sources else {}
    return said | ({"version": plugin.version} if plugin.version > 1 else {})


def deciding_params(params: object, inputs: Inputs) -> dict[str, object]:
    """The parameters of an identity: without those that digests stand for."""
    return without(identity_params(params), inputs.weights)


def editor_id(identity: Json, inputs: Inputs, commit: str | None) -> str:
    """Id of the editor of a run, whatever the benchmark; empty while its commit on the Hub is not known."""
    if inputs.is_on_hub and not commit:
        return ""
    parts = {name: value for name, value in identity.items() if name != "benchmark"}
    return manifest.run_id(parts | ({COMMIT: commit} if commit and not inputs.weights else {}))[:16]


# what is on record ----------------------------------------------------------------------------------------------------


def recorded(store: RunStore, stage: str = "edit", score_set: str = "") -> dict[str, str]:
    """The parts of an editor or a judge under which this run has worked; what is not known is not there."""
    identity = store.manifest["identity"]
    if stage != "edit":
        identity = next((one.details.get("identity", {}) for one in store.judgings() if one.id == score_set), {})
    known = {f"{WEIGHTS}{name}": text for name, text in weights_of(identity).items()}
    known |= {CODE: str(identity["source"])} if "source" in identity else {}
    commit = _loaded_commit(store, stage, score_set)
    known |= {COMMIT: commit} if commit else {}
    later: dict[str, str] = from_json(store.fact(_fact(stage, score_set)) or "{}")
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
    loads = [recorded.event for recorded in store.events_of(Load)]
    mine = [load.facts for load in loads if (load.stage, load.judging_id) == (stage, score_set)]
    return next((str(facts["commit"]) for facts in mine if facts.get("commit")), None)


def changed(known: Parts, now: Parts) -> list[str]:
    """Parts that are known on both sides and differ."""
    return [name for name, text in now.items() if name in known and known[name] != text]


def unrecorded(known: Parts, now: Parts) -> list[str]:
    """Parts that are there now and that were not recorded then."""
    return [name for name in now if name not in known]


def in_words(name: str, old: Listed, new: Listed) -> str:
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


def _named_paths(plugin: type[Editor] | type[Judge], params: object) -> Iterator[tuple[str, Path]]:
    """(dotted parameter, path) of every parameter that names weights, or another file, of this machine.

    Fields with the metadata {"weights": True}, if they name what is there. In plug-ins from outside without such a
    field any value that is an existing file, or a folder that looks like a model. Further, everywhere, values of that
    kind that are explicit paths ("/", "./", "../", "~"). Never fields with {"identity": False}.
    """
    declared = {name for name, marks in _marks(params) if marks.get("weights") is True}
    is_free = not declared and not _is_built_in(plugin)
    for name, text in _leaves(identity_params(params)):
        is_declared = name.partition(".")[0] in declared
        if not text or "\0" in text or not (is_declared or is_free or text.startswith(("/", "./", "../", "~"))):
            continue
        try:
            path = Path(text).expanduser()
            is_meant = path.is_file() or (path.is_dir() and (is_declared or digest.looks_like_a_model(path)))
        except (OSError, RuntimeError):  # a text that is no file name, a home that is not there
            continue
        if is_meant:
            yield name, path


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield prefix, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}.{number}")


def without(tree: Json, names: Mapping[str, str], prefix: str = "") -> dict[str, object]:
    """`tree` without the leaves that are named; a list keeps its places."""
    return {k: _kept(v, names, f"{prefix}{k}") for k, v in tree.items() if f"{prefix}{k}" not in names}


def _kept(value: object, names: Mapping[str, str], name: str) -> object:
    if isinstance(value, Mapping):
        return without(value, names, f"{name}.")
    if isinstance(value, list):
        return [None if f"{name}.{n}" in names else _kept(part, names, f"{name}.{n}") for n, part in enumerate(value)]
    return value


def _sources(plugin: type[Editor] | type[Judge]) -> Mapping[str, str]:
    if plugin.code_token:
        return {plugin.__name__: plugin.code_token}
    return {} if _is_built_in(plugin) else digest.sources_of(sys.modules[plugin.__module__])


def _is_built_in(plugin: type[Editor] | type[Judge]) -> bool:
    file = getattr(sys.modules[plugin.__module__], "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(_HOME)


def edit_inputs(images_sha256: Sequence[str], instruction: str, seed: int) -> str:
    """Digest of all that a sample gives to an editor: its images in order, the instruction, the seed."""
    return _digest([list(images_sha256), instruction, seed])


def sources_digest(images_sha256: Sequence[str]) -> str:
    """What an edit's row says of the source images: the hash of the only one, or a digest of all hashes in order."""
    return images_sha256[0] if len(images_sha256) == 1 else _digest(list(images_sha256))


def judge_request(sample: Sample, sources: Sequence[bytes], edited: bytes, prompt: Prompt | None) -> JudgeRequest:
    """What a judge is asked about an edit of `sample`. Raises ImageError if an image besides them cannot be read."""
    return JudgeRequest(
        key=sample.id,
        sources=tuple(sources),
        edited=edited,
        instruction=sample.instruction,
        target=sample.target.read() if sample.target else None,
        mask=sample.mask.read() if sample.mask else None,
        prompt=prompt.render(sample) if prompt else None,
        metadata={**sample.metadata, "category": sample.category},
        references=tuple(image.read() for image in sample.references),
        reference_text=sample.reference_text,
        language=sample.language,
    )


def shown_inputs(requests: Sequence[JudgeRequest], depends_on_calls: bool) -> dict[str, str]:
    """By sample, the digest of all that decides its scores: what the judge is shown of it, or of the whole call."""
    own = {request.key: _shown(request) for request in requests}
    if not depends_on_calls:
        return own
    return {key: _digest([digest, *own.values()]) for key, digest in own.items()}


def _shown(request: JudgeRequest) -> str:
    pictures = (request.source, request.edited, request.target, request.mask)
    shown = [None if data is None else hashlib.sha256(data).hexdigest() for data in pictures]
    prompt = list(request.prompt) if request.prompt else None
    further = {
        "all_sources": [hashlib.sha256(data).hexdigest() for data in request.sources[1:]],
        "references": [hashlib.sha256(data).hexdigest() for data in request.references],
        "edited_b": hashlib.sha256(request.edited_b).hexdigest() if request.edited_b is not None else "",
        "reference_text": request.reference_text,
        "language": request.language,
    }
    more = {
        name: value for name, value in further.items() if value
    }  # what older versions did not have, where it is set
    return _digest([request.key, shown, request.instruction, prompt, request.metadata, *([more] if more else [])])


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
