"""`parquet` and `arrow_folder`: rows as samples, pictures on demand, memory, and what is refused."""

from __future__ import annotations

import datetime
import json
import math
import os
import pickle
import random
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks import _files, _table_files
from editeval.benchmarks._records import LEFT_OUT
from editeval.benchmarks.arrow_folder import ArrowFolder, ArrowFolderParams
from editeval.benchmarks.parquet import Parquet, ParquetParams
from editeval.errors import BenchmarkError, ImageError
from editeval.images import decode, encode_png
from editeval.types import Sample

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(shade: int) -> bytes:
    return encode_png(Image.new("RGB", (8, 8), (shade, 0, 0)))


def picture(shade: int) -> dict[str, Any]:
    return {"bytes": png(shade), "path": f"{shade}.png"}


def table(num: int = 5, **columns: Any) -> pa.Table:
    usual = {
        "id": [f"s{i}" for i in range(num)],
        "image": pa.array([picture(i) for i in range(num)], IMAGE),
        "instruction": [f"Edit {i}." for i in range(num)],
    }
    return pa.table({name: values for name, values in {**usual, **columns}.items() if values is not None})


def write(path: Path, content: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, **{"row_group_size": 2, **options})
    return path


def samples(path: Path | str, **params: Any) -> list[Sample]:
    return list(Parquet(ParquetParams(str(path), **params)))


def refusal(path: Path | str, **params: Any) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def saved(folder: Path, content: pa.Table, num_files: int = 2) -> Path:
    """`content` as `datasets.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{k:05d}-of-{num_files:05d}.arrow" for k in range(num_files)]
    step = -(-content.num_rows // num_files)
    for k, name in enumerate(names):
        part = content.slice(k * step, step)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.parquet"


def test_the_contract_holds(file: Path, tmp_path: Path) -> None:
    write(file, table())
    check_benchmark(Parquet, ParquetParams(str(file)))
    check_benchmark(ArrowFolder, ArrowFolderParams(str(saved(tmp_path / "saved", table()))))


def test_columns_play_the_roles_they_are_named_after_and_the_rest_is_metadata(file: Path) -> None:
    more = {"category": ["a"] * 5, "difficulty": [1, 2, 3, 4, 5], "language": ["en"] * 5, "reference_text": ["r"] * 5}
    found = samples(write(file, table(**more)))
    assert [s.id for s in found] == [f"s{i}" for i in range(5)]
    assert [s.image.read() for s in found] == [png(i) for i in range(5)]
    last = found[-1]
    assert (last.category, last.language, last.reference_text) == ("a", "en", "r")
    assert last.metadata == {"difficulty": 5}


def test_fields_names_columns_that_are_called_otherwise(file: Path) -> None:
    content = table().rename_columns(["key", "input_image", "prompt"]).append_column("task", [["x"] * 5])
    fields = {"id": "key", "image": "input_image", "instruction": "prompt", "category": "task"}
    write(file, content)
    assert [s.id for s in samples(file, fields=fields)][:2] == ["s0", "s1"]
    assert samples(file, fields=fields, id_template="{task}/{key}")[3].id == "x/s3"


def test_pictures_are_structs_bytes_paths_and_lists_of_them(file: Path) -> None:
    (file.parent / "img").mkdir()
    (file.parent / "img" / "m.png").write_bytes(png(99))
    several = [[picture(i)] * (1 + i % 3) for i in range(5)]
    shown = {
        "image": pa.array(several, pa.list_(IMAGE)),
        "reference": pa.array([None, png(1), None, png(3), None], pa.binary()),
        "mask": ["img/m.png", None, "", None, None],
        "references": pa.array([[png(7), png(8)], [], None, [png(9)], []], pa.list_(pa.large_binary())),
    }
    found = samples(write(file, table(**shown)))
    assert [len(s.images) for s in found] == [1, 2, 3, 1, 2]
    assert [[image.read() for image in s.images] for s in found] == [[p["bytes"] for p in row] for row in several]
    assert [s.target and s.target.read() for s in found] == [None, png(1), None, png(3), None]
    assert [s.mask and s.mask.read() for s in found] == [png(99), None, None, None, None]
    assert [[r.read() for r in s.references] for s in found] == [[png(7), png(8)], [], [], [png(9)], []]


def test_a_struct_without_bytes_names_a_file(file: Path) -> None:
    (file.parent / "b.png").write_bytes(png(5))
    mixed = pa.array([picture(0), {"bytes": None, "path": "b.png"}], IMAGE)
    assert [s.image.read() for s in samples(write(file, table(2, image=mixed)))] == [png(0), png(5)]


def test_a_row_without_a_picture_is_refused_by_name(file: Path) -> None:
    write(file, table(3, image=pa.array([picture(0), None, picture(2)], IMAGE)))
    assert refusal(file) == (f"{file}: record 1: no image in 'image'; fill it in, or set fields.image")


@pytest.mark.parametrize("has_statistics", [True, False])
def test_which_rows_have_a_picture_is_known_with_and_without_statistics(file: Path, has_statistics: bool) -> None:
    content = table(4, reference=pa.array([png(1), None, None, png(4)], pa.binary()))
    found = samples(write(file, content, write_statistics=has_statistics, row_group_size=1))
    assert [s.target is not None for s in found] == [True, False, False, True]


def test_metadata_are_json_values_and_no_bytes(file: Path) -> None:
    more = {
        "when": [datetime.date(2026, 1, i + 1) for i in range(5)],
        "number": [math.nan, 1.5, math.inf, 0.0, 2.0],
        "other_image": pa.array([picture(i) for i in range(5)], IMAGE),
        "long": ["x" * 5000] * 5,
        "nested": [{"a": [1, 2]}] * 5,
    }
    first = samples(write(file, table(**more)))[0]
    assert first.metadata == {"when": "2026-01-01", "number": "nan", "long": LEFT_OUT, "nested": {"a": [1, 2]}}
    json.dumps(first.metadata, allow_nan=False)


def test_class_labels_are_called_by_their_names(file: Path) -> None:
    features = {"category": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    note = {"huggingface": json.dumps({"info": {"features": features}})}
    write(file, table(2, category=[1, 0]).replace_schema_metadata(note))
    assert [s.category for s in samples(file)] == ["dog", "cat"]


def test_a_folder_and_a_pattern_are_all_their_files_in_order(tmp_path: Path) -> None:
    write(tmp_path / "d" / "b.parquet", table(2, id=["b0", "b1"]))
    write(tmp_path / "d" / "a.parquet", table(2, id=["a0", "a1"]))
    assert [s.id for s in samples(tmp_path / "d")] == ["a0", "a1", "b0", "b1"]
    found = samples(tmp_path / "d" / "b*.parquet")
    assert [(s.id, s.image.read()) for s in found] == [("b0", png(0)), ("b1", png(1))]


def test_rows_are_read_in_any_order_and_by_many_references(file: Path) -> None:
    found = samples(write(file, table(40), row_group_size=16))
    order = random.Random(1).sample(range(40), 40)
    assert [found[i].image.read() for i in order] == [png(i) for i in order]
    again = pickle.loads(pickle.dumps(found[7]))
    assert again.image.read() == png(7)


def test_rows_that_no_longer_fit_are_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_table_files, "_KEPT_BYTES", 1)
    monkeypatch.setattr(_table_files, "_BATCH_BYTES", 1)
    found = samples(write(file, table(12), row_group_size=6))
    assert [found[i].image.read() for i in (11, 0, 5, 4, 6, 6, 1)] == [png(i) for i in (11, 0, 5, 4, 6, 6, 1)]


def test_a_file_that_changed_after_the_start_is_not_read_from_memory(file: Path) -> None:
    found = samples(write(file, table(3)))
    assert found[2].image.read() == png(2)
    write(file, table(2))
    with pytest.raises(ImageError, match="row 2"):
        found[2].image.read()
    file.unlink()
    with pytest.raises(ImageError, match="row 0: 'image': cannot be read"):
        found[0].image.read()


# The fingerprint


def test_the_fingerprint_follows_content_and_reading_and_not_the_place(tmp_path: Path) -> None:
    def of(path: Path, **params: Any) -> str:
        return Parquet(ParquetParams(str(path), **params)).fingerprint()

    one = write(tmp_path / "a" / "x.parquet", table())
    assert of(one) == of(write(tmp_path / "b" / "y.parquet", table()))
    changed = write(tmp_path / "c.parquet", table(image=pa.array([picture(i + 1) for i in range(5)], IMAGE)))
    assert len({of(one), of(changed), of(one, id_template="{index}"), of(one, fields={"description": "id"})}) == 4


def test_the_fingerprint_of_large_files_sees_a_changed_picture(tmp_path: Path) -> None:
    def of(shade: int) -> str:
        pixels = Image.frombytes("RGB", (900, 900), random.Random(shade).randbytes(900 * 900 * 3))
        big = pa.array([{"bytes": encode_png(pixels), "path": None}, picture(1)], IMAGE)
        return _files.fingerprint_files(
            [write(tmp_path / f"{shade}.parquet", table(2, image=big))], max_hashed_bytes=10
        )

    assert of(1) == of(1)
    assert of(1) != of(2)


# Arrow


def test_a_saved_data_set_is_read_like_parquet(tmp_path: Path, file: Path) -> None:
    several = pa.array([[picture(i)] * (i % 3) for i in range(5)], pa.list_(IMAGE))
    content = table(references=several, reference=pa.array([None, png(1), None, None, png(4)], pa.binary()))
    write(file, content)
    folder = saved(tmp_path / "saved", content)

    def shape(found: list[Sample]) -> list[Any]:
        return [
            (s.id, s.instruction, s.image.read(), s.target and s.target.read(), [r.read() for r in s.references])
            for s in found
        ]

    assert shape(list(ArrowFolder(ArrowFolderParams(str(folder))))) == shape(samples(file))


def test_of_several_splits_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    for split in ("train", "test"):
        saved(folder / split, table(2, id=[f"{split}0", f"{split}1"]), num_files=1)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    assert [s.id for s in ArrowFolder(ArrowFolderParams(str(folder), split="test"))] == ["test0", "test1"]
    with pytest.raises(BenchmarkError, match=r"split: expected one of train, test, got ''"):
        list(ArrowFolder(ArrowFolderParams(str(folder))))


def test_half_a_saved_data_set_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", table(6), num_files=3)
    (folder / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(BenchmarkError, match=r"no data-00001-of-00003\.arrow, which its state\.json names"):
        list(ArrowFolder(ArrowFolderParams(str(folder))))
    whole = saved(tmp_path / "other", table(6), num_files=1)
    part = whole / "data-00000-of-00001.arrow"
    part.write_bytes(part.read_bytes()[:-300])
    with pytest.raises(BenchmarkError) as caught:
        list(ArrowFolder(ArrowFolderParams(str(whole))))
    assert "download it again" in str(caught.value) and "\n" not in str(caught.value)


# What is refused


def test_what_is_no_parquet_file_is_said_in_one_line(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "not a Parquet file, begins with b'versio'" in refusal(file)
    whole = write(tmp_path / "whole.parquet", table()).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "half a download" in refusal(file)
    file.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1")
    assert "cannot be read" in refusal(file)
    file.write_bytes(b"")
    assert "not a Parquet file" in refusal(file)
    assert "no Parquet file" in refusal(tmp_path / "nowhere")
    assert "no file given" in refusal("")


def test_damaged_pages_are_said_in_one_line(file: Path) -> None:
    data = bytearray(write(file, table(50), row_group_size=50, compression="zstd").read_bytes())
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(3)
    data[chunk.data_page_offset + 30 : chunk.data_page_offset + 60] = b"\xff" * 30
    file.write_bytes(data)
    assert "cannot be read" in refusal(file)


def test_a_column_that_is_not_there_is_named_with_those_that_are(file: Path) -> None:
    write(file, table().rename_columns(["key", "input_image", "instruction_en"]))
    assert refusal(file) == (
        f"{file}: no column 'image'; is it 'input_image'? name one with benchmark.params.fields.image; "
        "it has: key, input_image, instruction_en"
    )
    wrong = {"image": "input_image", "instruction": "instruction"}
    assert refusal(file, fields=wrong) == (
        f"benchmark.params.fields.instruction: {file} has no column 'instruction'; did you mean 'instruction_en'? "
        "it has: key, input_image, instruction_en"
    )
    assert "no role 'imge'; did you mean 'image'?" in refusal(file, fields={"imge": "x"})


def test_a_set_of_files_with_one_missing_is_half_a_download(tmp_path: Path) -> None:
    for k in (0, 2):
        write(tmp_path / f"train-{k:05d}-of-00003.parquet", table(2, id=[f"{k}a", f"{k}b"]))
    assert refusal(tmp_path) == f"{tmp_path}: 'train' has 3 files, got 2: no 00001; download the rest"


def test_files_of_two_kinds_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table(2))
    write(tmp_path / "b.parquet", table(2, id=["x", "y"], extra=[1, 2]))
    assert "not the columns of a.parquet" in refusal(tmp_path)


def test_a_data_file_that_is_a_link_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "private.parquet"
    folder.mkdir()
    write(elsewhere, table(2))
    (folder / "a.parquet").symlink_to(elsewhere)
    for path in (folder, folder / "*.parquet"):
        assert f"a link that leads out of {folder}" in refusal(path)
    assert len(samples(folder / "a.parquet")) == 2, "what the user names is what the user wants"
    elsewhere.rename(folder / "b.parquet")
    (folder / "a.parquet").unlink()
    (folder / "a.parquet").symlink_to(folder / "b.parquet")
    assert "ids must be unique" in refusal(folder), "a link that stays is followed"


def test_a_path_that_leaves_the_folder_is_refused(file: Path) -> None:
    write(file, table(1, image=["../secret.png"]))
    assert 'leaves the folder with ".."' in refusal(file)


def test_ids_that_occur_twice_are_refused(file: Path) -> None:
    assert "ids must be unique" in refusal(write(file, table(2, id=["a", "a"])))


def test_a_list_of_millions_in_a_file_of_a_few_kilobytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = pa.Array.from_buffers(pa.int8(), 9_000_002, [None, pa.py_buffer(bytes(9_000_002))])
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 9_000_001, 9_000_002], pa.int32()), zeros)
    path = write(tmp_path / "a.parquet", table(3, more=lists))
    assert path.stat().st_size < 100_000
    assert refusal(path) == (
        f"{path}: row 1: 'more': 9,000,004 bytes, at most 8,388,608 are read; shorten it, or leave that column out"
    )
    monkeypatch.setattr(_table_files, "_MAX_VALUES", 1000)
    assert "'more.list.element': 9,000,001 values in a row group" in refusal(
        write(tmp_path / "b.parquet", table(3, more=lists))
    )


def test_a_picture_of_100000_pixels_a_side_fails_alone(file: Path) -> None:
    header = bytearray(png(0))
    header[16:24] = (100_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    huge = pa.array([{"bytes": bytes(header), "path": None}, picture(1)], IMAGE)
    first, second = samples(write(file, table(2, image=huge)))
    with pytest.raises(ImageError, match=r"10000000000 pixels\) exceeds limit"):
        decode(first.image.read())
    assert decode(second.image.read()).size == (8, 8)


@pytest.mark.slow
@pytest.mark.parametrize("row_group_size", [100, 2000])
def test_a_large_file_takes_little_memory(tmp_path: Path, row_group_size: int) -> None:
    """2,000 pictures of 256 KiB, 512 MB: the start and 100 reads stay far below the file's size."""
    path, noise = tmp_path / "large.parquet", random.Random(0)
    schema = table(1).schema
    with pq.ParquetWriter(path, schema, compression="none", write_batch_size=8) as writer:
        for start in range(0, 2000, row_group_size):
            rows = range(start, start + row_group_size)
            cells = pa.array([{"bytes": noise.randbytes(1 << 18), "path": f"{i}.png"} for i in rows], IMAGE)
            texts = {"id": [str(i) for i in rows], "instruction": ["x"] * row_group_size}
            content = pa.table({"id": texts["id"], "image": cells, "instruction": texts["instruction"]}, schema=schema)
            writer.write_table(content, row_group_size=row_group_size)
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from editeval.benchmarks.parquet import Parquet, ParquetParams\n"
        "found = list(Parquet(ParquetParams(sys.argv[1])))\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024\n"
        "print(peak())\n"
        "assert sum(len(s.image.read()) for s in found[::20]) == 100 * 2**18\n"
        "print(peak())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    at_start, after_reads = map(int, done.stdout.split())
    assert at_start < 200 and after_reads < 300, done.stdout


def test_a_pipe_is_one_line_and_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "data.parquet"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(BenchmarkError, match="no Parquet file"):
            Parquet(ParquetParams(path=str(path))).files()
    os.mkfifo(tmp_path / "state.json")
    with pytest.raises(BenchmarkError, match="a pipe or a folder"):
        ArrowFolder(ArrowFolderParams(path=str(tmp_path))).files()


@pytest.mark.parametrize("split", ["../other", "/etc", "..", "."])
def test_a_split_never_leads_out_of_its_folder(tmp_path: Path, split: str) -> None:
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [split]}))
    for chosen in ("", split):
        with pytest.raises(BenchmarkError, match="a split is a folder in it"):
            ArrowFolder(ArrowFolderParams(path=str(tmp_path), split=chosen)).files()


def test_a_state_that_is_nested_too_deep_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("[" * 100_000)
    with pytest.raises(BenchmarkError, match="cannot be read"):
        ArrowFolder(ArrowFolderParams(path=str(tmp_path))).files()
