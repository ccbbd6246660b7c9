"""`make photos` and its two readers: real photographs, exact targets, the same every time."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.image_folder import ImageFolder, ImageFolderParams
from editeval.benchmarks.json_records import JsonRecords, JsonRecordsParams
from editeval.images import decode
from editeval.types import Sample

ROOT = Path(__file__).parents[2]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_photos", ROOT / "tools" / "make_photos.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


MAKE_PHOTOS = tool()
ARGUMENTS = ["--max-side", "96", "--photos", "astronaut", "camera", "rocket"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("photos")
    assert MAKE_PHOTOS.main([str(folder), *ARGUMENTS]) == 0
    return folder


def pixels(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert sample.target is not None and sample.mask is not None
    source, target = (np.asarray(decode(image.read())).astype(int) for image in (sample.image, sample.target))
    return source, target, np.asarray(decode(sample.mask.read(), "L"))


def by_id(photos: Path) -> dict[str, Sample]:
    return {sample.id: sample for sample in ImageFolder(ImageFolderParams(str(photos)))}


def test_photos_keep_the_contract_as_folder_and_as_records(photos: Path) -> None:
    check_benchmark(ImageFolder, ImageFolderParams(str(photos)))
    check_benchmark(JsonRecords, JsonRecordsParams(str(photos / "records.json")))


def test_every_photo_has_global_and_regional_edits(photos: Path) -> None:
    found = {(sample.cluster, sample.category) for sample in by_id(photos).values()}
    assert found == {(name, kind) for name in ("astronaut", "camera", "rocket") for kind in ("global", "regional")}


def test_targets_differ_from_the_source_inside_the_mask_only(photos: Path) -> None:
    for sample in by_id(photos).values():
        source, target, mask = pixels(sample)
        changed = (source != target).any(axis=2)
        assert max(source.shape) <= 96 and set(np.unique(mask)) <= {0, 255}
        assert changed[mask == 255].mean() >= 0.01, f"{sample.id}: nothing to do"
        assert not changed[mask == 0].any(), f"{sample.id}: changed outside of its mask"
        assert (mask.min() == 255) == (sample.category == "global")


def test_targets_are_what_the_instruction_says(photos: Path) -> None:
    found = by_id(photos)
    source, target, _ = pixels(found["rocket-mirror"])
    assert (target == source[:, ::-1]).all()
    source, target, _ = pixels(found["rocket-rotate-180"])
    assert (target == source[::-1, ::-1]).all()
    source, target, _ = pixels(found["astronaut-brighten"])
    assert (target == np.minimum(255, (source * 13 + 5) // 10)).all()
    source, target, mask = pixels(found["astronaut-grey-left"])
    assert (mask[:, :48] == 255).all() and not mask[:, 48:].any()
    assert (target[:, :48].max(axis=2) == target[:, :48].min(axis=2)).all()


def test_an_edit_without_effect_is_left_out(photos: Path) -> None:
    found = by_id(photos)
    assert "camera-mirror" in found and "astronaut-greyscale" in found
    assert "camera-greyscale" not in found and "camera-grey-left" not in found


def test_records_hold_the_same_photographs_in_the_v2_format(photos: Path) -> None:
    folder = by_id(photos)
    records = list(JsonRecords(JsonRecordsParams(str(photos / "records.json"))))
    assert len(records) >= 9 and {record.category for record in records} == {"global", "regional"}
    for record in records:
        twin = folder[record.id]
        assert (record.instruction, record.category, record.cluster) == (twin.instruction, twin.category, twin.cluster)
        for one, other in zip(pixels(record), pixels(twin), strict=True):
            assert (one == other).all()
    chinese = list(JsonRecords(JsonRecordsParams(str(photos / "records.json"), language="zh")))
    assert [record.instruction for record in chinese] == [folder[r.id].metadata["instruction_zh"] for r in records]


def test_the_same_files_every_time(photos: Path, tmp_path: Path) -> None:
    assert MAKE_PHOTOS.main([str(tmp_path), *ARGUMENTS]) == 0
    for path in (p for p in photos.rglob("*") if p.is_file()):
        assert (tmp_path / path.relative_to(photos)).read_bytes() == path.read_bytes(), path.name


def test_every_photograph_is_attributed(photos: Path) -> None:
    text = (photos / "ATTRIBUTION.md").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (photos / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(f"`{row['cluster']}`: {row['origin']}" in text for row in rows)


def test_a_photograph_that_is_not_bundled_is_skipped_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    assert MAKE_PHOTOS.write(tmp_path / "out", tmp_path / "data", MAKE_PHOTOS.PHOTOS[:1], 96) == (0, 0)
    assert "astronaut: skipped" in capsys.readouterr().out


def test_the_shipped_configuration_fits_what_is_written(photos: Path) -> None:
    config = yaml.safe_load((ROOT / "config_photos.yaml").read_text(encoding="utf-8"))
    assert config["benchmark"]["type"] == "image_folder"
    assert config["diffusion_model"]["params"]["device_ids"] == ["cpu", "cpu"]
    assert ImageFolderParams(**config["benchmark"]["params"]).path == "photos"
    assert set(config["benchmark"]["categories"]) == {sample.category for sample in by_id(photos).values()}
