"""What every editor plug-in must do, whatever its model; each editor's test calls `check_editor` once.

A violation is an AssertionError that names the rule. The editor is loaded on the CPU unless told otherwise.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Sequence
from typing import Any

from PIL import Image

from editeval.errors import ImageError
from editeval.types import Editor, EditRequest


def check_editor(
    editor_class: type[Editor],
    params: Any,
    requests: Sequence[EditRequest],
    *,
    device: str = "cpu",
    same_size: bool = True,
) -> None:
    """Raises AssertionError unless the editor keeps every rule on `requests` (two or more, all of them editable)."""
    assert len(requests) >= 2, "the contract needs at least two requests"
    check_params(editor_class, params)
    editor = editor_class(params)
    editor.load(device)
    try:
        first = [_edit_checked(editor, request, same_size) for request in requests]
        _check_order_does_not_matter(editor, requests, first)
        _check_broken_image(editor, requests[0], first[0])
    finally:
        editor.unload()
    editor.unload()  # the second time must be harmless
    fresh = editor_class(params)
    fresh.load(device)
    try:
        assert _pixels(fresh.edit(requests[-1], _ignore)) == first[-1], "a second instance gives other pixels"
    finally:
        fresh.unload()


def check_params(editor_class: type[Editor], params: Any) -> None:
    """Raises AssertionError unless `Params` is a frozen, documented dataclass whose fields all have defaults."""
    kind = editor_class.Params
    assert dataclasses.is_dataclass(kind), "Params is not a dataclass"
    assert kind.__dataclass_params__.frozen, "Params is not frozen"  # type: ignore[attr-defined]
    assert inspect.getdoc(kind) and not (kind.__doc__ or "").startswith(f"{kind.__name__}("), "Params has no docstring"
    without = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    assert not without, f"Params fields without a default: {without}"
    source = "".join(inspect.getsource(cls) for cls in kind.__mro__ if dataclasses.is_dataclass(cls))
    bare = [f.name for f in dataclasses.fields(kind) if not _is_explained(source, f.name)]
    assert not bare, f"Params fields without a comment or docstring: {bare}"
    assert isinstance(params, kind), f"params are {type(params).__name__}, not {kind.__name__}"


def _is_explained(source: str, name: str) -> bool:
    lines = source.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{name}:"))
    following = lines[at + 1].strip() if at + 1 < len(lines) else ""
    before = lines[at - 1].strip()
    return "#" in lines[at] or following.startswith('"""') or before.startswith("#")


def _ignore(step: int, num_steps: int) -> None:
    return


def _pixels(image: Image.Image) -> tuple[str, tuple[int, int], bytes]:
    return image.mode, image.size, image.tobytes()


def _edit_checked(editor: Editor, request: EditRequest, same_size: bool) -> tuple[str, tuple[int, int], bytes]:
    """Pixels of one edit, after checking its shape, its progress reports and that the request is as it was."""
    steps: list[tuple[int, int]] = []
    held = (request.key, tuple(bytes(bytearray(i)) for i in request.images), request.instruction, request.seed)
    overrides = dict(request.overrides)
    result = editor.edit(request, lambda step, num_steps: steps.append((step, num_steps)))
    assert held == (request.key, request.images, request.instruction, request.seed), "the request was changed"
    assert overrides == dict(request.overrides), "the overrides were changed"
    assert isinstance(result, Image.Image), f"edit returned {type(result).__name__}, not a PIL image"
    assert result.mode == "RGB", f"edit returned mode {result.mode}, not RGB"
    if same_size:
        size = _source_size(request)
        assert result.size == size, f"edit returned {result.size}, the source is {size}"
    assert all(0 <= step <= num_steps for step, num_steps in steps), f"progress out of range: {steps}"
    assert all(a[0] <= b[0] and a[1] == b[1] for a, b in itertools.pairwise(steps)), f"progress does not grow: {steps}"
    return _pixels(result)


def _source_size(request: EditRequest) -> tuple[int, int]:
    from editeval.images import decode

    return decode(request.images[0]).size


def _check_order_does_not_matter(editor: Editor, requests: Sequence[EditRequest], first: list[Any]) -> None:
    for request, pixels in zip(reversed(requests), reversed(first), strict=True):
        assert _pixels(editor.edit(request, _ignore)) == pixels, f"{request.key}: another order gives other pixels"
    again = [_pixels(editor.edit(requests[0], _ignore)) for _ in range(2)]
    assert again[0] == again[1] == first[0], f"{requests[0].key}: the same request gives other pixels"


def _check_broken_image(editor: Editor, request: EditRequest, pixels: Any) -> None:
    for broken in (b"", b"no image at all", request.images[0][: len(request.images[0]) // 3]):
        target = None if request.target is None else broken
        bad = dataclasses.replace(request, images=tuple(broken for _ in request.images), target=target)
        try:
            editor.edit(bad, _ignore)
        except ImageError:
            pass
        else:
            raise AssertionError(f"{len(broken)} bytes of a broken image were edited without an ImageError")
    assert _pixels(editor.edit(request, _ignore)) == pixels, "after a broken image the next request differs"
