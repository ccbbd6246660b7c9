"""Built-in benchmark `procedural`: drawn scenes with instructions whose exact answer is known.

Data: none to download; five categories (physical, environmental, cultural, causal, referential), 54 samples each.
Licence: that of editeval. Cost: a source, target and mask of 512 x 512 pixels take about 0.1 s on one core.
Synthetic: it certifies judges and the gross competence of an editor, not photographic quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from PIL import Image

from editeval.benchmarks.scenes import render
from editeval.benchmarks.scenes.render import KINDS, Cell
from editeval.benchmarks.scenes.scene import mix
from editeval.errors import BenchmarkError
from editeval.images import encode_png, sha256
from editeval.prompts import CATEGORIES
from editeval.rungs import Pixels, through_jpeg
from editeval.types import Benchmark, Sample

GENERATOR = "2"
"""Raise it whenever any text or pixel changes: it is part of the fingerprint."""
EARLIER_GENERATORS = ("1",)

CHANGES_PER_SCENE = 3
NUM_VARIANTS = 128
"""Plans (objects and texts) per kind of scene; looks beyond that are unlimited."""

MAX_PER_CATEGORY = 200_000
LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class ProceduralParams:
    """Parameters of the built-in benchmark."""

    num_per_category: int = 54
    """Samples in each of the five categories."""

    seed: int = 2026
    """Another seed, other scenes."""

    size: int = 512
    """Width and height in pixels, 64-2048."""

    language: str = "en"
    """Language of the instruction, "en" or "zh"; the other one is in the metadata."""


@dataclass(frozen=True, slots=True)
class LazyImage:
    """A picture that is drawn when it is read: "source", "target" or "mask" of a cell."""

    cell: Cell
    part: str

    def read(self) -> bytes:
        cell = self.cell
        if self.part == "mask":
            return _png(render.mask(cell))
        return _png(render.source(*cell[:4], cell.size) if self.part == "source" else render.target(cell))


class ProceduralBenchmark(Benchmark):
    """Scenes from a seed. Iterating plans texts only; pixels are drawn by `LazyImage.read`."""

    Params = ProceduralParams

    def __init__(self, params: ProceduralParams) -> None:
        super().__init__(params)
        _check(params)

    def __iter__(self) -> Iterator[Sample]:
        for category in CATEGORIES:
            yield from self._samples(category)

    def fingerprint(self) -> str:
        """Hash of the generator's version and the parameters, which decide every text and pixel."""
        return self._fingerprint_of(GENERATOR)

    def earlier_fingerprints(self) -> tuple[str, ...]:
        return tuple(map(self._fingerprint_of, EARLIER_GENERATORS))

    def _fingerprint_of(self, generator: str) -> str:
        return sha256(f"procedural {generator} {sorted(asdict(self.params).items())}".encode())

    def _samples(self, category: str) -> Iterator[Sample]:
        plans: dict[tuple[int, int], _Texts] = {}
        seed = mix(self.params.seed, CATEGORIES.index(category))
        for scene in range(-(-self.params.num_per_category // CHANGES_PER_SCENE)):
            kind = scene % len(KINDS[category])
            variant, look = mix(seed, scene, 1) % NUM_VARIANTS, mix(seed, scene, 2)
            texts = plans.get((kind, variant))
            if texts is None:
                texts = plans[kind, variant] = _texts(category, kind, variant, self.params.language)
            yield from self._changes(category, scene, look, texts)

    def _changes(self, category: str, scene: int, look: int, texts: _Texts) -> Iterator[Sample]:
        cluster, first = f"{category}/scene-{scene:04d}", scene * CHANGES_PER_SCENE
        for change in range(min(CHANGES_PER_SCENE, self.params.num_per_category - first)):
            cell = Cell(category, texts.kind, texts.variant, look, change, self.params.size)
            yield Sample(
                f"{category}/{first + change:04d}",
                category,
                (LazyImage(cell, "source"),),
                texts.instructions[change],
                texts.description,
                LazyImage(cell, "target"),
                LazyImage(cell, "mask"),
                cluster,
                dict(texts.metadata[change]),
            )


@dataclass(frozen=True, slots=True)
class _Texts:
    """What all scenes of one plan have in common."""

    kind: int
    variant: int
    description: str
    instructions: tuple[str, ...]
    metadata: tuple[dict[str, str | int], ...]


def _texts(category: str, kind: int, variant: int, language: str) -> _Texts:
    plan = render.plan_of(category, kind, variant)
    changes = plan.changes[:CHANGES_PER_SCENE]
    metadata: list[dict[str, str | int]] = []
    for change in changes:
        entry: dict[str, str | int] = {
            "instruction_en": change.english,
            "instruction_zh": change.chinese,
            "scene": KINDS[category][kind].name,
            "difficulty": change.difficulty,
            "generator": GENERATOR,
        }
        if change.rule:
            entry["rule"] = change.rule
        metadata.append(entry)
    instructions = tuple(c.english if language == "en" else c.chinese for c in changes)
    return _Texts(kind, variant, plan.description, instructions, tuple(metadata))


def ladder(sample: Sample) -> dict[str, bytes]:
    """Graded answers to a sample of this benchmark as PNG, best first.

    Keys: target, target_reencoded (through JPEG 95), partial (half of the change), over_edit (target plus unasked
    changes), wrong_object (right operation, other object), identity (the source). Raises BenchmarkError for a sample
    of another benchmark.
    """
    if not isinstance(sample.image, LazyImage):
        raise BenchmarkError(f"procedural: sample {sample.id!r} is not of this benchmark, so it has no ladder")
    cell = sample.image.cell
    rungs: dict[str, Callable[[Cell], Pixels]] = {
        "target": render.target,
        "target_reencoded": lambda c: through_jpeg(render.target(c)),
        "partial": render.partial,
        "over_edit": render.over_edit,
        "wrong_object": render.wrong_object,
        "identity": lambda c: render.source(*c[:4], c.size),
    }
    return {name: _png(make(cell)) for name, make in rungs.items()}


def _png(pixels: Pixels) -> bytes:
    return encode_png(Image.fromarray(pixels))


def _check(params: ProceduralParams) -> None:
    if not 1 <= params.num_per_category <= MAX_PER_CATEGORY:
        what = f"must be 1 to {MAX_PER_CATEGORY}, got {params.num_per_category}"
        raise BenchmarkError(f"procedural.num_per_category: {what}")
    if not 64 <= params.size <= 2048:
        raise BenchmarkError(f"procedural.size: must be 64 to 2048 pixels, got {params.size}")
    if params.language not in LANGUAGES:
        raise BenchmarkError(f"procedural.language: must be one of {', '.join(LANGUAGES)}, got {params.language!r}")
