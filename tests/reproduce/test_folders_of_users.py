"""`editeval reproduce` of folders that the published scripts of a benchmark leave: numbers by hand, bugs by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from result_folders import gedit, gedit_v2, imgedit, kris, omnicontext, rise, write

from editeval.cli.main import main
from editeval.reproduce import catalog
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.published import Recomputed, compare

FOLDERS = {
    "gedit": gedit,
    "imgedit": imgedit,
    "kris": kris,
    "rise": rise,
    "omnicontext": omnicontext,
    "gedit_v2": gedit_v2,
}


def numbers(name: str, folder: Path) -> dict[str, Recomputed]:
    """Ours by "TABLE: ROW COLUMN"."""
    rows = compare(catalog.FORMATS[name], Clone(folder), {})
    return {f"{row.table}: {row.row} {row.column}": row.ours for row in rows if row.ours}


def test_gedit_is_the_mean_of_groups_of_roots_for_one_language_and_subset(tmp_path: Path) -> None:
    found = numbers("gedit", gedit(tmp_path))
    assert found["en, full set: background_change overall"].value == pytest.approx((6 + 2) / 2)
    average = found["en, full set: all Avg"]
    assert (average.value, average.num_read) == (pytest.approx((4 + 6 + 9 * 5) / 11), 12)
    assert average.notes == ("random integers cannot be told from scores",)
    assert found["cn, full set: subject-add overall"].value == pytest.approx(10)


def test_a_gedit_group_without_scores_leaves_no_average(tmp_path: Path) -> None:
    assert numbers("gedit", gedit(tmp_path))["en, intersection: all Avg"].value is None
    (tmp_path / "my_model_tone_transfer_gpt_score.csv").unlink()
    average = numbers("gedit", tmp_path)["en, full set: all Avg"]
    assert average.value is None
    assert any("NaN" in note and "tone_transfer" in note for note in average.notes)


def test_a_gedit_score_that_is_none_is_left_out_and_counted(tmp_path: Path) -> None:
    gedit(tmp_path)
    file = tmp_path / "my_model_subject-add_gpt_score.csv"
    file.write_text(file.read_text().replace("9,4,False", "nan,4,False"))
    found = numbers("gedit", tmp_path)["en, full set: subject-add overall"]
    assert (found.value, found.num_read, found.num_unreadable) == (None, 0, 1)


def test_imgedit_reads_three_grades_and_repeats_the_published_reading_beside(tmp_path: Path) -> None:
    found = numbers("imgedit", imgedit(tmp_path))
    add = found["basic: add overall"]
    assert (add.value, add.num_read, add.num_unreadable) == (4.33, 1, 1)
    remove = found["basic: remove overall"]
    assert (remove.value, remove.matched, remove.switch) == (None, 3.0, "any_numbers")
    assert (remove.num_read, remove.num_unreadable) == (0, 3)


def test_kris_pools_every_score_and_repeats_the_published_loss_beside(tmp_path: Path) -> None:
    found = numbers("kris", kris(tmp_path))
    overall = found["all categories: all KRIS overall"]
    right = [100, 50, 75, 0, 100, 50, 25, 100, 100, 100]
    assert overall.value == pytest.approx(sum(right) / 10)
    assert (overall.num_read, overall.num_unreadable) == (10, 1)
    assert overall.matched == pytest.approx(round((100 + 50 + 75 + 0 + 300) / 7, 2))


def test_a_kris_sample_that_is_no_object_is_counted_as_unread(tmp_path: Path) -> None:
    file = kris(tmp_path) / "count_change" / "metrics.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "2": "a failed call"}))
    overall = numbers("kris", tmp_path)["all categories: all KRIS overall"]
    assert (overall.num_read, overall.num_unreadable) == (10, 1 + 3)


def test_rise_counts_consistency_and_repeats_the_published_nan_beside(tmp_path: Path) -> None:
    found = numbers("rise", rise(tmp_path))
    accuracy = found["all samples: all RISE temporal accuracy (%)"]
    assert (accuracy.value, accuracy.num_read, accuracy.num_unreadable) == (50.0, 2, 1)
    assert accuracy.matched == 33.3  # the sample that is not read is wrong
    score = found["all samples: all RISE temporal score (%)"]
    assert score.value == pytest.approx(85.0)  # 25 * (mean(3.8, 5) - 1)
    assert score.matched == pytest.approx(100.0)
    assert found["all samples: all RISE logical accuracy (%)"].value == 100.0


@pytest.mark.parametrize(
    ("flag", "is_set"), [("1.0", True), ("TRUE", True), ("0.0", False), ("False", False), ("nan", False)]
)
def test_flags_mean_the_same_however_a_table_was_saved(tmp_path: Path, flag: str, is_set: bool) -> None:
    for file in gedit(tmp_path / "gedit").glob("*.csv"):
        file.write_text(file.read_text().replace("False", flag))
    found = numbers("gedit", tmp_path / "gedit")
    counted = found["en, intersection: subject-add overall"].num_read
    assert counted == (1 if is_set else 0)
    file = rise(tmp_path / "rise") / "my_model_judge.csv"
    file.write_text(file.read_text().replace("b,temporal_reasoning,1.0,", f"b,temporal_reasoning,{flag},"))
    accuracy = numbers("rise", tmp_path / "rise")["all samples: all RISE temporal accuracy (%)"]
    assert (accuracy.num_read, accuracy.num_unreadable) == ((2, 1) if is_set else (1, 2)), "b has no consistency"


def test_omnicontext_is_the_mean_of_kinds_of_roots(tmp_path: Path) -> None:
    found = numbers("omnicontext", omnicontext(tmp_path))
    assert found["en: all Average Overall"].value == pytest.approx(8.0)
    assert found["en: single_character prompt_following"].value == 4.0


def test_gedit_v2_is_the_elo_of_pairs_and_repeats_the_prior_by_name_beside(tmp_path: Path) -> None:
    found = numbers("gedit_v2", gedit_v2(tmp_path))
    models = ["a", "m", "z"]
    ours, theirs = zip(
        *((n.value, n.matched) for n in (found[f"Elo of the models: {m} Elo"] for m in models)), strict=True
    )
    assert sum(ours) == pytest.approx(3000) == pytest.approx(sum(theirs))
    assert min(ours) == ours[2] < theirs[2], "the last one by name is drawn less far from the middle, as published"
    last = found["Elo of the models: z Elo"]
    assert (last.num_read, last.num_unreadable, last.switch) == (28, 2, "prior_by_name")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_without_results_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(PublishedDataError, match="must"):
        numbers(name, write(tmp_path, {"readme.txt": "nothing"}))


@pytest.mark.parametrize("name", FOLDERS)
def test_without_a_published_number_the_command_says_so_and_ends_with_0(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(("reproduce", name, "--from", str(FOLDERS[name](tmp_path))))
    assert not end.value.code
    assert "nothing is published to compare with" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "code"), [("5.00", 0), ("5.01", 1)])
def test_a_number_that_the_user_names_is_compared_in_its_own_digits(
    value: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = gedit(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(("reproduce", "gedit", "--from", str(folder), "--published", f"en, full set: all Avg={value}"))
    assert (end.value.code or 0) == code, capsys.readouterr().out


def spoiled(name: str) -> Callable[[Path], Path]:
    """A folder of the format with one file that is a link out of it."""

    def make(root: Path) -> Path:
        folder = FOLDERS[name](root / "folder")
        file = next(path for path in sorted(folder.rglob("*")) if path.is_file() and "basic_edit" not in path.name)
        (root / "outside").write_bytes(file.read_bytes())
        file.unlink()
        file.symlink_to(root / "outside")
        return folder

    return make


@pytest.mark.parametrize("name", FOLDERS)
def test_a_link_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PublishedDataError, match="no link"):
        numbers(name, spoiled(name)(tmp_path))


def test_a_number_of_several_tables_needs_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(("reproduce", "gedit", "--from", str(gedit(tmp_path)), "--published", "all Avg=5.00"))
    assert end.value.code == 2
    assert "several tables have it; name one of cn, full set: all Avg" in capsys.readouterr().err


def test_a_category_that_rise_has_not_is_refused(tmp_path: Path) -> None:
    rise(tmp_path)
    file = tmp_path / "my_model_judge.csv"
    file.write_text(file.read_text().replace("logical_reasoning", "logic"))
    with pytest.raises(PublishedDataError, match=r"category must be one of causal_reasoning.*got 'logic'"):
        numbers("rise", tmp_path)


def test_what_a_folder_says_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gedit(tmp_path)
    file = tmp_path / "my_model_subject-add_gpt_score.csv"
    file.write_text(file.read_text().replace(",cn", ",c\x1b[31mn"))
    with pytest.raises(SystemExit):
        main(("reproduce", "gedit", "--from", str(tmp_path)))
    assert "\x1b" not in capsys.readouterr().out


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("name", "file", "pattern", "new"),
    [
        ("kris", "metrics.json", '(_score": )[0-9]+', rf"\g<1>{HUGE}"),
        ("omnicontext", "score.jsonl", '("PF_score": )[0-9]+', rf"\g<1>{HUGE}"),
    ],
)
def test_what_nobody_publishes_does_not_end_the_command(
    name: str, file: str, pattern: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = FOLDERS[name](tmp_path)
    path = next(folder.rglob(file))
    text, count = re.subn(pattern, new, path.read_text())
    assert count
    path.write_text(text)
    with pytest.raises(SystemExit) as end:
        main(("reproduce", name, "--from", str(folder)))
    assert end.value.code == 0, capsys.readouterr().err
