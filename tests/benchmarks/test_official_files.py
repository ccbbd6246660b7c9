"""What benchmarks that are published as folders share: fingerprints, cards, and the folder of a download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from editeval import plugins
from editeval.benchmarks._official_files import OfficialBenchmark
from editeval.benchmarks._published import PublishedBenchmark
from editeval.errors import BenchmarkError
from editeval.judges.protocols import protocol
from editeval.store.fingerprints import judge_request
from published import drawn
from published_folders import emu_edit, imgedit, kris, kris_flat, magicbrush, packed, rededit, rise

FOLDERS: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "imgedit": (imgedit, "singleturn/animal/2.jpg", "singleturn/singleturn.json"),
    "kris": (kris, "viewpoint_change/1_gt.jpeg", "physics/annotation.json"),
    "rise": (rise, "data/spatial_reasoning_images/5_ref.png", "datav2_total_w_subtask.json"),
    "rededit": (rededit, "redbench/id/portrait-8.png", "redbench.jsonl"),
    "magicbrush": (magicbrush, "images/139/139-mask2.png", "edit_sessions.json"),
}
"""What writes it, one of its images, and one of its annotation files."""


def made(name: str, path: Path) -> PublishedBenchmark:
    cls = plugins.load("benchmarks", name)
    found: PublishedBenchmark = cls(cls.Params(path=str(path)))
    return found


@pytest.mark.parametrize("name", FOLDERS)
def test_a_changed_image_and_a_changed_text_are_another_fingerprint_and_a_second_copy_is_not(
    tmp_path: Path, name: str
) -> None:
    build, image, annotations = FOLDERS[name]
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    before = made(name, first).fingerprint()
    assert made(name, second).fingerprint() == before
    (second / image).write_bytes(drawn("another"))
    changed = made(name, second).fingerprint()
    text = (first / annotations).read_text(encoding="utf-8")
    end = text.rindex('"}')
    (first / annotations).write_text(f"{text[:end]}x{text[end:]}", encoding="utf-8")
    assert len({before, changed, made(name, first).fingerprint()}) == 3


def test_the_same_data_named_in_another_way_are_the_same_run(tmp_path: Path) -> None:
    benchmark = imgedit(tmp_path / "i")
    paths = {
        "imgedit": [
            benchmark,
            benchmark.parent,
            benchmark / "singleturn",
            benchmark / "singleturn" / "singleturn.json",
        ],
        "kris": [kris_flat(tmp_path / "k"), tmp_path / "k", tmp_path / "k" / "KRIS_Bench"],
        "rise": [rise(tmp_path / "r"), tmp_path / "r" / "RISEBench" / "datav2_total_w_subtask.json"],
        "magicbrush": [magicbrush(tmp_path / "m"), tmp_path / "m"],
    }
    for name, places in paths.items():
        found = {tuple(s.cluster for s in made(name, path)) for path in places}
        assert len({made(name, path).fingerprint() for path in places}) == len(found) == 1, name


def test_a_tar_file_with_another_image_is_another_fingerprint(tmp_path: Path) -> None:
    folder = imgedit(tmp_path / "data")
    before = made("imgedit", packed(folder, tmp_path / "a.tar")).fingerprint()
    assert made("imgedit", packed(folder, tmp_path / "b.tar")).fingerprint() == before
    (folder / "singleturn" / "animal" / "2.jpg").write_bytes(drawn("another"))
    assert made("imgedit", packed(folder, tmp_path / "c.tar")).fingerprint() != before


@pytest.mark.parametrize("name", [*FOLDERS, "emu_edit"])
def test_the_card_says_whose_data_they_are_and_its_layouts_name_every_edit_once(tmp_path: Path, name: str) -> None:
    build = emu_edit if name == "emu_edit" else FOLDERS[name][0]
    benchmark = made(name, build(tmp_path))
    card, samples = benchmark.card, list(benchmark)
    assert (
        card.title and card.size and card.licence and "arXiv" in card.citation and card.homepage.startswith("https://")
    )
    assert sum(card.counts.values()) > 300
    first, *_ = card.layouts
    named = [
        first.format_map({**s.metadata, "id": s.id, "category": s.category, "language": s.language}) for s in samples
    ]
    assert len(set(named)) == len(samples), named


def test_the_first_layout_is_the_one_of_the_authors_scripts(tmp_path: Path) -> None:
    wanted = {
        "imgedit": "1000.png",
        "kris": "abstract_reasoning/1.png",
        "rise": "images/temporal_reasoning/temporal_reasoning_1.png",
        "rededit": "add/add-1.png",
        "magicbrush": "139/139_1.png",
    }
    for name, (build, _, _) in FOLDERS.items():
        benchmark = made(name, build(tmp_path / name))
        sample = next(iter(benchmark))
        own = {**sample.metadata, "id": sample.id, "category": sample.category}
        assert benchmark.card.layouts[0].format_map(own) == wanted[name]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_tar_file_that_leads_out_and_a_folder_of_something_else_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    with pytest.raises(BenchmarkError, match=r"other: expected .*, found notes\.txt; docs/benchmarks\.md says"):
        list(made(name, tmp_path / "other"))
    (tmp_path / "other" / "link").symlink_to("/etc")
    archive = packed(tmp_path / "other", tmp_path / "out.tar")
    with pytest.raises(BenchmarkError, match="a member is a link"):
        list(made(name, archive))


def test_images_elsewhere_are_read_and_are_no_part_of_what_the_samples_are_called(tmp_path: Path) -> None:
    folder = imgedit(tmp_path)
    cls = plugins.load("benchmarks", "imgedit")
    assert issubclass(cls, OfficialBenchmark) and "images" in {field.name for field in fields(cls.Params)}
    listed = folder / "singleturn" / "singleturn.json"
    usual = cls(cls.Params(path=str(listed)))
    apart = cls(cls.Params(path=str(listed), images=str(folder / "singleturn")))
    assert usual.fingerprint() == apart.fingerprint()
    with pytest.raises(BenchmarkError, match=r"benchmark\.params\.images: no folder and no file"):
        list(cls(cls.Params(path=str(listed), images=str(tmp_path / "nowhere"))))


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "magicbrush"])
def test_its_protocol_has_questions_about_every_sample(tmp_path: Path, name: str) -> None:
    benchmark = made(name, FOLDERS[name][0](tmp_path))
    asked = protocol.load(benchmark.card.protocol)
    for sample in benchmark:
        request = judge_request(sample, [image.read() for image in sample.images], b"", None)
        questions = asked.questions(request)
        assert questions, sample.id
        shown = {(image.role, image.number) for question in questions for image in question.shown}
        if len(sample.images) > 1:
            assert {number for role, number in shown if role == "source"} == set(range(len(sample.images))), sample.id
