"""Rows P10 and P11 of the fault table: useless pictures fail or are flagged, and equal runs stay equal."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from fault_runs import IDS, SOURCE, FaultRun, config_in, report_in, samples_in
from PIL import Image

from command_line import cli
from editeval.execution.pool_events import Result
from editeval.images import decode, flags_of
from editeval.store.run_store import RunStore
from fakes.older_ledgers import as_of_version

ODD = {
    "black": ("black",),
    "white": ("constant",),
    "grey": ("constant",),
    "one pixel": ("constant",),
    "unchanged": ("unchanged",),
    "rgba": ("unchanged",),
    "reencoded": (),
}
USELESS = {
    "nothing": "the editor returned NoneType, not a PIL image",
    "list": "the editor returned list, not a PIL image",
    "array": "the editor returned ndarray, not a PIL image",
    "nan": "the editor returned ndarray, not a PIL image",
    "empty": "the editor returned a picture of 0x5 pixels",
}
FAULTS = {str(2 * i + 1): fault for i, fault in enumerate([*ODD, *USELESS])}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """By fault, of one worker; what it made before, between and after them by number."""
    found = FaultRun(tmp_path_factory.mktemp("outputs"), num_workers=1, faults=FAULTS)(2 * len(FAULTS) + 1)
    return {FAULTS.get(key, key): outcome for key, outcome in found.items()}


@pytest.mark.parametrize("fault", ODD)
def test_an_odd_picture_is_an_edit_and_flagged(outcomes: dict[str, Result], fault: str) -> None:
    assert outcomes[fault].error is None and outcomes[fault].value.flags == ODD[fault]
    assert decode(outcomes[fault].value.png).mode == "RGB"


@pytest.mark.parametrize("fault", USELESS)
def test_what_is_no_picture_fails_at_once(outcomes: dict[str, Result], fault: str) -> None:
    error = outcomes[fault].error
    assert error is not None and (error.reason, error.message) == ("bad_output", USELESS[fault])
    assert outcomes[fault].attempt == 1


def test_the_neighbours_of_useless_pictures_live(outcomes: dict[str, Result]) -> None:
    between = [outcome for key, outcome in outcomes.items() if key.isdigit()]
    assert len(between) == len(FAULTS) + 1
    assert all(outcome.error is None and outcome.value.flags == () for outcome in between)


def test_a_transparent_result_is_seen_on_white_as_every_other_picture() -> None:
    from editeval.execution.validation import checked_image

    clear_red = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert checked_image(clear_red).getpixel((0, 0)) == (255, 255, 255)


def test_a_flag_says_exactly_what_is_odd() -> None:
    source = decode(SOURCE)
    darkish = Image.fromarray(np.full((4, 4, 3), 8, np.uint8))
    assert flags_of(darkish, source) == ("black",)
    darkish.putpixel((0, 0), (9, 0, 0))
    assert flags_of(darkish, source) == ()
    assert flags_of(Image.new("RGB", source.size), Image.new("RGB", source.size)) == ("black", "unchanged")
    near = source.copy()
    near.putpixel((3, 3), tuple(255 - v for v in near.getpixel((3, 3))))  # type: ignore[arg-type, union-attr]
    assert flags_of(near, source) == () and flags_of(source.resize((8, 6)), source) == ()


THREADS = [f"--set={section}.execution.backend=inprocess" for section in ("diffusion_model", "reward_model")]
RUN = ("run", "small.yaml", "--allow-code", *THREADS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one black, one constant, one unchanged and two sound edits."""
    folder = tmp_path_factory.mktemp("odd")
    config_in(folder, faults={IDS[0]: "black", IDS[1]: "white", IDS[2]: "unchanged"})
    done = cli(*RUN, cwd=folder)
    assert done.returncode == 0, done.stderr
    for words in ("1 of 5 edits black", "1 of 5 edits of one colour", "1 of 5 edits identical to the source"):
        assert words in done.stdout, "the terminal warns"
    return folder


@pytest.fixture
def odd(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "odd", symlinks=True)


def test_flags_are_in_ledger_report_and_table_and_every_edit_is_judged(odd: Path) -> None:
    report = report_in(odd)
    assert report["badge"] == "valid with warnings" and report["coverage"]["num_scored"] == 5
    assert [report["coverage"][f"num_{flag}"] for flag in ("black", "constant", "unchanged")] == [1, 1, 1]
    assert "1 of 5 edits black." in report["warnings"]
    with RunStore.read(odd / "outputs" / "latest") as store:
        flags = {edit.sample_id: edit.flags for edit in store.edits()}
    expected = {IDS[0]: ("black",), IDS[1]: ("constant",), IDS[2]: ("unchanged",), IDS[3]: (), IDS[4]: ()}
    assert flags == expected
    with (odd / "outputs" / "latest" / "scores.csv").open(encoding="utf-8") as file:
        assert {row["id"]: row["flags"] for row in csv.DictReader(file)} == {k: " ".join(v) for k, v in flags.items()}


def test_equal_runs_stay_equal(odd: Path) -> None:
    first = samples_in(odd)
    assert cli(*RUN, "--fresh", "--device-ids", "cpu", cwd=odd).returncode == 0
    assert samples_in(odd) == first and "flags" not in first[IDS[0]]["edit"]


def test_a_ledger_from_before_there_were_flags_can_be_read_and_continued(odd: Path) -> None:
    run = (odd / "outputs" / "latest").resolve()
    as_of_version(run, 1)
    before = shutil.copy(run / "ledger.sqlite", odd / "before.sqlite")
    with RunStore.read(run) as store:
        assert [edit.flags for edit in store.edits()] == [()] * 5
    assert (run / "ledger.sqlite").read_bytes() == Path(before).read_bytes(), "reading changes nothing"
    assert cli("status", cwd=odd).returncode == 0
    assert cli(*RUN, cwd=odd).returncode == 0  # writes a report that counts no flags
    assert cli("verify", cwd=odd).returncode == 0
