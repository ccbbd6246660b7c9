"""report.md and the terminal: what was asked for, nothing invented, nothing that a terminal would obey."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from report_fakes import row_of
from rich.console import Console

from editeval.reports.badge import official_lines
from editeval.reports.data import Report
from editeval.reports.format import policy_line
from editeval.reports.markdown import render_report_md, write_report_md
from editeval.reports.terminal import render_terminal
from editeval.store.records import SampleRow
from editeval.text import duration, fixed, printable, share, span

Make = Callable[..., Report]
HOSTILE = "[red]x[/red] [link=http://evil]y[/link] \x1b[2J\x1b]8;;http://evil\x07 \u202eabc\u2066 \x9b31m `a` <b> | *c* [d](http://e)"


def shown(report: Report, width: int = 140, is_terminal: bool = False) -> str:
    out = io.StringIO()
    render_terminal(report, Console(file=out, width=width, force_terminal=is_terminal, color_system="truecolor"))
    return out.getvalue()


def test_markdown_shows_only_the_statistics_asked_for(make_report: Make, rows: list[SampleRow], tmp_path: Path) -> None:
    text = write_report_md(make_report(rows, statistics=("median", "count")), tmp_path).read_text("utf-8")
    header = next(line for line in text.splitlines() if line.startswith("| category"))
    assert header == "| category | median | quartiles | n | coverage | if all scored |"
    assert "mean" not in text


def test_markdown_of_a_complete_run_has_no_bounds(make_report: Make, tmp_path: Path) -> None:
    report = make_report([row_of(i, value=i / 3) for i in range(20)])
    text = write_report_md(report, tmp_path).read_text("utf-8")
    assert (
        "| category | mean | 95 % interval | std | median | quartiles | min | max | at 0 / 10 | n | coverage |" in text
    )
    assert "if all" not in text


def test_an_interval_that_cannot_be_trusted_is_a_word_and_the_reason_stands_below(make_report: Make) -> None:
    rows = [row_of(i, value=i / 3) for i in range(20)]
    report = make_report(rows)
    doubted = [s if s.category == "micro" else replace(s, interval_note="dominant_cluster") for s in report.summaries]
    doubted = [replace(s, ci_low=None, ci_high=None) if s.interval_note else s for s in doubted]
    report = replace(report, summaries=tuple(doubted))
    for text in (render_report_md(report), " ".join(shown(report, width=200).split())):
        assert text.count("unreliable") >= 6 and "95 % interval unreliable" not in text
        assert "Unreliable: one source image has more than a fifth of the weight. (physical, environmental" in text
    whole = [replace(s, ci_low=None, ci_high=None, interval_note="few_distinct") for s in report.summaries]
    assert "of 10, 95 % interval unreliable;" in render_report_md(replace(report, summaries=tuple(whole)))


def test_nothing_scored_is_said_and_no_number_is_shown(make_report: Make, tmp_path: Path) -> None:
    report = make_report([row_of(0, "failed"), row_of(1, "failed")], timing={}, policies=())
    text = write_report_md(report, tmp_path).read_text("utf-8")
    assert "Nothing was scored, so there is no result." in text
    assert "## overall" not in text
    assert not re.search(r"\d\.\d\d", text.replace("3.1 GiB", "").replace("1.2 GiB", ""))
    assert "Nothing was scored" in shown(report)
    assert "median" not in shown(report)


def test_category_without_scores_shows_dashes_never_zeros(make_report: Make, tmp_path: Path) -> None:
    rows = [row_of(0, "failed"), *[row_of(i, value=5.0 + i / 10) for i in (1, 6, 11)]]
    text = write_report_md(make_report(rows), tmp_path).read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("| physical"))
    assert line == "| physical | - | - | - | - | - | - | - | - / - | 0/1 | 0 % | 0.00 to 10.00 |"


def test_terminal_shows_categories_bounds_causes_time_and_path(make_report: Make, rows: list[SampleRow]) -> None:
    text = shown(make_report(rows))
    for words in ("physical", "macro", "micro", "95 % interval", "if all scored", "263/270", "97.4 %", "worker_died"):
        assert words in text
    assert "batch_sync 5 min 02 s" in text
    assert "report.html" in text
    assert "editing 5 min 02 s" in text


def test_no_metric_of_many_judges_is_cut_short_in_the_terminal(make_report: Make, rows: list[SampleRow]) -> None:
    report = make_report(rows)
    names = [f"judge{number}.preservation" for number in range(12)]
    more = [replace(s, metric=name) for name in names for s in report.summaries if s.metric == "preservation"]
    text = shown(replace(report, summaries=(*report.summaries, *more)), width=100)
    assert all(name in text for name in names)
    assert text.count("means") == 5 and "\u2026" not in text, "each of several tables names the categories again"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_terminal_obeys_nothing_from_data(make_report: Make, is_terminal: bool) -> None:
    row = replace(row_of(0, "failed"), id=HOSTILE, category=HOSTILE, error_reason=HOSTILE, error_message=HOSTILE)
    other = replace(row_of(1), category=HOSTILE)
    report = make_report([row, other], headline_metric="overall")
    report = replace(report, run={**report.run, "name": HOSTILE}, warnings=(HOSTILE,))
    text = shown(report, width=600, is_terminal=is_terminal)
    own = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "[red]x[/red]" in own
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", own)
    assert "\x1b]8" not in text


def test_markdown_interprets_nothing_from_data(make_report: Make, tmp_path: Path) -> None:
    row = replace(row_of(0, "failed"), id=HOSTILE, error_message=f"{HOSTILE}\n# title\n\n<script>alert(1)</script>")
    report = make_report([row, row_of(1)])
    report = replace(report, run={**report.run, "name": HOSTILE})
    text = write_report_md(report, tmp_path).read_text("utf-8")
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\x1b" not in text
    assert "http://" not in text
    assert "\n# title" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[0m", "a\\x1b[0m"),
        ("a\r\nb\n\n c", "a / b / c"),
        ("a\u202eb\uffff", "a\\u202eb\\uffff"),
        (None, ""),
        ("物理", "物理"),
    ],
)
def test_printable_text_shows_what_it_cannot_print(value: str | None, text: str) -> None:
    assert printable(value) == text


def test_rounding_never_hides_a_missing_sample() -> None:
    assert share(99_999 / 100_000) == "99.9 %"
    assert share(1 / 100_000) == "0.1 %"
    assert (share(1.0), share(0.0), share(None)) == ("100 %", "0 %", "-")


def test_durations_read_as_a_person_says_them() -> None:
    assert [duration(s) for s in (0.5, 94.5, 301.7, 11_220, None)] == [
        "0.50 s",
        "94.5 s",
        "5 min 02 s",
        "3 h 07 min",
        "-",
    ]


def test_policy_line_compares_every_policy_with_the_one_used(make_report: Make, rows: list[SampleRow]) -> None:
    policies = tuple(
        {"policy": name, "makespan_s": makespan, "idle_fraction": None, "max_drift": None}
        for name, makespan in (("batch_sync", 94.5), ("round_robin", 94.5), ("dynamic", 92.0))
    )
    line = policy_line(make_report(rows, policies=policies))
    others = "round_robin 94.5 s (the same), dynamic 92.0 s (2.6 % less)"
    assert line == f"batch_sync 94.5 s; replayed from the measured durations: {others}"
    assert policy_line(make_report(rows, policies=())) == ""
    used = {"policy": "batch_sync", "makespan_s": 15.3, "failures_s": 4.0, "idle_fraction": None, "max_drift": None}
    line = policy_line(make_report(rows, policies=(used, policies[1] | {"makespan_s": 11.3, "failures_s": 0.1})))
    assert line.startswith("batch_sync 15.3 s, 4.00 s of it waiting for failures; replayed from")


def test_many_numbers_of_the_authors_are_counted_and_the_main_one_is_shown(make_report: Make) -> None:
    def numbers(count: int) -> list[dict[str, object]]:
        common = {"rule": "mean of all scores of x", "num_scored": 3, "num_scores": 4}
        return [{"name": f"N{i}", "value": i + 0.5, **common} for i in range(count)]

    report = make_report([row_of(0)])
    few = official_lines(replace(report, run={**report.run, "official": numbers(3)}))
    assert [name for name, _ in few] == [f"N{i}, authors' rule" for i in range(3)]
    many = official_lines(replace(report, run={**report.run, "official": numbers(13)}))
    assert many == [
        ("N0, authors' rule", "0.5 (mean of all scores of x); 3 of 4 scores"),
        ("further numbers, authors' rule", "12, in report.json: run.official"),
    ]


def test_a_small_score_keeps_two_significant_figures_in_at_most_four_decimals() -> None:
    exact = {0.1: "0.10", 0.0999: "0.10", 0.0994: "0.099", 0.05: "0.050", -0.0123: "-0.012", 0.00126: "0.0013"}
    assert {value: fixed(value) for value in exact} == exact
    assert [fixed(value) for value in (0, -0.0, 2e-9, -2e-9, None)] == ["0.00", "0.00", "0.0000", "0.0000", "-"]
    assert (fixed(7.256), fixed(-0.25), fixed(0.0456, 3), fixed(0.5, 3)) == ("7.26", "-0.25", "0.046", "0.500")
    assert span(0.004, 0.31) == "0.0040 \u2013 0.31"


def test_a_table_of_small_scores_shows_them(make_report: Make) -> None:
    report = make_report([row_of(i, value=0.001 * (i + 1)) for i in range(20)])
    for text in (render_report_md(report), shown(report, width=200)):
        assert "0.011" in text and "0.01 " not in text and "0.00 to" not in text


def test_below_98_percent_the_mean_is_called_no_headline(make_report: Make) -> None:
    rows = [row_of(i, value=i / 10) for i in range(98)]
    for report, is_told in ((make_report([*rows, row_of(98, value=None)]), False), (make_report(rows), False)):
        assert ("no headline" in render_report_md(report)) is is_told
    report = make_report([*rows, *[row_of(i, value=None) for i in range(98, 101)]])
    for text in (render_report_md(report), " ".join(shown(report, width=80).split())):
        assert "98 of 101 samples scored (97 %), no headline (that takes 98 %)" in text
    assert report.badge == "valid with warnings"


def test_quartiles_and_shares_at_the_ends_stand_in_the_table_and_a_saturated_scale_is_told(make_report: Make) -> None:
    report = make_report([row_of(i, value=10.0 if i < 12 else i / 10) for i in range(20)])
    counted = [
        replace(s, lower_quartile=1.5, upper_quartile=10.0, num_at_low=0, num_at_high=12) for s in report.summaries
    ]
    report = replace(report, summaries=tuple(counted))
    text = render_report_md(report)
    assert "| 1.50 to 10.00 |" in text and "| 0 % / 60 % |" in text
    assert "More than half of the scores are at the high end" in text and "high end" in shown(report, width=80)
    rates = tuple(replace(s, interval_kind="wilson") for s in counted)
    assert "More than half" not in render_report_md(replace(report, summaries=rates)), "yes/no has only ends"
