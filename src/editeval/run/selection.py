"""Which samples of a benchmark are wanted, in which order: by category, id and number. And which prompts they need."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from editeval import plugins
from editeval.config import legacy
from editeval.config.schema import BenchmarkConfig, Config, Stage
from editeval.errors import BenchmarkError, ConfigError, Problems
from editeval.images import file_of
from editeval.plugin_errors import with_safe_images
from editeval.run.chains import PreviousEdit, with_previous_turns
from editeval.types import Benchmark, Editor, ImageRef, Judge, Sample, Subset

NAMED = 5  # missing images
RESERVED = ("macro", "micro")  # what the report calls the rows over all categories


def select(benchmark: Iterable[Sample], config: Config) -> list[Sample]:
    """The samples that categories, --sample, --limit and --first leave, in the order of the categories that are named.

    Within a category, and without any, they are in benchmark order; with `num_seeds` each is followed by its repeats.
    Raises BenchmarkError for none, and for a category whose name the report uses for the row over all of them.
    """
    given, problems = list(benchmark), Problems(config.path)
    everything = with_one_spelling([one for one in given if not one.repeat_of], config.benchmark)
    samples = everything
    with problems.collect():
        samples = of_categories(samples, config)
    if config.samples:
        for pattern in config.samples if samples else ():
            if not any(fnmatch.fnmatchcase(s.id, pattern) for s in samples):
                what = f"--sample {pattern}: matches none of {len(samples)} ids, such as {samples[0].id!r}"
                problems.add(BenchmarkError(what))
        samples = [s for s in samples if any(fnmatch.fnmatchcase(s.id, p) for p in config.samples)]
    problems.check()
    if not samples:
        raise BenchmarkError("benchmark: no sample matches; relax --sample or categories")
    samples = with_previous_turns(part_of(samples, config), everything)
    named_as_total = next((s for s in samples if s.category in RESERVED), None)
    if named_as_total is not None:
        raise BenchmarkError(
            f"benchmark: sample {named_as_total.id!r}: {named_as_total.category!r} is a reserved category name: the "
            "report uses it for the row over all categories; rename it"
        )
    samples = with_repeats(samples, given, config.diffusion_model.num_seeds)
    return [with_safe_images(sample) for sample in samples]


def with_repeats(samples: Sequence[Sample], everything: Iterable[Sample], num_seeds: int) -> list[Sample]:
    """`samples`, each followed by the same one under the ids `id#2`, `id#3`, ... up to `num_seeds`.

    A repeat is of its sample's cluster, and follows the previous turn of its own seed. Where an id of the benchmark
    `everything` ends in `#` and a number itself, repeats have one `#` more than any such id, so that no two ids are
    equal; a benchmark that has the repeats of a run already says what they are called.
    """
    first = [one for one in samples if not one.repeat_of]
    if num_seeds == 1:
        return first
    known, longest = dict[tuple[str, int], str](), 0
    for one in everything:
        if one.repeat_of:
            known[one.repeat_of, one.seed_index] = one.id
        elif found := _ENDS_AS_A_REPEAT.search(one.id):
            longest = max(longest, len(found[1]))
    mark = "#" * (longest + 1)

    def named(sample_id: str, number: int) -> str:
        return known.get((sample_id, number)) or f"{sample_id}{mark}{number}"

    def repeat(one: Sample, number: int) -> Sample:
        after = named(one.after, number) if one.after else ""
        same = replace(one, id=named(one.id, number), cluster=one.cluster or one.id, after=after)
        return replace(same, repeat_of=one.id, seed_index=number)

    return [each for one in first for each in (one, *(repeat(one, n) for n in range(2, num_seeds + 1)))]


_ENDS_AS_A_REPEAT = re.compile(r"(#+)[0-9]+\Z")


def num_distinct(samples: Iterable[Sample]) -> int:
    """How many samples of the benchmark these are; their repeats are none."""
    return sum(not one.repeat_of for one in samples)


def by_seed(samples: Iterable[Sample]) -> list[list[Sample]]:
    """The first seed of every sample, then the second ones, and so on, each in the order of `samples`.

    In this order they are edited and judged: a run that ends early has edited every sample as often as it could.
    """
    found: dict[int, list[Sample]] = {}
    for one in samples:
        found.setdefault(one.seed_index, []).append(one)
    return [found[number] for number in sorted(found)]


def missing_images(samples: Iterable[Sample]) -> str:
    """One line about all image files of `samples` that are not there; empty if none is missing."""
    missing: dict[str, str] = {}
    needing: set[str] = set()
    for sample in samples:
        for image in (*sample.images, sample.target, sample.mask, *sample.references):
            path = file_of(image) if image is not None and not isinstance(image, PreviousEdit) else None
            if path is not None and not _is_file(path):
                missing.setdefault(str(path), sample.id)
                needing.add(sample.id)
    if not missing:
        return ""
    first = ", ".join(f"{path} (of {sample_id})" for path, sample_id in list(missing.items())[:NAMED])
    more = f", and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    are = "image is" if len(missing) == 1 else "images are"
    return f"benchmark: {len(missing)} {are} missing, which {len(needing)} of the samples need: {first}{more}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def shown_images(config: Config, sample: Sample) -> tuple[ImageRef, ...]:
    """The source images of `sample` that the editor gets."""
    return sample.images[:1] if config.diffusion_model.images == "first" else sample.images


def check_number_of_images(editor: type[Editor], config: Config, wanted: Sequence[Sample]) -> None:
    """Raises ConfigError if samples have more source images than the editor takes."""
    stage = config.diffusion_model
    most = editor.max_images_of(stage.params) if stage.images == "all" and stage.params is not None else None
    over = [sample for sample in wanted if most is not None and len(sample.images) > most]
    if over:
        raise ConfigError(
            f"{config.path}: diffusion_model.type: {stage.type!r} takes {most} source image(s) per edit, and "
            f"{len(over)} of {len(wanted)} samples have more ({over[0].id!r}: {len(over[0].images)}); "
            "choose an editor that takes them, or set diffusion_model.params.images: first"
        )


def check_prompts(config: Config, samples: Sequence[Sample]) -> None:
    """Raises ConfigError if a category of `samples` has no prompt."""
    missing = [c for c in dict.fromkeys(s.category for s in samples) if config.prompt_of(c) is None]
    if missing:
        has = ", ".join(config.prompts) or "none"
        names = ", ".join(repr(name) + did_you_mean(name, list(config.prompts)) for name in missing)
        raise ConfigError(f"{config.path}: prompts: no prompt for {names}; it has: {has}")


def unused_prompts(config: Config) -> list[str]:
    """One warning if prompts are given that no judge asks."""
    stages = config.judges.values()
    if not config.prompts or not stages or any(_uses_prompts(config, stage) for stage in stages):
        return []
    asked = ", ".join(repr(stage.requested_type) for stage in stages)
    return [f"{config.path}: prompts: has no effect: {asked} asks in its own words"]


def _uses_prompts(config: Config, stage: Stage) -> bool:
    judge: type[Judge] = plugins.load("judges", stage.type, config.allow_code)
    return judge.uses_prompts_of(stage.params)


def with_one_spelling(samples: list[Sample], benchmark: BenchmarkConfig) -> list[Sample]:
    """The samples, where v2's data call one category by two words, under the English one; ids stay as they are."""
    spellings: dict[str, set[str]] = {}
    for name in {s.category for s in samples}:
        spellings.setdefault(benchmark.canonical(name), set()).add(name)
    renamed = {name: word for word, names in spellings.items() if len(names) > 1 for name in names - {word}}
    return [replace(s, category=renamed[s.category]) if s.category in renamed else s for s in samples]


def loaded(benchmark: Benchmark, config: Config) -> list[Sample]:
    """All samples. Raises BenchmarkError, at the line of the parameter that it is about, where one is named."""
    try:
        return list(benchmark)
    except BenchmarkError as error:
        key, _, rest = str(error).partition(": ")
        where = setting_at(config, key)
        if where == key:
            raise
        raise BenchmarkError(f"{where}: {rest}") from error


def of_categories(samples: list[Sample], config: Config) -> list[Sample]:
    """Those of the categories that are named, in that order. Raises BenchmarkError, which names every absent one."""
    canonical, wanted = config.benchmark.canonical, config.benchmark.categories
    if not wanted:
        return samples
    counts = Counter(s.category for s in samples)
    present = {canonical(name) for name in counts}
    absent = [name for name in wanted if canonical(name) not in present]
    if absent:
        has = ", ".join(f"{name} ({count})" for name, count in counts.items())
        names = ", ".join(repr(name) + did_you_mean(name, list(counts)) for name in absent)
        raise BenchmarkError(f"{setting_at(config, 'benchmark.categories')}: no sample of {names}; it has: {has}")
    order = {canonical(name): place for place, name in enumerate(wanted)}
    chosen = [s for s in samples if canonical(s.category) in order]
    return sorted(chosen, key=lambda s: order[canonical(s.category)])


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """` (did you mean 'x'?)`, or nothing. v2's words are known even where they mean nothing."""
    same = [word for word in known if legacy.canonical(word) == legacy.canonical(name)]
    close = difflib.get_close_matches(name, known, n=1) or same
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_opponents(config: Config) -> None:
    """Raises ConfigError for a judge that compares two edits and is not told whose the other ones are."""
    for stage in config.judges.values():
        if getattr(stage.params, "is_pairwise", False) and not getattr(stage.params, "against", ""):
            where = setting_at(config, f"{stage.section}.params.against", f"{stage.section}.params.protocol")
            raise ConfigError(f"{where}: the judge compares with the edits of another run; name its directory")


def setting_at(config: Config, key: str, decided_by: str = "") -> str:
    """`key` with the file and line, the flag or the variable of `decided_by` (the key itself), where there is one."""
    origin = config.origins.get(decided_by or key, "")
    kind, _, where = origin.partition(" ")
    return f"{where}: {key}" if kind in ("file", "flag", "env") else key


def category_notes(samples: list[Sample], config: Config) -> list[str]:
    """What to say of the categories of all `samples`, counted and named: those with two names, and those left out."""
    canonical, wanted = config.benchmark.canonical, config.benchmark.categories
    spelled = Counter(s.category for s in samples)
    counts = Counter(s.category for s in with_one_spelling(samples, config.benchmark))
    twins = [name for name in spelled if name not in counts]
    notes = []
    if twins:
        names = ", ".join(f"{name} ({spelled[name]}) is {canonical(name)}" for name in twins)
        notes.append(f"benchmark: two words for one category: {names}")
    kept = set(map(canonical, wanted))
    left = {name: count for name, count in counts.items() if wanted and canonical(name) not in kept}
    if left:
        names = ", ".join(f"{name} ({count})" for name, count in left.items())
        where, count = setting_at(config, "benchmark.categories"), sum(left.values())
        notes.append(f"{where}: {count} of {counts.total()} samples are left out, of categories not named: {names}")
    return notes


def part_of(samples: Sequence[Sample], config: Config) -> list[Sample]:
    """What `first` or `limit` leaves of `samples`, in their order. A larger limit keeps what a smaller one drew.

    The strata are the categories, and of samples in several languages each category's languages.
    """
    chosen = list(samples[: config.first])
    if config.limit is None or config.limit >= len(chosen):
        return chosen
    has_languages = len({sample.language for sample in chosen}) > 1
    strata = [_stratum(config.benchmark.canonical(one.category), one.language * has_languages) for one in chosen]
    known = [(sample.id, stratum) for sample, stratum in zip(chosen, strata, strict=True)]
    return [chosen[n] for n in stratified(known, config.limit, config.diffusion_model.seed)]


def _stratum(category: str, language: str) -> str:
    return f"{category}\0{language}" if language else category


def subset_of(config: Config, everything: Sequence[Sample], num: int) -> Subset | None:
    """What part of a benchmark of `everything` the `num` samples are that `config` selects; None for all of it."""
    if num == len(everything):
        return None
    canonical = config.benchmark.canonical
    present = {canonical(s.category) for s in everything}
    wanted = {canonical(c) for c in config.benchmark.categories} or present
    how = [
        f"categories {', '.join(config.benchmark.categories)}" if present - wanted else "",
        f"ids {', '.join(config.samples)}" if config.samples else "",
        f"the first {config.first}" if config.first == num else "",
        f"stratified, seed {config.diffusion_model.seed}" if config.limit is not None and config.limit <= num else "",
    ]
    return Subset(num, len(everything), "; ".join(filter(None, how)))


def stratified(samples: Sequence[tuple[str, str]], num: int, seed: int) -> list[int]:
    """Positions, ascending, of `num` of these (id, stratum), drawn at random but evenly over the strata.

    A stratum of n_k samples gets about num * n_k / n, and one at least if `num` is enough for all. Only `seed`,
    ids and strata decide, and of the same samples a smaller draw is part of every larger one.
    """
    sizes = Counter(stratum for _, stratum in samples)
    drawn: Counter[str] = Counter()
    turns: list[tuple[float, str, int]] = []
    for position in sorted(range(len(samples)), key=lambda position: _noise(seed, samples[position][0])):
        stratum = samples[position][1]
        turns.append((drawn[stratum] / sizes[stratum], _noise(seed, stratum), position))
        drawn[stratum] += 1
    return sorted(position for *_, position in sorted(turns)[:num])


def _noise(seed: int, text: str) -> str:
    return hashlib.sha256(f"draw:{seed}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
