"""How a judge asks, against how the authors of its protocol asked: what differs, one short phrase each."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.judges.chat.messages import JSON_SCHEMAS
from editeval.judges.chat.params import AskParams, DrawnParams
from editeval.judges.protocols.protocol import OfficialSettings, Protocol
from editeval.metrics import OfficialUse

_ANOTHER_MODEL = frozenset({"quantization", "kv_cache_dtype"})  # what vLLM may be told: the weights are others then


def official_use(params: AskParams) -> OfficialUse | None:
    """Whose protocol it is, who answers, and what differs; None for a protocol that is no benchmark's."""
    protocol = params.asking
    if protocol.settings is None:
        return None
    asked = (*_words(protocol, bool(params.words)), *_settings(params, protocol.settings), *_shown(params, protocol))
    use = OfficialUse(protocol.benchmark, protocol.name, _judge(params), (*asked, *protocol.departs))
    return use.with_switches(params.match_published)


def _judge(params: AskParams) -> str:
    """The model that answers, with its adapter: as `model + adapter`."""
    names = (getattr(params, "model", "") or getattr(params, "model_name", ""), getattr(params, "adapter", ""))
    return " + ".join(map(str, filter(None, names)))


def _words(protocol: Protocol, has_theirs: bool) -> Iterator[str]:
    source = protocol.prompt_source
    if source is None:  # their words are not known here, so that ours cannot be theirs
        yield "words (own wording)"
        return
    unknown = source.unknown(protocol.words)
    if unknown and not has_theirs:
        yield "words (own wording)"
    elif unknown:
        also = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        verb = "are no known versions" if also else "is not a known version"
        file = next((file for constant, file, _ in source.elsewhere if constant == unknown[0]), source.files[0])
        yield f"words (constant {unknown[0]}{also} of {file} {verb})"


def _settings(params: AskParams, theirs: OfficialSettings) -> Iterator[str]:
    judge = _judge(params)
    if judge not in theirs.judges:
        yield f"judge ({judge} instead of {theirs.judges[0] if theirs.judges else 'none'})"
    if params.temperature != theirs.temperature:
        yield f"temperature ({_degree(params.temperature)} instead of {_degree(theirs.temperature)})"
    elif params.temperature is None and hasattr(params, "engine"):
        yield "temperature (1, vLLM's own default, instead of the server's)"
    if theirs.max_new_tokens not in (None, params.max_tokens):
        yield f"max_new_tokens ({params.max_tokens} instead of {theirs.max_new_tokens})"
    if params.num_replies != theirs.num_samples:
        yield f"num_samples ({params.num_replies} instead of {theirs.num_samples})"
    if theirs.seed is not None and params.seed != 0:
        yield f"seed ({params.seed} of our own instead of {theirs.seed})"
    extra = getattr(params, "extra", {})
    if extra:
        yield f"extra ({', '.join(sorted(extra))})"
    engine = sorted(_ANOTHER_MODEL & getattr(params, "engine", {}).keys())
    if engine:
        yield f"engine ({', '.join(engine)})"
    may_force = isinstance(params, DrawnParams) and params.output != "plain"
    is_forced = may_force and bool(params.answer_formats & JSON_SCHEMAS.keys())
    if is_forced != theirs.is_form_forced:
        yield f"output (the form of replies is {'' if is_forced else 'not '}forced)"


def _degree(temperature: float | None) -> str:
    return "the server's default" if temperature is None else f"{temperature:g}"


def _shown(params: AskParams, protocol: Protocol) -> Iterator[str]:
    asked = (question for request in protocol.examples() for question in protocol.questions(request))
    is_limited = any(shown.preparation.is_limited for question in asked for shown in question.shown)
    if params.max_image_side is not None and is_limited:
        yield f"preparation (pictures are shrunk to {params.max_image_side} pixels)"
