"""`json_records`: the v2 format and others, the streaming reader, and what is refused."""

from __future__ import annotations

import base64
import json
import random
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks._files import Base64Slice, FolderImage
from editeval.benchmarks._json_stream import LONG, LongString, read_records
from editeval.benchmarks._records import LEFT_OUT
from editeval.benchmarks.json_records import FIELDS, JsonRecords, JsonRecordsParams
from editeval.errors import BenchmarkError, ImageError
from editeval.images import encode_png
from editeval.plugins import load
from editeval.types import Sample


def noisy_png(side: int = 64, seed: int = 0) -> bytes:
    """A PNG whose base64 is longer than LONG for sides from 40 on."""
    return encode_png(Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)))


PNG = noisy_png()
BASE64 = base64.b64encode(PNG).decode()
SMALL = encode_png(Image.new("RGB", (4, 4)))
RECORD = {
    "subset": "物理",
    "src_img_b64": BASE64,
    "edit_instruction": "把球移走",
    "edit_instruction_en": "Remove the ball.",
    "original_description": "一个球",
    "original_description_en": "A ball.",
    "original_image_path": "images/00025_物理_medium_primary.png",
    "rationale_short_en": "It is simple.",
    "rationale_short": "很简单。",
    "tags": ["a", "b"],
    "difficulty": "easy",
    "seed": 3,
}


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def benchmark(path: Path, **params: Any) -> JsonRecords:
    return JsonRecords(JsonRecordsParams(str(path), **params))


def samples(path: Path, **params: Any) -> list[Sample]:
    return list(benchmark(path, **params))


def refusal(path: Path, **params: Any) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.json"


# The v2 format


def test_the_contract_holds(file: Path) -> None:
    small = base64.b64encode(SMALL).decode()
    mask = base64.b64encode(encode_png(Image.new("L", (4, 4), 255))).decode()
    other = {**RECORD, "src_img_b64": small, "reference_b64": small, "mask_b64": mask, "original_image_path": "other"}
    write(file, [RECORD, other])
    check_benchmark(JsonRecords, JsonRecordsParams(str(file)))


def test_its_type_is_its_module_name() -> None:
    assert load("benchmarks", "json_records") is JsonRecords


def test_a_v2_record_is_read_as_v2_did(file: Path) -> None:
    (sample,) = samples(write(file, [RECORD]))
    assert (sample.id, sample.category) == ("00025_物理_medium_primary", "物理")
    assert (sample.instruction, sample.description) == ("Remove the ball.", "A ball.")
    assert isinstance(sample.image, Base64Slice) and sample.image.read() == PNG
    assert sample.metadata == {
        "edit_instruction": "把球移走",
        "original_description": "一个球",
        "rationale_short": "很简单。",
        "rationale": "It is simple.",
        "tags": ["a", "b"],
        "difficulty": "easy",
        "seed": 3,
    }


def test_chinese_takes_the_chinese_fields(file: Path) -> None:
    (sample,) = samples(write(file, [RECORD]), language="zh")
    assert (sample.instruction, sample.description) == ("把球移走", "一个球")
    assert sample.metadata["rationale"] == "很简单。"
    assert sample.metadata["edit_instruction_en"] == "Remove the ball."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("a/b/x.png", "x"), ("a/x.v1.JPEG", "x.v1"), ("x.png", "x.png"), (17, "17"), (None, "物理_0"), ("", "物理_0")],
)
def test_ids_follow_the_v2_rule(file: Path, raw: Any, expected: str) -> None:
    assert samples(write(file, [{**RECORD, "original_image_path": raw}]))[0].id == expected


def test_list_object_of_lists_and_lines_give_the_same_samples(tmp_path: Path) -> None:
    records = [{**RECORD, "subset": subset, "original_image_path": f"{subset}{i}"} for subset in "ab" for i in range(3)]
    forms = {
        "list.json": records,
        "indented.json": json.dumps(records, indent=2),
        "groups.json": {"a": records[:3], "b": records[3:]},
        "lines.jsonl": "\n".join(json.dumps(record) for record in records),
        "bom.json": "\ufeff" + json.dumps(records, ensure_ascii=False),
    }
    found = [samples(write(tmp_path / name, form)) for name, form in forms.items()]
    texts = [[(s.id, s.category, s.instruction, s.metadata, s.image.read()) for s in form] for form in found]
    assert all(form == texts[0] for form in texts) and len(texts[0]) == 6


def test_a_group_names_the_category_of_its_records(file: Path) -> None:
    without = {k: v for k, v in RECORD.items() if k != "subset"}
    assert samples(write(file, {"因果": [without]}))[0].category == "因果"
    assert samples(write(file, {"physical": [RECORD]}))[0].category == "物理"
    message = refusal(write(file, {"因果": [RECORD]}))
    assert "record 0 of '因果'" in message and "'物理'" in message


# Other formats


def test_a_field_map_reads_another_schema(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "1.png").write_bytes(SMALL)
    record = {
        "task_type": "add",
        "lang": "en",
        "key": 5,
        "prompt": "Add a hat.",
        "source": "img/1.png",
        "gt": "img/1.png",
    }
    fields = {
        "category": "task_type",
        "instruction": "prompt",
        "image_path": "source",
        "reference_path": "gt",
        "id": "key",
    }
    path = write(tmp_path / "r.json", [record, {**record, "task_type": "remove"}])
    first, second = samples(path, fields=fields, id_template="{task_type}/{lang}/{key}-{category}-{index}")
    assert (first.id, second.id) == ("add/en/5-add-0", "remove/en/5-remove-1")
    assert (first.category, first.instruction, first.cluster) == ("add", "Add a hat.", "img/1.png")
    assert first.image.read() == SMALL and first.target == FolderImage(str(tmp_path.resolve()), "img/1.png")
    assert first.metadata == {"lang": "en"}
    assert "'5'" in refusal(path, fields=fields)


def test_lists_are_several_images_and_further_roles_are_read_if_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(SMALL)
    record = {"task": "t", "prompt": "p", "ori": ["1.png", "1.png"], "gt": [], "explain": "why", "lang": "cn"}
    fields = {"category": "task", "instruction": "prompt", "image_path": "ori", "id": ""}
    further = {"references_path": "gt", "reference_text": "explain", "language": "lang"}
    path = write(tmp_path / "r.json", [record, {**record, "gt": "1.png"}])
    first, second = samples(path, fields=fields | further)
    assert len(first.images) == 2 and (first.references, len(second.references)) == ((), 1)
    assert (first.reference_text, first.language, first.subset, first.metadata) == ("why", "cn", "", {})
    plain = samples(path, fields=fields)[0]
    assert plain.metadata == {"gt": [], "explain": "why", "lang": "cn"} and plain.language == ""
    assert "must be one image, got 2" in refusal(path, fields=fields | {"reference_path": "ori"})


def test_a_role_can_be_switched_off(file: Path) -> None:
    (sample,) = samples(write(file, [RECORD]), fields={"category": "", "id": "", "rationale": "", "description": ""})
    assert (sample.category, sample.id, sample.description) == ("all", "all_0", "")
    assert sample.metadata["rationale_short_en"] == "It is simple."


def test_both_rationales_are_kept(file: Path) -> None:
    (sample,) = samples(write(file, [{**RECORD, "rationale": "mine"}]))
    assert (sample.metadata["rationale"], sample.metadata["rationale_short_en"]) == ("mine", "It is simple.")


@pytest.mark.parametrize("role", [role for role in FIELDS if role not in ("image", "instruction", "category")])
def test_optional_roles_may_be_absent(file: Path, role: str) -> None:
    record = {k: v for k, v in RECORD.items() if k != FIELDS[role]}
    assert len(samples(write(file, [record]))) == 1


# Refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"edit_instruction_en": None}, ["record 1", "'edit_instruction_en'", "missing"]),
        ({"edit_instruction_en": "  "}, ["record 1", "'edit_instruction_en'", "empty"]),
        ({"edit_instruction_en": ["x"]}, ["record 1", "list"]),
        ({"src_img_b64": ""}, ["record 1", "no image in 'src_img_b64'"]),
        ({"src_img_b64": None}, ["record 1", "no image in 'src_img_b64'"]),
        ({"src_img_b64": 5}, ["record 1", "not base64"]),
        ({"src_img_b64": "images/1.png"}, ["record 1", "fields.image_path"]),
        ({"src_img_b64": "https://example.org/1.png"}, ["record 1", "never fetched"]),
        ({"subset": None}, ["record 1", "no category in 'subset'", "fields.category"]),
        ({"original_image_path": {}}, ["record 1", "'original_image_path' (id)"]),
    ],
)
def test_a_wrong_record_is_named_with_its_field(file: Path, change: Mapping[str, Any], words: list[str]) -> None:
    message = refusal(write(file, [RECORD, {**RECORD, "original_image_path": "x", **change}]))
    assert all(word in message for word in words), message


def test_duplicate_ids_are_listed_with_the_remedy(file: Path) -> None:
    paths = ["a/x.png", "b/X.jpg", "y", "z", "c/z.webp"]
    message = refusal(write(file, [{**RECORD, "original_image_path": p} for p in paths]))
    assert "'x' / 'X' (record 0, record 1)" in message and "'z' (record 3, record 4)" in message
    assert "fields.id" in message and "id_template" in message and "'y'" not in message


def test_parameters_are_checked(file: Path) -> None:
    write(file, [RECORD])
    assert "did you mean 'instruction'" in refusal(file, fields={"instrution": "x"})
    assert "'fr'" in refusal(file, language="fr")
    assert "'nothing' of id_template" in refusal(file, id_template="{nothing}")
    assert "fields.instruction" in refusal(file, fields={"instruction": ""})
    assert "no file" in refusal(file.with_name("absent.json"))
    with pytest.raises(BenchmarkError, match="no file given"):
        list(JsonRecords(JsonRecordsParams()))


def test_a_path_that_leaves_the_folder_is_refused(file: Path) -> None:
    record = {"image_path": "../secret.png", "edit_instruction_en": "x", "subset": "a"}
    assert '".."' in refusal(write(file, [record]), fields={"image_path": "image_path"})


@pytest.mark.parametrize("empty", ["[]", "{}", '{"a": [], "b": []}', " [ ] ", "", " \n"])
def test_an_empty_file_is_refused(file: Path, empty: str) -> None:
    message = refusal(write(file, empty))
    assert "no records" in message or "empty" in message or "got 'nothing'" in message


@pytest.mark.parametrize(
    ("text", "line", "byte"),
    [
        ('[\n{"a": 1,\n"b" 2}]', 3, 15),
        ('[{"a": 1}\n{"a": 2}]', 2, 10),
        ('[{"a": 1},\n]', 2, 11),
        ('[{"a": 1}', 1, 9),
        ('[{"a": 1}]\n{"a": 1}', 2, 11),
        ('[{"é": "é"},\nx]', 2, 15),
        ('[{"a": "never ends}]', 1, 7),
        ('{"a": [{}],\n "b": 3}', 2, 18),
        ('{"a" [{}]}', 1, 5),
        ("[1, 2]", 1, 1),
        ('"text"', 1, 0),
        ('[{"a": NaN}]', 1, 1),
        ('[{"a": "\\x"}]', 1, 8),
    ],
)
@pytest.mark.parametrize("window", [5, 1 << 18])
def test_malformed_json_is_named_with_line_and_byte(file: Path, text: str, line: int, byte: int, window: int) -> None:
    with pytest.raises(BenchmarkError, match=rf"records\.json:{line}: malformed JSON at byte {byte}: "):
        list(read_records(write(file, text), window=window, pending=1))


@pytest.mark.parametrize("pending", [1, 300, 1 << 16])
def test_damage_behind_long_strings_is_placed_right(file: Path, pending: int) -> None:
    text = json.dumps([RECORD] * 5)[:-1] + ",\n\n{,"
    with pytest.raises(BenchmarkError, match=rf"records\.json:3: malformed JSON at byte {len(text) - 1}: "):
        list(read_records(write(file, text), pending=pending))


def test_what_is_not_utf8_or_too_deep_is_refused(file: Path) -> None:
    file.write_bytes(b'[{"a": "\xff"}]')
    assert "not UTF-8" in refusal(file) and "byte 8" in refusal(file)
    file.write_bytes(json.dumps([RECORD]).encode("utf-16"))
    assert "malformed" in refusal(file)
    write(file, '[{"a": ' + "[" * 200_000)
    assert "nested too deeply" in refusal(file)


# Images and long texts


@pytest.mark.parametrize("is_long", [True, False])
@pytest.mark.parametrize("form", ["plain", "prefixed", "escaped"])
def test_images_are_decoded_whatever_their_dress(file: Path, is_long: bool, form: str) -> None:
    data = PNG if is_long else SMALL
    data += b"\0" * (4 - len(data) % 3)  # so that the base64 ends with padding
    text = json.dumps(base64.b64encode(data).decode())
    if form == "prefixed":
        text = text.replace('"', '"data:image/png;base64,', 1)
    elif form == "escaped":
        text = text.replace("/", "\\/").replace("=", "\\u003d")
    document = json.dumps([{**RECORD, "src_img_b64": "@"}]).replace('"@"', text)
    (sample,) = samples(write(file, document))
    assert sample.image.read() == data


@pytest.mark.parametrize("length", [6, LONG + 5])
def test_a_broken_image_fails_only_when_read(file: Path, length: int) -> None:
    (sample,) = samples(write(file, [{**RECORD, "src_img_b64": "A" * length + "="}]))
    with pytest.raises(ImageError, match=r"records\.json"):
        sample.image.read()


def test_a_file_that_shrank_is_an_image_error(file: Path) -> None:
    (sample,) = samples(write(file, [RECORD]))
    write(file, "[]")
    with pytest.raises(ImageError, match="was it changed"):
        sample.image.read()
    file.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        sample.image.read()


def test_long_texts_are_used_but_never_kept_in_metadata(file: Path) -> None:
    text = 'say "ä" ' * 2000
    chinese = "长" * (LONG // 2)  # more than LONG bytes, fewer than LONG characters
    extra = {"essay": text, "nested": [{"blob": BASE64}], "fits": chinese}
    (sample,) = samples(write(file, [{**RECORD, "edit_instruction_en": text, **extra}]))
    assert sample.instruction == text
    (quoted,) = samples(write(file, [{**RECORD, "src_img_b64": "AAAA", "essay": text}]))
    assert quoted.metadata["essay"] == LEFT_OUT  # though no part of it between two quotes is long
    assert (sample.metadata["essay"], sample.metadata["nested"]) == (LEFT_OUT, [{"blob": LEFT_OUT}])
    assert sample.metadata["fits"] == chinese


def test_fingerprint_follows_file_parameters_and_named_images(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(SMALL)
    record = {**RECORD, "src_img_b64": None, "file": "1.png"}
    path = write(tmp_path / "r.json", [record])
    fields = {"image_path": "file"}
    prints = [benchmark(path, fields=fields).fingerprint(), benchmark(path, fields=fields, language="zh").fingerprint()]
    (tmp_path / "1.png").write_bytes(PNG)
    prints.append(benchmark(path, fields=fields).fingerprint())
    write(path, [{**record, "seed": 4}])
    prints.append(benchmark(path, fields=fields).fingerprint())
    assert len(set(prints)) == 4
    assert benchmark(path, fields={**fields, "category": "subset"}).fingerprint() == prints[3]


# The reader equals json.loads

TEXT = st.one_of(
    st.text(max_size=12),
    st.text(alphabet='"\\/aé长\n😀', max_size=60),
    st.builds(
        lambda unit, count: unit * count,
        st.sampled_from(["A", "\\", '"', '\\"', "长", "\n", '["', "a/b", '"}]', "\u2028"]),
        st.integers(LONG // 6, LONG * 3),
    ),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(TEXT, VALUE, max_size=4), max_size=5)


def loaded(path: Path, value: Any) -> Any:
    if isinstance(value, LongString):
        return value.text(path)
    if isinstance(value, list):
        return [loaded(path, v) for v in value]
    if isinstance(value, dict):
        return {k: loaded(path, v) for k, v in value.items()}
    return value


@settings(max_examples=60, deadline=None)
@given(
    records=RECORDS,
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 0, 3]),
    window=st.sampled_from([7, 64, 1000, 1 << 18]),
    pending=st.sampled_from([1, 100, 1 << 16]),
)
def test_the_reader_equals_json_loads(
    tmp_path_factory: pytest.TempPathFactory,
    records: Any,
    is_ascii: bool,
    indent: int | None,
    window: int,
    pending: int,
) -> None:
    text = json.dumps(records, ensure_ascii=is_ascii, indent=indent)
    path = write(tmp_path_factory.getbasetemp() / "property.json", text.replace("a/b", "a\\/b"))
    found = list(read_records(path, window=window, pending=pending))
    assert [loaded(path, record.value) for record in found] == json.loads(path.read_bytes())
    for record in found:
        if record.is_short:
            assert loaded(path, record.value) == record.value


@settings(max_examples=40, deadline=None)
@given(records=RECORDS, cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_always_refused(tmp_path_factory: pytest.TempPathFactory, records: Any, cut: float) -> None:
    text = json.dumps(records)
    path = write(tmp_path_factory.getbasetemp() / "cut.json", text[: int(cut * len(text))])
    with pytest.raises(BenchmarkError):
        list(read_records(path))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='[]{}",:\\ \n1eEnulltrfas.-A', max_size=30))
def test_the_reader_accepts_exactly_the_json_that_has_its_shape(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "noise.json", text)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    groups = list(document.values()) if isinstance(document, dict) else [document]
    has_shape = all(isinstance(g, list) and all(isinstance(r, dict) for r in g) for g in groups)
    if has_shape:
        assert [r.value for r in read_records(path)] == [r for group in groups for r in group]
    else:
        with pytest.raises(BenchmarkError):
            list(read_records(path))


@pytest.mark.parametrize("excess", [0, 1])
def test_strings_stay_in_the_file_from_one_byte_too_long(file: Path, excess: int) -> None:
    (record,) = read_records(write(file, [{"a": "x" * (LONG + excess)}]))
    assert isinstance(record.value["a"], LongString) == bool(excess)


def test_a_long_string_is_never_in_a_decoded_record(file: Path) -> None:
    escaped = json.dumps([RECORD]).replace("/", "\\/")
    (record,) = read_records(write(file, escaped))
    assert isinstance(record.value["src_img_b64"], LongString) and not record.is_short


# Figures


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_images(file: Path) -> None:
    body = base64.b64encode(random.Random(1).randbytes(3_000_000)).decode()
    with file.open("w", encoding="utf-8") as out:
        for i in range(30):
            out.write("[" if i == 0 else ",")
            json.dump({**RECORD, "src_img_b64": body, "original_image_path": str(i)}, out)
        out.write("]")
    assert file.stat().st_size > 120_000_000
    code = (
        "import sys\n"
        "from editeval.benchmarks.json_records import JsonRecords, JsonRecordsParams\n"
        "b = JsonRecords(JsonRecordsParams(sys.argv[1]))\n"
        "assert len(list(b)) == 30 and b.fingerprint()\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(int(peak.split()[1]) // 1024)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 100, f"{result.stdout} MiB for a file of 120 MB"


def test_ten_thousand_small_records_load_in_linear_time(file: Path) -> None:
    record = {**RECORD, "src_img_b64": "AAAA"}
    write(file, [{**record, "original_image_path": str(i)} for i in range(10_000)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert len(samples(file)) == 10_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 3.0


# An object of records


def test_the_keys_of_an_object_of_records_are_their_ids(file: Path) -> None:
    """ImgEdit's file is such an object, and its field `id` is the path of the source image."""
    (file.parent / "animal").mkdir()
    (file.parent / "animal" / "1.png").write_bytes(SMALL)
    rows = {k: {"id": "animal/1.png", "prompt": f"Edit {k}.", "edit_type": "add"} for k in ("1082", "673")}
    fields = {"image_path": "id", "instruction": "prompt", "category": "edit_type"}
    found = samples(write(file, rows), fields=fields)
    assert [(s.id, s.category, s.instruction) for s in found] == [
        ("1082", "add", "Edit 1082."),
        ("673", "add", "Edit 673."),
    ]
    assert found[0].image.read() == SMALL
    assert samples(file, fields=fields, id_template="{edit_type}/{key}")[1].id == "add/673"


def test_a_record_of_an_object_is_named_by_its_key(file: Path) -> None:
    assert refusal(write(file, {"a7": {**RECORD, "edit_instruction_en": ""}})).startswith(f"{file}: record 'a7': ")


@pytest.mark.parametrize("window", [8, 1 << 18])
def test_lists_and_records_of_one_object_keep_their_order(file: Path, window: int) -> None:
    write(file, {"a": [{"x": 1}, {"x": 2}], "b": {"x": 3}, "c": {"x": "y" * (LONG + 1)}, "d": []})
    found = list(read_records(file, window=window, pending=8))
    assert [(r.group, r.key, r.index) for r in found] == [("a", "", 0), ("a", "", 1), (None, "b", 0), (None, "c", 1)]


def test_parquet_is_not_called_malformed_json(file: Path) -> None:
    file.write_bytes(b"PAR1" + bytes(100))
    assert refusal(file) == f"{file}: a Parquet file, expected JSON; set benchmark.type to parquet"
