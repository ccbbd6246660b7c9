"""`emu_edit`: the Hub's rows, by split."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.emu_edit import EmuEdit, EmuEditParams
from editeval.errors import BenchmarkError
from published_folders import emu_edit


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    check_benchmark(EmuEdit, EmuEditParams(str(emu_edit(tmp_path))))


def test_ids_hold_split_task_and_number_of_which_none_is_unique(tmp_path: Path) -> None:
    path = str(emu_edit(tmp_path))
    test, validation = (list(EmuEdit(EmuEditParams(path, split=name))) for name in ("test", "validation"))  # type: ignore[arg-type]
    assert [s.id for s in test] == ["test/add/0", "test/add/1", "test/background/0", "test/background/1"]
    assert validation[0].id == "validation/add/0"
    assert {s.category for s in test} == {"add", "background"}
    assert test[0].reference_text == "A room, after add." and test[0].description == "A room."
    assert test[0].metadata["task"] == "add" and test[0].metadata["hash"] == "add0"
    assert test[0].image.read() != validation[0].image.read()


def test_another_count_and_a_split_that_is_not_there_are_said(tmp_path: Path) -> None:
    folder = emu_edit(tmp_path)
    assert EmuEdit(EmuEditParams(str(folder))).differs() == ("3589 samples expected, found 4",)
    (folder / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(BenchmarkError, match="no sample with split 'test'"):
        list(EmuEdit(EmuEditParams(str(folder))))
