"""Writes real photographs with exactly computable edits: `python tools/make_photos.py [OUT_DIR]` (default photos/).

The photographs are those that the scikit-image wheel itself contains; nothing is downloaded, and one that this version
of the wheel lacks is skipped with a message. Written: images/, targets/, masks/, manifest.jsonl (for `image_folder`),
records.json (some of it in the v2 format, for `json_records`) and ATTRIBUTION.md. The same pictures every time.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from editeval.images import encode_png

Edit = Callable[[Image.Image], Image.Image]
WHOLE = (0.0, 0.0, 1.0, 1.0)
MIN_CHANGED = 0.01  # an edit that changes less of its region (grey on a grey photograph) is no test, and left out


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture of the wheel, and what scikit-image's documentation says about its origin."""

    file: str
    description: str
    description_zh: str
    origin: str

    @property
    def name(self) -> str:
        return self.file.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One edit: what to do, where (left, top, right, bottom as shares), and the words for it in both languages."""

    name: str
    text: str
    text_zh: str
    edit: Edit
    region: tuple[float, float, float, float] = WHOLE

    @property
    def category(self) -> str:
        return "global" if self.region == WHOLE else "regional"


PHOTOS = (
    Photo(
        "astronaut.png",
        "A portrait of an astronaut in an orange suit in front of a flag and a model of a shuttle.",
        "一位身穿橙色宇航服的宇航员，背景是旗帜和航天飞机模型。",
        "Eileen Collins, from the NASA Great Images database; no known copyright restrictions, "
        "released into the public domain.",
    ),
    Photo(
        "camera.png",
        "A black-and-white photograph of a person with a camera on a tripod.",
        "一张黑白照片：一个人和三脚架上的相机。",
        "CC0 by the photographer, Lav Varshney.",
    ),
    Photo(
        "chelsea.png",
        "A close portrait of a ginger cat.",
        "一只姜黄色猫的特写。",
        "Chelsea the cat; CC0 by the photographer, Stefan van der Walt.",
    ),
    Photo(
        "clock_motion.png",
        "A black-and-white photograph of a wall clock, blurred by motion.",
        "一张因移动而模糊的挂钟黑白照片。",
        "Released into the public domain by the photographer, Stefan van der Walt.",
    ),
    Photo(
        "coffee.png",
        "A cup of coffee with a spoon on a saucer on a wooden table.",
        "木桌上的一杯咖啡，碟子上有一把勺子。",
        "CC0 by the photographer, Rachel Michetti; courtesy of Pikolo Espresso Bar.",
    ),
    Photo(
        "coins.png",
        "A grey photograph of rows of Greek coins.",
        "几排希腊硬币的灰度照片。",
        "Greek coins from Pompeii, Brooklyn Museum Collection; no known copyright restrictions.",
    ),
    Photo(
        "hubble_deep_field.jpg",
        "A view of deep space with hundreds of galaxies.",
        "布满数百个星系的深空景象。",
        "Hubble eXtreme Deep Field, captured by NASA; may be freely used in the public domain.",
    ),
    Photo(
        "rocket.jpg",
        "A rocket that lifts off from its launch pad.",
        "一枚正从发射台升空的火箭。",
        "Launch of DSCOVR on a Falcon 9, captured by SpaceX and released in the public domain.",
    ),
)


def scaled(numerator: int, denominator: int) -> Edit:
    """Every channel times numerator / denominator, rounded to nearest, cut at 255."""
    table = [min(255, (value * numerator + denominator // 2) // denominator) for value in range(256)]
    return lambda image: image.point(table * 3)


def grey(image: Image.Image) -> Image.Image:
    """Luma of ITU-R BT.601 in all channels."""
    return ImageOps.grayscale(image).convert("RGB")


def sepia(image: Image.Image) -> Image.Image:
    """The usual sepia matrix, in thousandths, rounded to nearest."""
    matrix = np.array([[393, 769, 189], [349, 686, 168], [272, 534, 131]])
    toned = (np.asarray(image).astype(np.int64) @ matrix.T + 500) // 1000
    return Image.fromarray(np.minimum(toned, 255).astype(np.uint8))


def blurred(radius_px: int) -> Edit:
    """Gaussian blur, `radius_px` being its standard deviation; nothing outside of the region enters."""
    return lambda image: image.filter(ImageFilter.GaussianBlur(radius_px))


def painted(color: str) -> Edit:
    """One colour."""
    return lambda image: Image.new("RGB", image.size, color)


LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
TOP, BOTTOM = (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)
TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT = (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0)
BOTTOM_THIRD = (0.0, 2 / 3, 1.0, 1.0)

INSTRUCTIONS = (
    Instruction("greyscale", "Convert the photo to greyscale.", "把照片变成灰度图。", grey),
    Instruction("mirror", "Mirror the photo horizontally.", "把照片左右翻转。", ImageOps.mirror),
    Instruction("flip", "Flip the photo upside down.", "把照片上下翻转。", ImageOps.flip),
    Instruction(
        "rotate-180",
        "Rotate the photo by 180 degrees.",
        "把照片旋转180度。",
        lambda i: ImageOps.flip(ImageOps.mirror(i)),
    ),
    Instruction("brighten", "Brighten the photo by 30 %.", "把照片调亮30%。", scaled(13, 10)),
    Instruction("darken", "Darken the photo by 40 %.", "把照片调暗40%。", scaled(6, 10)),
    Instruction("invert", "Invert the colours of the photo.", "把照片反色。", ImageOps.invert),
    Instruction("sepia", "Apply a sepia tone to the photo.", "给照片加上棕褐色调。", sepia),
    Instruction("grey-left", "Turn the left half of the photo grey.", "把照片的左半部分变成灰色。", grey, LEFT),
    Instruction(
        "blur-top-right",
        "Blur the top right quarter of the photo with a radius of 8 pixels.",
        "把照片的右上四分之一模糊，半径8像素。",
        blurred(8),
        TOP_RIGHT,
    ),
    Instruction(
        "darken-bottom-third",
        "Darken the bottom third of the photo by 50 %.",
        "把照片底部三分之一调暗50%。",
        scaled(5, 10),
        BOTTOM_THIRD,
    ),
    Instruction(
        "brighten-top", "Brighten the top half of the photo by 30 %.", "把照片的上半部分调亮30%。", scaled(13, 10), TOP
    ),
    Instruction(
        "invert-right",
        "Invert the colours of the right half of the photo.",
        "把照片的右半部分反色。",
        ImageOps.invert,
        RIGHT,
    ),
    Instruction(
        "sepia-bottom",
        "Apply a sepia tone to the bottom half of the photo.",
        "给照片的下半部分加上棕褐色调。",
        sepia,
        BOTTOM,
    ),
    Instruction(
        "paint-top-left",
        "Paint the top left quarter of the photo black.",
        "把照片的左上四分之一涂成黑色。",
        painted("black"),
        TOP_LEFT,
    ),
    Instruction(
        "mirror-bottom-left",
        "Mirror the bottom left quarter of the photo horizontally.",
        "把照片的左下四分之一左右翻转。",
        ImageOps.mirror,
        BOTTOM_LEFT,
    ),
)
RECORDS = ("mirror", "sepia", "blur-top-right", "invert-right")
"""Edits of records.json: two of each category, since every record carries its photograph."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 written, 2 nothing to write or not writable."""
    parser = argparse.ArgumentParser(description="Write photographs with exactly computable edits.")
    parser.add_argument("out_dir", nargs="?", default="photos", type=Path)
    parser.add_argument("--max-side", type=int, default=512, help="longest side in pixels (default 512)")
    names = [photo.name for photo in PHOTOS]
    parser.add_argument("--photos", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    options = parser.parse_args(arguments)
    if options.max_side < 16:
        parser.error(f"--max-side: at least 16 pixels, got {options.max_side}")
    data = bundled_data()
    if data is None:
        print("make_photos: scikit-image is not installed; pip install '.[photos]'", file=sys.stderr)
        return 2
    photos = [photo for photo in PHOTOS if photo.name in options.photos]
    try:
        num_samples, num_photos = write(options.out_dir, data, photos, options.max_side)
    except OSError as error:
        print(f"make_photos: {options.out_dir}: cannot be written: {error}", file=sys.stderr)
        return 2
    print(f"{options.out_dir}: {num_samples} edits of {num_photos} photographs")
    return 0 if num_samples else 2


def bundled_data() -> Path | None:
    """The data folder inside the installed scikit-image, found without importing it; never its download cache."""
    spec = importlib.util.find_spec("skimage")
    return Path(spec.origin).parent / "data" if spec is not None and spec.origin else None


def write(out_dir: Path, data: Path, photos: Sequence[Photo], max_side: int) -> tuple[int, int]:
    """(edits, photographs) written to `out_dir`; files of an earlier call with the same names are replaced."""
    for folder in ("images", "targets", "masks"):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    records: list[dict[str, object]] = []
    found = []
    for photo in photos:
        if not (data / photo.file).is_file():
            print(f"{photo.name}: skipped, this scikit-image does not bundle {photo.file}")
            continue
        found.append(photo)
        with Image.open(data / photo.file) as image:
            source = small(image, max_side)
        source_png = encode_png(source)
        (out_dir / "images" / f"{photo.name}.png").write_bytes(source_png)
        for instruction, target, mask in edits(source):
            row = manifest_row(photo, instruction)
            target_png, mask_png = encode_png(target), encode_png(mask)
            (out_dir / str(row["reference"])).write_bytes(target_png)
            (out_dir / str(row["mask"])).write_bytes(mask_png)
            rows.append(row)
            if instruction.name in RECORDS:
                records.append(v2_record(photo, instruction, source_png, target_png, mask_png))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out_dir / "manifest.jsonl").write_text(lines, encoding="utf-8")
    (out_dir / "records.json").write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
    (out_dir / "ATTRIBUTION.md").write_text(attribution(found), encoding="utf-8")
    return len(rows), len(found)


def small(image: Image.Image, max_side: int) -> Image.Image:
    """The photograph as RGB, its longest side at most `max_side`."""
    image = image.convert("RGB")
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=None)
    return image


def edits(source: Image.Image) -> Iterator[tuple[Instruction, Image.Image, Image.Image]]:
    """(instruction, target, mask) of every instruction that changes this photograph visibly."""
    width, height = source.size
    for instruction in INSTRUCTIONS:
        left, top, right, bottom = instruction.region
        box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        before = source.crop(box)
        after = instruction.edit(before)
        if np.any(np.asarray(before) != np.asarray(after), axis=2).mean() < MIN_CHANGED:
            continue
        target, mask = source.copy(), Image.new("L", source.size, 0)
        target.paste(after, box)
        mask.paste(255, box)
        yield instruction, target, mask


def manifest_row(photo: Photo, instruction: Instruction) -> dict[str, object]:
    """One line of the manifest; what `image_folder` does not know becomes metadata."""
    sample_id = f"{photo.name}-{instruction.name}"
    return {
        "id": sample_id,
        "image": f"images/{photo.name}.png",
        "instruction": instruction.text,
        "category": instruction.category,
        "description": photo.description,
        "reference": f"targets/{sample_id}.png",
        "mask": f"masks/{sample_id}.png",
        "cluster": photo.name,
        "edit": instruction.name,
        "instruction_zh": instruction.text_zh,
        "origin": photo.origin,
    }


def v2_record(photo: Photo, instruction: Instruction, source: bytes, target: bytes, mask: bytes) -> dict[str, object]:
    """The same edit in the v2 format, with target and mask in fields that v2 did not have."""
    return {
        "subset": instruction.category,
        "original_image_path": f"photos/{photo.name}-{instruction.name}.png",
        "src_img_b64": base64.b64encode(source).decode("ascii"),
        "edit_instruction": instruction.text_zh,
        "edit_instruction_en": instruction.text,
        "original_description": photo.description_zh,
        "original_description_en": photo.description,
        "rationale_short": "目标图像由源图像精确计算得出。",
        "rationale_short_en": "The target is computed exactly from the source.",
        "tags": [instruction.category, instruction.name],
        "difficulty": "easy",
        "seed": 0,
        "cluster": photo.name,
        "reference_b64": base64.b64encode(target).decode("ascii"),
        "mask_b64": base64.b64encode(mask).decode("ascii"),
    }


def attribution(photos: Sequence[Photo]) -> str:
    """Where the photographs come from, as Markdown."""
    lines = "".join(f"- `{photo.name}`: {photo.origin}\n" for photo in photos)
    return (
        "# Where these photographs come from\n\n"
        "They are pictures that the scikit-image package bundles; origin and terms as its documentation of\n"
        "`skimage.data` states them. They were converted to RGB and, where larger, scaled down; the targets are\n"
        "derived from them by the edits that `manifest.jsonl` names.\n\n" + lines
    )


if __name__ == "__main__":
    sys.exit(main())
