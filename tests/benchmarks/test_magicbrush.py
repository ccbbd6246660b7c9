"""`magicbrush`: a split's folder and the Hub's rows, single turns and sessions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.magicbrush import MagicBrush, MagicBrushParams
from editeval.errors import BenchmarkError
from editeval.images import decode
from editeval.run.selection import missing_images
from editeval.types import Sample
from published import drawn, parquet
from published_folders import magicbrush, magicbrush_table, written


def samples(path: Path, **params: str) -> list[Sample]:
    return list(MagicBrush(MagicBrushParams(str(path), **params)))  # type: ignore[arg-type]


def refusal(path: Path, **params: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def hub(place: Path) -> Path:
    """The dev split, and a shard of the training split beside it that is none of it."""
    parquet(place / "hub" / "data" / "train-00000-of-00001.parquet", magicbrush_table().slice(0, 1))
    return parquet(place / "hub" / "data" / "dev-00000-of-00001.parquet", magicbrush_table()).parent.parent


@pytest.mark.parametrize("layout", [magicbrush, hub])
@pytest.mark.parametrize("mode", ["single", "multi"])
def test_it_keeps_the_contract(tmp_path: Path, layout: object, mode: str) -> None:
    path = layout(tmp_path)  # type: ignore[operator]
    check_benchmark(MagicBrush, MagicBrushParams(str(path), mode=mode))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["single", "multi"])
def test_folder_and_rows_give_the_same_samples(tmp_path: Path, mode: str) -> None:
    def told(path: Path) -> list[object]:
        return [
            (s.id, s.after, s.instruction, s.cluster, s.subset, s.metadata["edit"], s.image.read(), *further(s))
            for s in samples(path, mode=mode)
        ]

    def further(sample: Sample) -> list[bytes]:
        assert sample.target is not None and sample.mask is not None
        return [sample.target.read(), sample.mask.read()]

    assert told(magicbrush(tmp_path)) == told(hub(tmp_path))


def test_a_single_turn_edits_the_authors_picture(tmp_path: Path) -> None:
    found = samples(magicbrush(tmp_path))
    assert [s.id for s in found] == ["139/turn1", "139/turn2", "139/turn3", "30/turn1"]
    assert [s.image.read() for s in found[:2]] == [drawn("139-input.png"), drawn("139-output1.png")]
    assert not any(s.after for s in found)
    assert [s.metadata["edit"] for s in found] == ["1", "inde_2", "inde_3", "1"]
    assert [s.subset for s in found] == ["", "", "final_turn", "final_turn"]
    assert [s.cluster for s in found] == ["139", "139", "139", "30"]


def test_a_session_edits_what_the_turn_before_has_made(tmp_path: Path) -> None:
    found = samples(magicbrush(tmp_path), mode="multi")
    assert [s.after for s in found] == ["", "139/turn1", "139/turn2", ""]
    assert {s.image.read() for s in found[:3]} == {drawn("139-input.png")}, "where the session begins"
    assert [s.metadata["edit"] for s in found] == ["1", "iter_2", "iter_3", "1"]


def test_the_mask_is_what_their_picture_leaves_transparent(tmp_path: Path) -> None:
    first = samples(magicbrush(tmp_path))[0]
    assert first.mask is not None
    mask = decode(first.mask.read(), "L")
    assert mask.crop((0, 0, 24, 32)).getextrema() == (255, 255)
    assert mask.crop((24, 0, 48, 32)).getextrema() == (0, 0)


def test_a_turn_left_out_another_count_and_a_wrong_folder_are_one_line_each(tmp_path: Path) -> None:
    table = magicbrush_table()
    part = parquet(tmp_path / "part.parquet", table.slice(0, 1)).parent / "gap.parquet"
    parquet(part, table.slice(1, 2))
    assert "session 139: expected turn 1 before turn 2, found none" in refusal(part)
    folder = magicbrush(tmp_path)
    said = MagicBrush(MagicBrushParams(str(folder))).differs()
    assert said == ("528 (dev) or 1053 (test) samples expected, found 4",)
    written(folder / "edit_sessions.json", [{"input": "a", "mask": "b", "output": "c", "instruction": "d"}])
    assert "expected an object of sessions" in refusal(folder)
    (folder / "edit_sessions.json").unlink()
    assert "expected edit_sessions.json or " in refusal(folder)


def test_missing_masks_and_results_are_found_before_the_run(tmp_path: Path) -> None:
    folder = magicbrush(tmp_path)
    shutil.rmtree(folder / "images" / "30")
    assert missing_images(samples(folder)).startswith("benchmark: 3 images are missing, which 1 of the samples need: ")
