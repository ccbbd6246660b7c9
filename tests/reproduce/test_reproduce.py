"""`editeval reproduce`: numbers by hand from results in the authors' forms, refusals, exit codes, the page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from result_folders import answer, gpt_image_edit, imagenhub, mmrb2, ovis_u1, risebench, viescore, write

from editeval.cli.main import main
from editeval.reproduce import catalog
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.published import Compared, Recomputed, compare

DOCS = Path(__file__).parents[2] / "docs"
MEANS = "means of Gemini, 0shot"
RATERS = "means of each rater"
VARYING = (  # lines of a page that come with the results
    *("| ", "- `", "|---|---", "Numbers that", "Published bugs", "The same replies"),
    *("不一致的数字", "已公布的缺陷", "同样的回答"),
)


def number(name: str, folder: Path, table: str, key: str) -> Recomputed:
    """Ours, of the format `name`."""
    rows = compare(catalog.FORMATS[name], Clone(folder), {})
    found = next(row.ours for row in rows if row.table == table and f"{row.row} {row.column}" == key)
    assert found is not None
    return found


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


def test_a_readme_of_open_rows_is_read_in_one_go(tmp_path: Path) -> None:
    folder = gpt_image_edit(tmp_path)
    readme = folder / "README.md"
    open_rows = "<tr>\n" * 100_000 + "<tr><td " * 50_000 + "\n"
    readme.write_text(open_rows + readme.read_text(encoding="utf-8"), encoding="utf-8")
    assert compare(catalog.FORMATS["gpt_image_edit"], Clone(folder), {})


def test_viescore_means_are_of_the_least_score_and_guesses_are_counted(tmp_path: Path) -> None:
    found = number("viescore", viescore(tmp_path), MEANS, "Text-Guided_IE/MagicBrush O mean")
    assert found.value == pytest.approx((math.sqrt(40) + math.sqrt(16) + math.sqrt(36)) / 30)
    assert (found.num_read, found.num_unreadable) == (3, 1)
    assert found.notes == ("1 of 3 are random integers",)


def test_viescore_replies_are_read_by_our_grammar_as_well_and_a_guess_is_none(tmp_path: Path) -> None:
    found = number("viescore", viescore(tmp_path), MEANS, "Text-Guided_IE/MagicBrush SC mean")
    assert found.value == pytest.approx((8 + 2 + 4) / 30)
    assert (found.own, found.num_own) == (pytest.approx((8 + 2) / 20), 2)


def test_viescore_correlations_are_those_of_ranks_and_their_average_is_fishers(tmp_path: Path) -> None:
    folder = viescore(tmp_path)
    table = "rank correlation with raters, Gemini, 0shot"
    found = number("viescore", folder, table, "Text-Guided_IE/MagicBrush SC")
    assert found.value == pytest.approx(1.0)  # 8, 2, 4 beside 2.5, 0, 1
    average = number("viescore", folder, table, "Text-Guided_IE/average PQ")
    one = number("viescore", folder, table, "Text-Guided_IE/MagicBrush PQ").value
    assert one is not None
    assert average.value == pytest.approx(one)  # of one number, the number
    assert average.matched == pytest.approx(math.tanh(one))  # as published
    distance = number("viescore", folder, "rank correlation with raters, by task", "Text-Guided_IE/LPIPS SC")
    assert distance.matched == pytest.approx(math.tanh(1.0))  # less distance is better


def test_the_order_of_a_directory_listing_is_a_published_bug_with_a_name(tmp_path: Path) -> None:
    found = number("imagenhub", imagenhub(tmp_path), RATERS, "Mask-Guided_IE/Glide SC rater 1")
    assert (found.value, found.matched, found.switch) == (0.75, 0.0, "listing_order")
    over = number("imagenhub", tmp_path, "means over the raters", "Mask-Guided_IE/Glide O")
    assert over.value == pytest.approx((0.5 + math.sqrt(0.5) / 2 + 0) / 3)


def test_verdicts_count_one_each_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    found = number("mmrb2", mmrb2(tmp_path), "accuracy of the sample judgements, %", "edit accuracy")
    assert (found.value, found.num_read, found.num_unreadable) == (100.0, 3, 1)


@pytest.mark.parametrize(
    ("value", "matched", "verdict"),
    [
        (0.45004, None, "same"),
        (0.45006, None, "differs"),
        (0.44, 0.45, "same with bug"),
        (None, None, "not recomputed"),
    ],
)
def test_a_verdict_is_about_the_printed_digits(value: float | None, matched: float | None, verdict: str) -> None:
    ours = Recomputed("t", "r", "c", value, 1, matched=matched, switch="bug")
    assert Compared("t", "r", "c", 4, 0.45, ours).verdict == verdict


def test_what_differs_ends_with_1_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("reproduce", "mmrb2", "--from", str(mmrb2(tmp_path))) == 1
    said = capsys.readouterr().out
    assert re.search(r"edit accuracy +55\.50 +100\.00 +\+44\.50 +3 of 4 +differs", said)
    assert said.endswith("5 published numbers: 5 differs\n")


def test_what_is_reached_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        f"--published={task} accuracy=100.0" for task in ("image", "edit", "interleaved", "reasoning", "all tasks")
    ]
    assert ended("reproduce", "mmrb2", "--from", str(mmrb2(tmp_path)), *given) == 0
    assert "5 published numbers: 5 same" in capsys.readouterr().out


def _link(folder: Path) -> None:
    file = folder / "benchmark/edit_response_only.json"
    (folder.parent / "outside.json").write_text(file.read_text())
    file.unlink()
    file.symlink_to(folder.parent / "outside.json")


def _linked_folder(folder: Path) -> None:
    (folder / "benchmark").rename(folder.parent / "outside")
    (folder / "benchmark").symlink_to(folder.parent / "outside")


def _not_json(folder: Path) -> None:
    (folder / "benchmark/edit_response_only.json").write_text("{")


def _deep(folder: Path) -> None:
    (folder / "benchmark/edit_response_only.json").write_text("[" * 100 + "]" * 100)


def _other_schema(folder: Path) -> None:
    write(folder, {"benchmark/edit_response_only.json": [1]})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_link, "no link"),
        (_linked_folder, "no link"),
        (_not_json, "must be JSON"),
        (_deep, "nested deeper"),
        (_other_schema, "an object with `pairs`"),
    ],
)
def test_a_folder_that_is_not_the_authors_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], said: str
) -> None:
    folder = mmrb2(tmp_path / "MMRB2")
    spoil(folder)
    assert ended("reproduce", "mmrb2", "--from", str(folder)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    with pytest.raises(PublishedDataError, match="at most 40 bytes"):
        compare(catalog.FORMATS["mmrb2"], Clone(mmrb2(tmp_path), max_file_bytes=40), {})


def test_a_rating_that_is_code_is_not_run(tmp_path: Path) -> None:
    folder = imagenhub(tmp_path)
    bad = "uid\tGlide\nsample_0_1.jpg\t__import__('os').getcwd()\n"
    write(folder, {"eval/human_ratings/Mask-Guided_IE/Mask-Guided_IE_rater1.tsv": bad})
    with pytest.raises(PublishedDataError, match=r"must be \[SC, PQ\]"):
        compare(catalog.FORMATS["imagenhub"], Clone(folder), {})


def test_an_answer_of_any_form_is_read_or_left_out(tmp_path: Path) -> None:
    folder = viescore(tmp_path)
    name = "paper_implementation/_answers/results_gemini_0shot/ImagenHub_Text-Guided_IE/MagicBrush/PQ.json"
    strange: dict[str, object] = {
        "sample_0_1.jpg": answer(5, 6),
        "sample_1_1.jpg": {"score": "8"},
        "sample_2_1.jpg": {},
    }
    write(folder, {name: strange})
    found = number("viescore", folder, MEANS, "Text-Guided_IE/MagicBrush PQ mean")
    assert (found.value, found.num_read, found.num_unreadable) == (pytest.approx(0.5), 1, 3)


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of everything public, with results of ours."""
    folder = tmp_path_factory.mktemp("clones")
    viescore(folder / "VIEScore")
    imagenhub(folder / "ImagenHub")
    mmrb2(folder / "MMRB2")
    gpt_image_edit(folder / "GPT-Image-Edit")
    ovis_u1(folder / "Ovis-U1")
    risebench(folder / "RISEBench")
    return folder


def fixed_lines(page: str) -> list[str]:
    """What of a page does not depend on results: texts, heads, and of each published table title, source and size."""
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 9:
            found.append(" | ".join(cells[:3]))
        elif len(cells) == 3 or not line.startswith(VARYING):
            found.append(line)
    return [line for line in found if line]


@pytest.mark.parametrize(("page", "flags"), [("reproduced.md", ()), ("reproduced.zh-CN.md", ("--chinese",))])
def test_the_committed_page_is_what_the_command_prints(
    page: str, flags: tuple[str, ...], clones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its results come from the authors' clones; everything else is compared with a page of results of ours."""
    assert ended("reproduce", "all", "--from", str(clones), "--markdown", *flags) == 1
    printed = capsys.readouterr().out
    assert fixed_lines(printed) == fixed_lines((DOCS / page).read_text(encoding="utf-8"))


def test_the_chinese_page_has_the_same_numbers() -> None:
    """And no English text is left in it but names."""
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in ("reproduced.md", "reproduced.zh-CN.md")]
    numbers = [re.findall(r"(?<=\| )[-+]?[0-9][0-9.,]*[0-9]|(?<=\| )[0-9]", page) for page in pages]
    assert numbers[0] == numbers[1]
    for results in catalog.FORMATS.values():
        for text in (results.title, results.words, results.rule, *results.tables()):
            assert len(text) < 20 or text not in pages[1]  # shorter ones are names


def test_an_overall_number_is_made_of_its_groups_up_to_their_rounding(tmp_path: Path) -> None:
    rows = compare(
        catalog.FORMATS["gpt_image_edit"],
        Clone(gpt_image_edit(tmp_path)),
        {"GEdit-Bench-EN, full set: Ours overall": "6.09"},
    )
    found = {(row.table, row.row): row for row in rows if row.ours}
    gedit = found["GEdit-Bench-EN, full set", "Ours"]
    assert gedit.ours is not None
    assert (gedit.ours.value, gedit.ours.num_read, gedit.verdict) == (pytest.approx(6.091), 11, "same")
    assert ("GEdit-Bench-EN, full set", "No groups") not in found
    assert found["Complex-Edit", "Ours"].ours == Recomputed("Complex-Edit", "Ours", "overall", 8.0, 3, slack=0.005)
    near = Recomputed("t", "r", "c", 4.185, 11, slack=0.005)
    assert Compared("t", "r", "c", 2, 4.19, near).verdict == "same up to rounding"
    assert Compared("t", "r", "c", 2, 4.20, near).verdict == "differs"


def test_the_accuracy_of_the_leaderboard_is_over_samples_not_categories(tmp_path: Path) -> None:
    found = number("risebench", risebench(tmp_path), "leaderboard", "Mine overall")
    assert found.value == pytest.approx(21.1)  # 17, 9, 50 and 0 of 85, 90, 100 and 85; the mean of categories is 20


def test_a_readme_without_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PublishedDataError, match=r"must hold the table leaderboard \(Model"):
        compare(catalog.FORMATS["risebench"], Clone(write(tmp_path, {"README.md": "nothing"})), {})


def test_the_page_counts_every_published_number(clones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended("reproduce", "all", "--from", str(clones), "--markdown")
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    counts = [[int(cell) for cell in row[2:7]] for row in rows if len(row) == 9 and row[2].isdigit()]
    tables = [table for results in catalog.FORMATS.values() for table in results.tables().values()]
    assert sorted(total for total, *_ in counts) == sorted(len(table.numbers) for table in tables)
    assert all(total == sum(kinds) for total, *kinds in counts)


def test_every_format_and_every_table_without_results_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("reproduce", "--list") == 0
    said = capsys.readouterr().out
    assert all(name in said for name in catalog.FORMATS)
    assert all(table.reason in said for table in catalog.NOT_PUBLIC)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vieskore", "--from", "."), "did you mean viescore?"),
        (("mmrb2",), "name a format and its folder"),
        (("mmrb2", "--from", "nowhere"), "no such folder"),
        (("--list", "--markdown"), "stands alone"),
        (("all", "--from", ".", "--published", "edit accuracy=1"), "name the format"),
        (("mmrb2", "--from", ".", "--published", "edit accuracy=nan"), "the printed digits"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("reproduce", *arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_published_number_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("reproduce", "mmrb2", "--from", str(mmrb2(tmp_path)), "--published", "edits accuracy=55") == 2
    assert "no such number; there are accuracy of the sample judgements, %: image accuracy" in capsys.readouterr().err
