"""Protocol `editscore_qwen25`: `editscore` as its models on Qwen2.5-VL are asked: with a label in front of each image.

The authors write the prompt of these models by hand: the checkpoint's own system message, which its template puts
there by itself, then `<img1>: ` and the first image, `<img2>: ` and the second one, and the text. All else is as in
`editscore`. Deviation: a penalty for repetition that the checkpoint may ask for is switched off, as in their runs with
vLLM; in those with transformers it holds.
"""

from __future__ import annotations

from editeval.judges.protocols.editscore import EditScoreProtocol, settings_of


class EditScoreQwen25(EditScoreProtocol):
    """The same questions with numbered images."""

    label = "<img{}>: "
    settings = settings_of(
        EditScore_7B="Qwen2.5-VL-7B-Instruct",
        EditScore_32B="Qwen2.5-VL-32B-Instruct",
        EditScore_72B="Qwen2.5-VL-72B-Instruct",
    )


PROTOCOL = EditScoreQwen25
