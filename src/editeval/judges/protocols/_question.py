"""What a judge is asked and shown: the parts of a question in their order, and how each image is prepared.

Of no protocol and of no engine: protocols make questions of these, engines show them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from editeval.types import JudgeRequest

SHOWN_AS = {"source": "Original picture:", "edited": "Edited picture:"}
"""The line in front of each image, whatever engine shows it."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to an image before a judge sees it, in this order; nothing, if nothing is said."""

    is_stretched: bool = False  # to the size of the first source image, whatever its own aspect
    max_side: int | None = None  # of the longer side, in pixels, as Pillow's `thumbnail`; a smaller image stays
    max_area: int | None = None  # in pixels; likewise
    multiple: int = 1  # both sides are cut down to multiples of it, by scaling
    jpeg_quality: int | None = None  # through JPEG and back: the judge sees what that leaves
    is_limited: bool = True  # by the judge's own `max_image_side`, where that is given
    min_pixels: int | None = None  # with `max_pixels`: sides are rounded to multiples of `multiple` instead, and the
    max_pixels: int | None = None  # area is brought between the two, up too, as loaders of the Qwen-VL family do


AS_IS = Preparation()


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of a question."""

    role: str  # source, edited, edited_b, target, mask or reference
    number: int = 0  # of several sources or references
    label: str = ""  # a text in front of it; empty: none
    preparation: Preparation = AS_IS
    detail: str = ""  # "high" or "low": how closely a server is told to look, where it knows that; empty: not told

    @property
    def picture(self) -> ShownImage:
        """The same image under any label, looked at in any detail."""
        return replace(self, label="", detail="")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one edit: texts and images in the order in which a judge gets them, in one message."""

    name: str  # unique within its protocol; a metric of the same name is decided by this question alone
    system: str | None  # None: no message of that kind
    parts: tuple[str | ShownImage, ...]
    answer: str  # one of answers.FORMATS, or of the protocol's `grammars`

    @property
    def shown(self) -> tuple[ShownImage, ...]:
        return tuple(part for part in self.parts if isinstance(part, ShownImage))

    @property
    def text(self) -> str:
        """What is asked, without images and their labels."""
        return "\n".join(part for part in self.parts if isinstance(part, str))


def images_first(name: str, system: str, text: str, roles: tuple[str, ...], answer: str) -> Question:
    """A question with its images in front, as they are, each under a label of our own."""
    return Question(name, system, (*(ShownImage(role, label=SHOWN_AS[role]) for role in roles), text), answer)


MAX_SOURCES = 5
"""Source images of a sample that an engine is made ready for, where a protocol shows all of them."""


def every_source(request: JudgeRequest, *questions: Question) -> tuple[Question, ...]:
    """The questions; of several source images each shows all in place of the first, numbered, and says so."""
    num = len(request.sources)
    if num == 1:
        return questions
    first = ShownImage("source", label=SHOWN_AS["source"])
    all_of_them = tuple(ShownImage("source", n, SHOWN_AS["source"].replace(":", f" {n + 1}:")) for n in range(num))
    note = f"There are {num} original pictures, and the edit was made from all of them. Whatever is said here of the "
    note += "original, or of the first picture, is meant of all of them; the edited picture is the last one."
    return tuple(
        replace(question, parts=_replaced(question.parts, first, (*all_of_them,), note))
        if first in question.parts
        else question
        for question in questions
    )


def _replaced(
    parts: tuple[str | ShownImage, ...], first: ShownImage, images: tuple[ShownImage, ...], note: str
) -> tuple[str | ShownImage, ...]:
    place = parts.index(first)
    shown = [*parts[:place], *images, *parts[place + 1 :]]
    text = next(number for number, part in enumerate(shown) if isinstance(part, str))
    return (*shown[:text], note, *shown[text:])


_NEWER = frozenset({"min_pixels", "max_pixels"})
"""Fields that a description holds only where they are set: fingerprints of before stay."""


def described(question: Question) -> dict[str, object]:
    """Everything that a question is, as JSON values; one of `images_first` as versions before `parts` wrote it."""
    roles, text = tuple(shown.role for shown in question.shown), question.text
    is_plain = set(roles) <= set(SHOWN_AS) and question.system is not None
    if is_plain and question == images_first(question.name, question.system or "", text, roles, question.answer):
        known = {"name": question.name, "system": question.system, "user": text}
        return {**known, "images": roles, "answer": question.answer}
    return asdict(question, dict_factory=lambda pairs: {k: v for k, v in pairs if v is not None or k not in _NEWER})
