"""Classical image operations by plain English: no model, Pillow and numpy only, exact on any photograph.

Model: none; licence: that of editeval. CPU only, 10 to 100 ms for 512 x 512 pixels. Same request, same bytes.
On the picture, or a half, third or quarter of it: brighten, darken, contrast, greyscale, sepia, invert, blur, sharpen,
mirror, flip, rotate, crop, hue, paint. By a plain colour alone: recolour ("make the red circle blue" changes what is
red) and remove ("remove the yellow star" fills what is yellow from around it). It knows no things: an operation on one
("blur the dog"), what else it does not understand, and what would change nothing fail as `refused`, never silently.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from editeval.errors import ConfigError, EditRefusedError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

Box = tuple[int, int, int, int]
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Area = npt.NDArray[np.bool_]
Edit = Callable[[Image.Image], Image.Image]

HUES = {"red": 0, "orange": 20, "yellow": 42, "green": 85, "cyan": 128, "blue": 168, "purple": 198, "pink": 232}
"""Of 256; colours that have one."""
GREYS = {"black": (0, 55), "grey": (70, 190), "white": (205, 255)}
"""Brightness from and to of those without a hue."""
PAINTS = {
    "red": (220, 30, 40),
    "orange": (240, 130, 20),
    "yellow": (250, 210, 30),
    "green": (40, 160, 70),
    "cyan": (40, 190, 200),
    "blue": (40, 90, 220),
    "purple": (140, 60, 180),
    "pink": (245, 130, 180),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
}
_COLOUR = re.compile(rf"\b({'|'.join(PAINTS)}|gray|violet)\b")
_SAME = {"gray": "grey", "violet": "purple"}
_SEPIA = np.array([[393, 769, 189], [349, 686, 168], [272, 534, 131]])  # in thousandths
_VERBS = (
    "make|turn|paint|fill|colou?r|recolou?r|change|replace|remove|erase|delete|convert|apply|add|invert|mirror|flip|rotate"
    "|blur|soften|sharpen|brighten|lighten|darken|dim|increase|raise|decrease|reduce|lower|shift|crop|desaturate"
)
_PLAIN = re.compile(
    f"{_VERBS}|the|an?|of|to|by|with|in|into|at|on|and|its?|this|whole|entire|all|everything|from|each|every|set|give"
    "|photo|photograph|picture|image|scene|colou?rs|tones?|effect|version|sides?|part|area|hand|top|upper|bottom|left"
    "|right|middle|cent(?:re|er)|half|third|quarter|corner|more|less|much|very|slightly|bit|little|percent|per|cent"
    "|degrees?|pixels?|px|radius|(?:counter-?|anti-?)?clockwise|counter|anti|horizontal(?:ly)?|vertical(?:ly)?|upside|down"
    "|sideways|gr[ae]y(?:scale)?|black|white|monochrome|sepia|negative|hue|contrast|brightness|brighter|lighter|darker"
    "|dimmer|sharper|blurred|blurry|inverted|mirrored|flipped"
)
"""Words of operations on the picture or a part of it: any other word is a thing, and things it does not know."""
_CLAUSES = re.compile(rf"[.;]\s+|,?\s+(?:and\s+)?then\s+|,?\s+and\s+(?=(?:{_VERBS})\b)")


@dataclass(frozen=True, slots=True)
class ClassicalParams:
    """What counts as a plain colour."""

    hue_tolerance: int = 14  # of 256, to each side
    min_saturation: int = 80  # of 255; what is paler has no hue
    min_share: float = 0.001  # a colour that covers less of the picture is not there

    def __post_init__(self) -> None:
        if not 1 <= self.hue_tolerance <= 64:
            raise ConfigError(f"hue_tolerance: must be 1-64, got {self.hue_tolerance!r}")
        if not 1 <= self.min_saturation <= 254:
            raise ConfigError(f"min_saturation: must be 1-254, got {self.min_saturation!r}")
        if not 0.0 <= self.min_share <= 0.5:
            raise ConfigError(f"min_share: must be 0-0.5, got {self.min_share!r}")


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing to do: its words in small letters."""

    text: str
    params: ClassicalParams

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.text) is not None

    def number(self, unit: str, usual: float | None = None) -> float:
        """The number before `unit`. Raises EditRefusedError where there is none and none is usual."""
        found = re.search(rf"(-?[0-9]+(?:\.[0-9]+)?)\s*-?(?:{unit})", self.text)
        if not found and usual is None:
            raise _refuse(f"{self.text!r}: by how many?")
        return float(found[1]) if found else float(usual or 0)

    def percent(self, usual: int) -> int:
        return round(self.number(r"%|per\s?cent", usual))

    def colours(self) -> list[str]:
        """Those it names, in order."""
        return [_SAME.get(word, word) for word in _COLOUR.findall(self.text)]

    def things(self) -> list[str]:
        """Words that no operation on the picture is described with."""
        return [word for word in re.findall(r"[^\W\d_]+", self.text) if not _PLAIN.fullmatch(word)]


def _refuse(why: str) -> EditRefusedError:
    return EditRefusedError(f"classical: {why}")


def region_of(clause: Clause) -> tuple[float, float, float, float] | None:
    """(left, top, right, bottom) as shares of the part that it names: a half, third or quarter; None for the whole."""
    rows, columns = r"(?:(top|upper|bottom|lower)[ -]?)?", r"(left|right|middle|centre|center)?"
    found = re.search(rf"\b{rows}{columns}[ -]?(?:hand )?(half|third|quarter|corner)\b", clause.text)
    if not found or not (found[1] or found[2]):
        return None
    row, column = found[1] or "", found[2] or ""
    share = {"half": 1 / 2, "third": 1 / 3}.get(found[3], 1 / 2 if row and column else 1 / 4)
    middle = (0.5 - share / 2, 0.5 + share / 2) if column else (0.0, 1.0)
    left, right = {"left": (0.0, share), "right": (1 - share, 1.0)}.get(column, middle)
    top, bottom = (0.0, share) if row in ("top", "upper") else (1 - share, 1.0) if row else (0.0, 1.0)
    return left, top, right, bottom


def _by_table(level: Callable[[int], int]) -> Edit:
    table = [min(255, max(0, level(value))) for value in range(256)]
    return lambda image: image.point(table * 3)


def _brightness(clause: Clause) -> Edit:
    """Every channel times a factor, rounded to nearest, cut at 255."""
    sign = -1 if clause.has(r"\b(dark|dim|decrease|reduce|lower the|less)") else 1
    percent = max(0, 100 + sign * clause.percent(30))
    return _by_table(lambda value: (value * percent + 50) // 100)


def _contrast(clause: Clause) -> Edit:
    """Distances from middle grey, larger or smaller."""
    sign = -1 if clause.has(r"\b(decrease|reduce|lower the|less|soften)\b") else 1
    percent = max(0, 100 + sign * clause.percent(30))
    return _by_table(lambda value: 128 + round((value - 128) * percent / 100))


def _grey(image: Image.Image) -> Image.Image:
    return ImageOps.grayscale(image).convert("RGB")


def _sepia(image: Image.Image) -> Image.Image:
    levels = (np.asarray(image).astype(np.int64) @ _SEPIA.T + 500) // 1000
    return Image.fromarray(np.minimum(levels, 255).astype(np.uint8))


def _rotation(clause: Clause) -> Edit:
    """Clockwise unless it says otherwise. By a quarter turn width and height change places."""
    usual = 180.0 if clause.has("half turn") else 90.0 if clause.has("quarter turn|sideways") else None
    turn = clause.number("degrees?|°", usual) * (1 if clause.has("counter|anti") else -1) % 360
    exact = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    if turn in exact:
        return lambda image: image.transpose(exact[int(turn)])
    return lambda image: image.rotate(turn, Image.Resampling.BICUBIC)


def _blur(clause: Clause) -> Edit:
    return lambda image: image.filter(ImageFilter.GaussianBlur(clause.number("pixels?|px", 4)))


def _sharpen(clause: Clause) -> Edit:
    return lambda image: image.filter(ImageFilter.UnsharpMask(2, clause.percent(150), 2))


def _hue(clause: Clause) -> Edit:
    by = round(clause.number("degrees?|°") * 256 / 360)

    def shifted(image: Image.Image) -> Image.Image:
        hsv = np.array(image.convert("HSV"))
        hsv[..., 0] = (hsv[..., 0].astype(np.int64) + by) % 256
        return _rgb(hsv)

    return shifted


def _rgb(hsv: Pixels) -> Image.Image:
    return Image.frombytes("HSV", (hsv.shape[1], hsv.shape[0]), hsv.tobytes()).convert("RGB")


def _painted(clause: Clause) -> Edit:
    return lambda image: Image.new("RGB", image.size, PAINTS[clause.colours()[-1]])


def _recoloured(clause: Clause) -> Edit:
    """The last colour it names in place of the first, with light and shade kept."""
    before, after = clause.colours()[0], clause.colours()[-1]

    def done(image: Image.Image) -> Image.Image:
        area = _area(image, before, clause.params)
        hsv = np.array(image.convert("HSV"))
        shade = hsv[..., 2][area].astype(np.int64)
        if after in HUES:
            hsv[..., 0][area] = HUES[after]
            if before in GREYS:
                hsv[..., 1][area] = 200
                hsv[..., 2][area] = np.clip(shade, 110, 225)
        else:
            low, high = GREYS[after]
            hsv[..., 1][area] = 0
            hsv[..., 2][area] = low + shade * (high - low) // 255
        return Image.composite(_rgb(hsv), image, Image.fromarray(area))

    return done


def _removed(clause: Clause) -> Edit:
    """Everything of the colour it names, and its outline, is filled from what is around it."""
    if not clause.colours():
        raise _refuse(f"{clause.text!r}: it knows things by a plain colour only, as in `remove the red balloon`")

    def done(image: Image.Image) -> Image.Image:
        area = Image.fromarray(_area(image, clause.colours()[0], clause.params).astype(np.uint8) * 255)
        hole = np.asarray(area.filter(ImageFilter.MaxFilter(7))) > 0
        pixels = np.asarray(image).copy()
        pixels[hole] = _filled(pixels.astype(np.float64), ~hole)[hole]
        return Image.fromarray(pixels)

    return done


def _area(image: Image.Image, colour: str, params: ClassicalParams) -> Area:
    """Where the picture has this colour. Raises EditRefusedError if that is nearly nowhere or nearly everywhere."""
    hue, saturation, value = np.moveaxis(np.asarray(image.convert("HSV")).astype(np.int64), 2, 0)
    area: Area
    if colour in HUES:
        away = np.abs((hue - HUES[colour] + 128) % 256 - 128)
        area = (away <= params.hue_tolerance) & (saturation >= params.min_saturation) & (value >= 50)
    else:
        low, high = GREYS[colour]
        area = (saturation < params.min_saturation) & (value >= low) & (value <= high)
    if area.mean() <= params.min_share:
        raise _refuse(f"there is no {colour} to be seen")
    if area.mean() > 0.8:
        raise _refuse(f"nearly everything is {colour}")
    return area


def _filled(pixels: Floats, known: Area) -> Floats:
    """`pixels` with what is not known interpolated: from ever coarser means of what is known around it."""
    if known.all() or min(known.shape) < 2:
        return np.where(known[..., None], pixels, pixels[known].mean(axis=0) if known.any() else 128.0)
    height, width = known.shape
    odd = (0, height % 2), (0, width % 2)
    total = _quartered(np.pad(pixels * known[..., None], (*odd, (0, 0))))
    count = _quartered(np.pad(known.astype(np.float64), odd))
    coarse = _filled(total / np.maximum(count, 1.0)[..., None], count > 0).astype(np.float32)
    size, smooth = (width, height), Image.Resampling.BILINEAR
    finer = [np.asarray(Image.fromarray(coarse[..., i]).resize(size, smooth)) for i in range(3)]
    return np.where(known[..., None], pixels, np.stack(finer, axis=2))


def _quartered(values: Floats) -> Floats:
    """Sums of four neighbours."""
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


MAX_THINGS = 2  # words besides the colour: "the large red circle" is plain, a sentence about somebody in red is not
OPERATIONS: tuple[tuple[str, Callable[[Clause], Edit]], ...] = (
    (r"gr[ae]yscale|black[- ]and[- ]white|monochrome|desaturate", lambda clause: _grey),
    (r"\b(?:turn|make|colou?r) .*gr[ae]y$", lambda clause: _grey),
    (r"\b(?:paint|fill|colou?r|make|turn)\b.*\b(?:half|third|quarter|corner|photo|picture|image)\b", _painted),
    (r"\bcontrast\b", _contrast),
    (r"\bhue\b", _hue),
    (r"\bsepia\b", lambda clause: _sepia),
    (r"\b(?:invert|inverted|negative)\b", lambda clause: ImageOps.invert),
    (r"\b(?:rotate|degrees|sideways|half turn)\b", _rotation),
    (r"\b(?:upside down|vertical|vertically|top to bottom)\b", lambda clause: ImageOps.flip),
    (r"\b(?:mirror|mirrored|flip|flipped)\b", lambda clause: ImageOps.mirror),
    (r"\b(?:blur|blurred|blurry|soften)\b", _blur),
    (r"\b(?:sharpen|sharper)\b", _sharpen),
    (r"\b(?:bright|light|dark|dim)(?:en|er|ness|mer)?\b", _brightness),
)


def operation_of(clause: Clause) -> Edit:
    """What the clause asks for. Raises EditRefusedError for what is not understood."""
    named, things = clause.colours(), [word for word in clause.things() if not _COLOUR.fullmatch(word)]
    if len(things) <= MAX_THINGS and clause.has(r"\b(?:remove|erase|delete)\b"):
        return _removed(clause)
    is_plain = len(things) <= MAX_THINGS and not clause.has("black[- ]and[- ]white")
    if is_plain and len(named) > 1 and named[0] != named[-1]:
        return _recoloured(clause)
    for pattern, operation in OPERATIONS:
        if not things and clause.has(pattern) and (operation is not _painted or named):
            return operation(clause)
    of = f" (it knows nothing of {', '.join(things)})" if things else ""
    raise _refuse(f"{clause.text!r} is not understood{of}")


class Classical(Editor):
    """Words -> clauses -> operations -> pixels."""

    Params = ClassicalParams
    default_device = "cpu"

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        """The edited picture, at the source's size but for crops and quarter turns. Raises EditRefusedError."""
        params = self._with(request.overrides)
        source = image = decode(request.images[0])
        texts = [text for text in _CLAUSES.split(request.instruction.lower().strip().rstrip(".!")) if text.strip()]
        for step, text in enumerate(texts, 1):
            image = _carried_out(image, Clause(text.strip(), params))
            progress(step, len(texts))
        if image.size == source.size and image.tobytes() == source.tobytes():
            raise _refuse(f"{request.instruction!r} changes no pixel of this picture")
        return image

    def _with(self, overrides: Mapping[str, object]) -> ClassicalParams:
        names = sorted(f.name for f in dataclasses.fields(ClassicalParams))
        unknown = sorted(set(overrides) - set(names))
        if unknown:
            raise ConfigError(f"classical: unknown parameter {unknown[0]!r}; use one of {', '.join(names)}")
        params: ClassicalParams = dataclasses.replace(self.params, **overrides)
        return params


def _carried_out(image: Image.Image, clause: Clause) -> Image.Image:
    shares, (width, height) = region_of(clause), image.size
    left, top, right, bottom = shares or (0.0, 0.0, 1.0, 1.0)
    if clause.has(r"\bcrop\b"):
        if shares is None:  # a percentage of every side goes
            left = top = clause.percent(0) / 100
            right = bottom = 1 - left
        if clause.things() or not left < right or (left, top, right, bottom) == (0, 0, 1, 1):
            raise _refuse(f"{clause.text!r}: crop to a half, third or quarter, or by a percentage below 50")
    box: Box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
    part = image.crop(box)
    if clause.has(r"\bcrop\b"):
        return part
    edited = operation_of(clause)(part)
    if shares is None:
        return edited
    if edited.size != part.size:
        raise _refuse(f"{clause.text!r}: a part of the picture can be turned by 180 degrees only")
    image = image.copy()
    image.paste(edited, box)
    return image
