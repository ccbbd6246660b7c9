"""What a sample gives to an editor and to a judge, as digests: equal ones have equal edits, and equal scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from editeval.prompts import Prompt
from editeval.types import JudgeRequest, Sample


def edit_inputs(images_sha256: Sequence[str], instruction: str, seed: int) -> str:
    """Digest of all that a sample gives to an editor: its images in order, the instruction, the seed."""
    return _digest([list(images_sha256), instruction, seed])


def judge_request(sample: Sample, source: bytes, edited: bytes, prompt: Prompt | None) -> JudgeRequest:
    """What a judge is asked about an edit of `sample`. Raises ImageError if its target or mask cannot be read."""
    return JudgeRequest(
        key=sample.id,
        source=source,
        edited=edited,
        instruction=sample.instruction,
        reference=sample.reference.read() if sample.reference else None,
        mask=sample.mask.read() if sample.mask else None,
        prompt=prompt.render(sample) if prompt else None,
        metadata={**sample.metadata, "category": sample.category},
    )


def shown_inputs(requests: Sequence[JudgeRequest], depends_on_calls: bool) -> dict[str, str]:
    """By sample, the digest of all that decides its scores: what the judge is shown of it, or of the whole call."""
    own = {request.key: _shown(request) for request in requests}
    if not depends_on_calls:
        return own
    return {key: _digest([digest, *own.values()]) for key, digest in own.items()}


def _shown(request: JudgeRequest) -> str:
    pictures = (request.source, request.edited, request.reference, request.mask)
    shown = [None if data is None else hashlib.sha256(data).hexdigest() for data in pictures]
    prompt = list(request.prompt) if request.prompt else None
    return _digest([request.key, shown, request.instruction, prompt, request.metadata])


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
