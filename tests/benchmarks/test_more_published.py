"""`omnicontext`, `gedit_v2` and `re_edit`: the authors' files as they are, and their hazards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.gedit_v2 import GEditV2, GEditV2Params
from editeval.benchmarks.json_records import JsonRecords, JsonRecordsParams
from editeval.benchmarks.omnicontext import GROUPS, OmniContext, OmniContextParams
from editeval.benchmarks.re_edit import ReEditBenchmark, ReEditParams
from editeval.benchmarks.unicbench import UnicBench, UnicBenchParams
from editeval.errors import BenchmarkError
from published import (
    drawn,
    gedit_v2,
    omnicontext_table,
    parquet,
    re_edit,
    re_edit_rows,
    saved_dict,
    unicbench,
    unicbench_rows,
)


def test_omnicontext_hands_out_every_source_image_in_order(tmp_path: Path) -> None:
    path = str(parquet(tmp_path / "train.parquet", omnicontext_table(2)))
    check_benchmark(OmniContext, OmniContextParams(path))
    found = list(OmniContext(OmniContextParams(path)))
    assert [len(sample.images) for sample in found] == [1, 1, 2, 2, 3, 3]
    assert [i.read() for i in found[5].images] == [drawn(f"scene_object 1 {k}") for k in range(3)]
    assert found[0].id == "single_object/0000" and found[2].id == "multi_character/0000"
    assert found[0].metadata == {"task_type": "single_object", "instruction_language": "en", "key": "0000"}


def test_omnicontext_has_eight_groups_of_fifty(tmp_path: Path) -> None:
    full = str(parquet(tmp_path / "full.parquet", omnicontext_table(50, groups=GROUPS)))
    assert OmniContext(OmniContextParams(full)).differs() == ()
    path = str(saved_dict(tmp_path / "saved", omnicontext_table()))
    assert OmniContext(OmniContextParams(path)).differs()[0] == "400 samples expected, found 3"
    with pytest.raises(BenchmarkError, match="no sample with language 'zh'; the data have 3 in 'en'"):
        list(OmniContext(OmniContextParams(path, language="zh")))


def test_gedit_v2_takes_the_task_from_the_key_where_no_column_says_it(tmp_path: Path) -> None:
    path = gedit_v2(tmp_path)
    check_benchmark(GEditV2, GEditV2Params(str(path)))
    found = list(GEditV2(GEditV2Params(str(path))))
    assert [(s.id, s.category) for s in found] == [
        ("background_change_000000", "background_change"),
        ("line2image_000001", "line2image"),
    ]
    assert GEditV2(GEditV2Params(str(path))).differs() == ("1200 samples expected, found 2",)
    several = pa.array([[{"bytes": drawn(n), "path": None} for n in "ab"]], pa.list_(found_type()))
    table = pa.table({"key": ["x_1"], "instruction": ["Wish."], "task": ["open_set"], "source_image": several})
    (one,) = GEditV2(GEditV2Params(str(parquet(tmp_path / "two.parquet", table))))
    assert one.category == "open_set" and [i.read() for i in one.images] == [drawn("a"), drawn("b")]


def found_type() -> pa.DataType:
    return pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_re_edit_gives_what_json_records_gives(tmp_path: Path) -> None:
    path = str(re_edit(tmp_path, 2))
    check_benchmark(ReEditBenchmark, ReEditParams(path))
    named, plain = list(ReEditBenchmark(ReEditParams(path))), list(JsonRecords(JsonRecordsParams(path)))
    assert [replace(s, language="", metadata={}) for s in named] == [replace(s, metadata={}) for s in plain]
    assert named[0].id == "00000_physical_medium"
    told = {"subset": "physical", "rationale": "Hard, since it is physical.", "description": named[0].description}
    assert named[0].metadata == told and named[0].description
    assert list(ReEditBenchmark(ReEditParams(str(tmp_path)))) == named
    assert ReEditBenchmark(ReEditParams(path)).differs() == ("1000 samples expected, found 10",)


def test_a_renamed_field_an_unknown_group_and_another_folder_are_one_line_each(tmp_path: Path) -> None:
    def refusal(rows: list[dict[str, object]]) -> str:
        (tmp_path / "RE-Edit.json").write_text(json.dumps(rows))
        with pytest.raises(BenchmarkError) as caught:
            list(ReEditBenchmark(ReEditParams(str(tmp_path))))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    renamed = [{("instruction" if k == "edit_instruction_en" else k): v for k, v in r.items()} for r in re_edit_rows()]
    assert "expected the field 'edit_instruction_en' of RE-Edit, found subset, original_image_path" in refusal(renamed)
    assert "got 'social'" in refusal([{**re_edit_rows()[0], "subset": "social"}])
    (tmp_path / "RE-Edit.json").unlink()
    with pytest.raises(BenchmarkError, match=r"expected 'RE-Edit\.json' of RE-Edit, found an empty folder"):
        list(ReEditBenchmark(ReEditParams(str(tmp_path))))


def test_unicbench_has_two_instructions_of_one_row_and_no_blank_in_a_group(tmp_path: Path) -> None:
    path = str(unicbench(tmp_path))
    check_benchmark(UnicBench, UnicBenchParams(path, language="both"))
    found = list(UnicBench(UnicBenchParams(path, language="both")))
    assert [(s.id, s.language, s.cluster) for s in found] == [
        ("en/Background_Change/a1", "en", "a1"),
        ("en/Relation_Change/b2", "en", "b2"),
        ("cn/Background_Change/a1", "cn", "a1"),
        ("cn/Relation_Change/b2", "cn", "b2"),
    ]
    assert [s.instruction for s in found[1:3]] == ["Change b2.", "改变 a1。"]
    assert found[1].metadata["reasoning_points"] == ["the left one moves"]
    assert found[1].metadata["subtask"] == "Relation Change" and found[1].category == "Relation_Change"
    (one, *_) = UnicBench(UnicBenchParams(path)).differs()
    assert one == "1100 samples expected, found 2"


def test_unicbench_is_the_same_from_a_table_and_from_the_jsonl_with_images_elsewhere(tmp_path: Path) -> None:
    folder = unicbench(tmp_path)
    wanted = [(s.id, s.instruction, s.image.read()) for s in UnicBench(UnicBenchParams(str(folder)))]
    rows = [{**row, "image": {"bytes": drawn(row["key"]), "path": None}} for row in unicbench_rows()]
    table = parquet(tmp_path / "train.parquet", pa.Table.from_pylist(rows))
    (tmp_path / "clone" / "data").mkdir(parents=True)
    (folder / "test_data.jsonl").rename(tmp_path / "clone" / "data" / "test_data.jsonl")
    for params in (UnicBenchParams(str(table)), UnicBenchParams(str(tmp_path / "clone"), images=str(folder))):
        assert [(s.id, s.instruction, s.image.read()) for s in UnicBench(params)] == wanted


def test_a_json_file_that_is_a_link_out_of_its_folder_is_refused_unless_the_user_named_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "RE-Edit.json").symlink_to(re_edit(tmp_path))
    with pytest.raises(BenchmarkError, match="a link that leads out of"):
        list(ReEditBenchmark(ReEditParams(str(tmp_path / "data"))))
    assert len(list(ReEditBenchmark(ReEditParams(str(tmp_path / "data" / "RE-Edit.json"))))) == 5
