"""`tar`: members as images, read in place, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.tar import Tar, TarParams
from editeval.errors import BenchmarkError, ImageError
from editeval.images import encode_png, file_of
from editeval.types import Sample

ROWS = {
    "1082": {"id": "animal/1.png", "prompt": "Add a hat.", "edit_type": "add"},
    "673": {"id": "animal/1.png", "prompt": "Remove it.", "edit_type": "remove"},
    "9": {"id": "daily object/2.png", "prompt": "Make it red.", "edit_type": "adjust"},
}
FIELDS = {"id": "", "image": "id", "instruction": "prompt", "category": "edit_type"}


def png(shade: int) -> bytes:
    return encode_png(Image.new("RGB", (8, 8), (shade, 0, 0)))


PACKED = {
    "Benchmark/Basic/basic_edit.json": json.dumps(ROWS).encode(),
    "Benchmark/Basic/animal/1.png": png(1),
    "Benchmark/Basic/daily object/2.png": png(2),
}


def packed(path: Path, members: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return path


def samples(path: Path, **params: Any) -> list[Sample]:
    return list(Tar(TarParams(str(path), **{"fields": FIELDS, **params})))


def refusal(path: Path, **params: Any) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return packed(tmp_path / "Benchmark.tar", PACKED)


def test_the_contract_holds(archive: Path) -> None:
    check_benchmark(Tar, TarParams(str(archive), fields=FIELDS))


def test_the_records_of_a_manifest_inside_name_members_beside_it(archive: Path) -> None:
    found = samples(archive)
    assert [(s.id, s.category, s.instruction) for s in found] == [
        ("1082", "add", "Add a hat."),
        ("673", "remove", "Remove it."),
        ("9", "adjust", "Make it red."),
    ]
    assert [s.image.read() for s in found] == [png(1), png(1), png(2)]
    assert found[0].cluster == found[1].cluster != found[2].cluster, "one source image, one cluster"
    assert sorted(p.name for p in archive.parent.iterdir()) == ["Benchmark.tar"], "nothing is unpacked"


def test_a_manifest_may_lie_beside_the_tar_and_images_in_any_folder_of_it(archive: Path) -> None:
    lines = [{"id": "a", "image": ["animal/1.png", "daily object/2.png"], "instruction": "x"}]
    (archive.parent / "own.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (found,) = samples(archive, manifest="own.jsonl", root="Benchmark/Basic", fields={})
    assert [image.read() for image in found.images] == [png(1), png(2)]
    assert found.category == "all"


def test_errors_in_a_manifest_inside_name_its_own_line(tmp_path: Path) -> None:
    broken = packed(
        tmp_path / "b.tar", {"a.png": png(1), "list.json": b'[{"image": "a.png", "instruction": "x"},\n oops]'}
    )
    assert refusal(broken, fields={}).startswith(f"{broken}/list.json:2: malformed JSON at byte ")


def test_a_member_that_is_missing_fails_its_sample_and_is_found_before(tmp_path: Path) -> None:
    part = packed(tmp_path / "b.tar", {name: data for name, data in PACKED.items() if "animal" not in name})
    first, _, last = samples(part)
    place = file_of(first.image)
    assert place is not None and not place.is_file() and "animal/1.png" in str(place)
    with pytest.raises(ImageError, match=r"b\.tar/Benchmark/Basic/animal/1\.png: cannot be read"):
        first.image.read()
    assert last.image.read() == png(2)


def test_the_fingerprint_follows_images_manifest_and_reading(archive: Path, tmp_path: Path) -> None:
    def of(path: Path, **params: Any) -> str:
        return Tar(TarParams(str(path), **{"fields": FIELDS, **params})).fingerprint()

    changed = packed(tmp_path / "other.tar", {**PACKED, "Benchmark/Basic/animal/1.png": png(3)})
    own = tmp_path / "own.json"
    found = {of(archive), of(changed), of(archive, id_template="{index}")}
    for rows in (ROWS, {"1": ROWS["9"]}):
        own.write_text(json.dumps(rows), encoding="utf-8")
        found.add(of(archive, manifest="own.json", root="Benchmark/Basic"))
    assert len(found) == 5
    assert of(archive) == of(packed(tmp_path / "same.tar", PACKED))


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("../evil.png", tarfile.REGTYPE, 'leaves the folder with ".."'),
        ("/etc/passwd", tarfile.REGTYPE, "is an absolute path"),
        ("link.png", tarfile.SYMTYPE, "is a link, a device"),
        ("hard.png", tarfile.LNKTYPE, "is a link, a device"),
        ("device", tarfile.CHRTYPE, "is a link, a device"),
        ("pipe", tarfile.FIFOTYPE, "is a link, a device"),
    ],
)
def test_names_that_lead_out_links_and_devices_are_refused(tmp_path: Path, name: str, kind: bytes, words: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "Benchmark/Basic/animal/1.png"
    bad = packed(tmp_path / "bad.tar", PACKED, info)
    said = refusal(bad)
    assert said.startswith(f"{bad}: a member {words}") and f"got {name!r}" in said


def test_a_record_cannot_name_what_is_outside_of_the_tar(tmp_path: Path) -> None:
    rows = json.dumps([{"image": "../../x.png", "instruction": "x"}]).encode()
    assert 'leaves the folder with ".."' in refusal(packed(tmp_path / "b.tar", {"a/m.json": rows}), fields={})


def test_half_a_download_and_what_is_no_tar_are_said_in_one_line(archive: Path, tmp_path: Path) -> None:
    whole = packed(tmp_path / "big.tar", {**PACKED, "z.png": bytes(50_000)}).read_bytes()
    archive.write_bytes(whole[:-40_000])
    assert "download it again" in refusal(archive)
    with tarfile.open(archive, "w:gz") as compressed:
        compressed.add(__file__, "x.json")
    assert "unpack a compressed one" in refusal(archive)
    assert "no file" in refusal(tmp_path / "nowhere.tar")


def test_which_json_is_meant_has_to_be_clear(tmp_path: Path) -> None:
    two = packed(tmp_path / "b.tar", {"a.json": b"[]", "b.json": b"[]"})
    assert "several JSON files or none: a.json, b.json; name one" in refusal(two)
    assert "no 'aa.json' in" in refusal(two, manifest="aa.json") and "did you mean 'a.json'?" in refusal(
        two, manifest="aa.json"
    )
    assert "no records" in refusal(two, manifest="a.json")
