"""The first page as Python writes it: every text of ours in two languages, nothing of a run as markup, little code."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_fakes import believable_rows, report_of, row_of

from editeval.reports.badge import certificate_line, certificate_warnings, decide_badge
from editeval.reports.data import Report, survey
from editeval.reports.i18n import Message, chinese_category, clean, english, is_word
from editeval.reports.site import page
from editeval.reports.site.first_page import RunView, first_page
from editeval.reports.site.payload import IssueCounts, run_block
from editeval.reports.site.payload import row_of as front_row
from editeval.reports.site.thumbnails import Pictures, SampleImages
from editeval.types import Metric

SAME = {"num_shared": 3, "wins": 2, "ties": 1, "losses": 0, "difference": 0.5, "low": 0.1, "high": 0.9}
SAME |= {"first": {"num_scored": 3, "num_samples": 4}, "second": {"num_scored": 4, "num_samples": 4}}
STEM = "0123456789abcdef" * 2
ELEMENTS = {
    *(
        "div",
        "header",
        "strong",
        "span",
        "main",
        "section",
        "h2",
        "h3",
        "p",
        "b",
        "small",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
    ),
    *(
        "a",
        "i",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "img",
        "figcaption",
        "details",
        "summary",
        "code",
    ),
    *("pre", "footer", "svg", "g", "rect", "line", "circle", "text", "tspan", "title"),
}
ATTRIBUTES = {
    *("class", "id", "data-t", "data-args", "data-tail", "data-label", "data-go", "data-find", "data-english"),
    *("data-chinese", "aria-label", "aria-hidden", "scope", "tabindex", "hidden", "open", "role", "dir", "src", "alt"),
    *("loading", "decoding", "draggable", "viewbox", "preserveaspectratio", "x", "y", "x1", "x2", "y1", "y2", "cx"),
    *("cy", "r", "width", "height", "text-anchor"),
}


class Tree(HTMLParser):
    """Elements with their attributes and own texts; every element that was opened was closed."""

    VOID = ("img",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        texts: list[str] = []
        self.found.append((tag, {name: value or "" for name, value in attrs}, texts))
        if tag not in self.VOID:
            self.open.append((tag, texts))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1][1].append(data)

    def texts(self) -> str:
        return " ".join("".join(texts) for *_, texts in self.found)


def timeline() -> dict[str, Any]:
    lanes = [
        {"stage": stage, "judging_id": "j", "worker": n, "device": "cpu", "load_s": 0.5, "busy_s": 3.0, "idle_s": 1.0}
        | {"num_requests": 2, "spans": [[0.0, 0.5, "load", 1], [1.0, 2.0, "done", 1], [3.5, 1.0, "failed", 3]]}
        for n, stage in enumerate(("edit", "edit", "judge"))
    ]
    phases = dict.fromkeys(("load_s", "edit_s", "both_s", "swap_s", "judge_s"), 1.0)
    pauses = [{"at": 2.0, "seconds": 60.0}]
    return {"seconds": 12.0, "lanes": lanes, "phases": phases, "pauses": pauses, "batches": [1.0, 1.001, 4.0]}


def certificate(verdict: str = "not certified") -> dict[str, Any]:
    check = {"name": "order", "metric": "overall", "value": 0.51234, "num_compared": 40, "required": "0.9"}
    checks = [check | {"status": "failed"}, check | {"status": "not applicable"}]
    return {"verdict": verdict, "checks": checks, "num_samples": 30}


def block_of(tmp_path: Path, count: int = 60, **changes: Any) -> dict[str, Any]:
    rows = believable_rows(count)
    report = report_of(rows, tmp_path, timeline=timeline(), certificate=certificate(), **changes)
    return blocked(report)


def blocked(report: Report) -> dict[str, Any]:
    from editeval.reports.data import surveyed

    tally = IssueCounts(report.scale(report.headline_metric).is_higher_better)
    picture = SampleImages(STEM, "png", 64, 64)
    for place, row in enumerate(report.samples()):
        tally.add(front_row(row, Pictures(picture, None, picture), ["overall", "completeness", "preservation"]), place)
    block: dict[str, Any] = json.loads(json.dumps(run_block(report, surveyed(report), tally, 1795000500.0)))
    return block


def drawn(block: dict[str, Any], index: int = 0) -> RunView:
    return RunView(block, "thumbs/{}.webp".format, index)


def tree_of(*blocks: dict[str, Any], **more: Any) -> Tree:
    return Tree(first_page([drawn(block, index) for index, block in enumerate(blocks)], **more))


def words_of(tree: Tree) -> Iterator[tuple[str, dict[str, str], str]]:
    for _, attributes, texts in tree.found:
        for kind in ("data-t", "data-label"):
            if kind in attributes:
                yield attributes[kind], attributes, "".join(texts)


def test_the_front_end_stays_below_60_000_bytes() -> None:
    """As a person reads it: JavaScript and style sheets as they are, the words being data."""
    sizes = {name: len(page.asset(name)) for name in page.SCRIPTS + page.STYLES}
    assert sum(sizes.values()) < 60_000, sizes
    static = Path(page.__file__).parent / "static"
    others = {"words.json", "single.css"}  # data; of a page of its own
    assert set(sizes) == {path.name for path in static.iterdir()} - others, "and no file is left out"


def test_every_text_of_ours_carries_its_word_and_is_that_word(tmp_path: Path) -> None:
    tree = tree_of(block_of(tmp_path), block_of(tmp_path), comparisons=[SAME | {"is_same_judge": False}], num_shared=7)
    seen = Counter(word for word, *_ in words_of(tree))
    assert {word for word in seen if not is_word(word)} == set()
    for word, attributes, text in words_of(tree):
        values = json.loads(attributes.get("data-args", "[]"))
        if "data-t" in attributes:
            assert text == english(word, *values) + attributes.get("data-tail", "")
        else:
            assert attributes["aria-label"] == english(word)
    for title in (
        "coverage",
        "why_title",
        "scores_title",
        "time_title",
        "ratings_title",
        "certificate_title",
        "provenance",
    ):
        assert seen[title] >= 2, title
    left = {t for *_, texts in tree.found for t in texts if re.fullmatch(r"[a-z]+_[a-z_]+", t)}
    assert left <= {"batch_sync", "bounded_drift", "round_robin", "worker_died", "prompts_sha256"}, (
        "no word stands bare"
    )


def test_every_warning_is_said_in_both_languages(tmp_path: Path) -> None:
    rows = [row_of(0, value=None), row_of(1, "failed"), row_of(2, "pending"), row_of(3), row_of(4)]
    rows += [replace(row_of(n), flags=(flag,), sha256="0" * 64) for n, flag in ((5, "black"), (6, "constant"))]
    rows += [replace(row_of(7), flags=("unchanged",))]
    about_judges = certificate_warnings({"exact": (certificate(), ())})
    unfinished = [replace(row_of(8), scores={}), row_of(9)]
    for chosen in (rows, rows[:1], unfinished):
        _, warnings = decide_badge(survey(iter(chosen), "overall"), about_judges=about_judges)
        tree = Tree(first_page([drawn(blocked(report_of(chosen, tmp_path, warnings=warnings)))]))
        lines = [(a, "".join(texts)) for tag, a, texts in tree.found if tag == "li" and "class" not in a]
        assert [text for _, text in lines] == [str(one) for one in warnings] == [a["data-english"] for a, _ in lines]
        assert [a["data-chinese"] for a, _ in lines] == [one.chinese for one in warnings]
        assert all(re.search("[\u4e00-\u9fff]", one.chinese) for one in warnings)
    expected = "Judge exact: NOT CERTIFIED: 0 of 1 checks passed, 30 samples; order (overall) 0.51, needs 0.9."
    assert str(warnings[-1]) == expected
    assert (
        warnings[-1].chinese
        == "评判模型 exact：未通过认证：1 项检查中 0 项通过，30 个样本；order（overall）为 0.51，要求 0.9。"
    )


def test_on_the_chinese_page_nothing_but_data_is_english(tmp_path: Path) -> None:
    models = {"edit": {"model": str(Message("simulated_model"))}}
    report = report_of(believable_rows(60), tmp_path, timeline=timeline(), certificate=certificate())
    run = {**report.run, "planted": {"mean": 5.0}, "judgings": [JUDGED, JUDGED | {"name": "other"}]}
    block = blocked(replace(report, run=run, provenance={**report.provenance, "models": models}))
    said = tree_of(block, block, comparisons=[SAME | {"is_same_judge": False}], num_shared=7)
    bare = (text for _, marks, texts in said.found if not {"data-t", "data-chinese"} & set(marks) for text in texts)
    data = json.dumps(block, ensure_ascii=False)
    units = {"editeval", "min", "UTC"}
    left = {word for text in bare for word in re.findall("[A-Za-z]{2,}", text) if word not in data} - units
    assert not left


def test_a_report_of_before_has_its_warnings_in_english_alone(tmp_path: Path) -> None:
    block = block_of(tmp_path) | {"warnings": ["2 of 60 edits failed."]}
    assert "2 of 60 edits failed." in tree_of(block).texts()


JUDGED: dict[str, Any] = {"name": "exact", "id": "j", "judge": "exact", "prefix": "", "protocol": "", "metrics": []}
JUDGED |= {"certificate": {"verdict": "not certified", "line": certificate_line(certificate())}}
HOSTILE = [
    "<script>alert(1)</script>",
    "</script></title></svg></div><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "]]>--><!--",
    "&lt;b&#62;&amp;",
    "\x00\x1b[31m\u202egnp\u2028\ud800",
    "javascript:alert(1)",
    "__proto__",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_run_says_is_text(tmp_path: Path, text: str) -> None:
    rows = [replace(row_of(0), id=text, category=text, instruction=text, device=text)]
    rows += [replace(row_of(1, "failed"), error_reason=text, error_message=text)]
    judging = {"name": text, "id": "j", "judge": text, "metrics": [text], "prefix": text, "certificate": {"line": text}}
    report = report_of(
        rows,
        tmp_path,
        warnings=(Message("judge_warning", (text, text)),),
        provenance={text: text, "argv": [text], "config": {text: text}},
    )
    run = {
        **report.run,
        "name": text,
        "editor": text,
        "devices": [text],
        "judgings": [judging, judging],
        "policy": text,
    }
    lanes = [{**lane, "device": text, "stage": text} for lane in timeline()["lanes"]]
    policies = ({"policy": text, "makespan_s": 1.0, "idle_fraction": 0.0, "max_drift": 0},)
    report = replace(report, run=run, timeline=timeline() | {"lanes": lanes}, policies=policies)
    block = blocked(replace(report, certificate=certificate(text)))
    tree = tree_of(block, block, comparisons=[SAME | {"is_same_judge": True}])
    assert {tag for tag, *_ in tree.found} <= ELEMENTS
    names = {name for _, attributes, _ in tree.found for name in attributes}
    assert names <= ATTRIBUTES
    sources = {attributes["src"] for tag, attributes, _ in tree.found if tag == "img"}
    assert sources == {f"thumbs/{STEM}.webp"}
    assert clean(text) in tree.texts(), "and it is there to be read"
    assert not re.search("[\x00-\x08\u202e\u2028\ud800]", tree.texts())


def test_waiting_for_failures_is_said_beside_the_policy_that_had_it(tmp_path: Path) -> None:
    rows = [row_of(0), row_of(1)]
    both = [{"policy": p, "makespan_s": 9.0, "idle_fraction": 0.0, "max_drift": 0} for p in ("batch_sync", "dynamic")]
    report = report_of(rows, tmp_path, policies=(both[0] | {"failures_s": 4.0}, both[1]), timeline=timeline())
    said = tree_of(blocked(report)).texts()
    assert said.count("for failures") == 1 and "4.00 s" in said


def test_a_picture_that_is_not_named_by_us_is_not_asked_for(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    place = block["row"].index("source")
    for _, row in block["worst"]:
        row[place] = ["../../etc/passwd", "png", 1, 1]
    sources = {attributes.get("src", "") for _, attributes, _ in tree_of(block).found}
    assert not [source for source in sources if "passwd" in source]


def test_links_name_the_run_if_there_are_several_and_quote_what_data_say(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    row = block["row"].index("id")
    block["worst"][0][1][row] = "a&show=failed#\ud800/ü"
    places = [attributes["data-find"] for _, attributes, _ in tree_of(block).found if "data-find" in attributes]
    assert "page=compare&id=a%26show%3Dfailed%23%3F%2F%C3%BC" in places
    assert not any("model=" in place for place in places)
    two = tree_of(block, block, comparisons=[SAME | {"is_same_judge": True}])
    assert any("&model=1" in attributes.get("data-find", "") for _, attributes, _ in two.found)
    assert [a["data-go"] for _, a, _ in two.found if "data-go" in a] == ["run=0", "run=1"]


def test_runs_that_share_no_scored_sample_are_called_not_comparable(tmp_path: Path) -> None:
    nothing = SAME | {"num_shared": 0, "wins": 0, "ties": 0, "difference": None, "low": None, "high": None}
    tree = tree_of(block_of(tmp_path), block_of(tmp_path), comparisons=[nothing | {"is_same_judge": True}])
    texts = tree.texts()
    assert "not comparable: no sample was scored in both" in texts and "3/4 \u00b7 4/4" in texts
    assert not re.search(r"[+-]\d\.\d\d", texts), "no number"


def test_another_judge_is_said_beside_the_difference(tmp_path: Path) -> None:
    two = block_of(tmp_path), block_of(tmp_path)
    said = {same: tree_of(*two, comparisons=[SAME | {"is_same_judge": same}]).texts() for same in (True, False)}
    assert "judged differently" in said[False] and "judged differently" not in said[True]
    assert "2 / 1 / 0" in said[True] and "+0.50" in said[True] and "0.10 \u2013 0.90" in said[True]


def test_without_scores_there_is_no_number_and_without_a_judge_no_certificate(tmp_path: Path) -> None:
    unscored = blocked(report_of([row_of(0, value=None)], tmp_path))
    assert "Nothing was scored." in tree_of(unscored).texts()
    edits = blocked(report_of([row_of(0)], tmp_path, headline_metric="", summaries=()))
    texts = tree_of(edits).texts()
    assert "no judge was asked" in texts and "Judge certificate" not in texts and "1 of 1 samples edited" in texts
    assert "were scored" not in texts, "nobody scored them, enough or not"


def test_an_example_of_an_unscored_sample_is_the_message_and_not_its_encoding(tmp_path: Path) -> None:
    row = row_of(0, value=None)
    score = replace(row.scores["overall"], raw='{"message": "the sample has no mask"}')
    texts = tree_of(blocked(report_of([replace(row, scores={"overall": score})], tmp_path))).texts()
    assert "the sample has no mask" in texts and '{"' not in texts


def test_categories_are_said_in_both_languages_and_unknown_ones_in_none(tmp_path: Path) -> None:
    rows = [row_of(0), replace(row_of(1), category="mine")]
    tree = tree_of(blocked(report_of(rows, tmp_path)))
    said = {"".join(texts): attributes.get("data-chinese") for _, attributes, texts in tree.found}
    assert said["physical"] == chinese_category("physical") == "\u7269\u7406 physical" and said["mine"] is None


def test_the_worst_scores_are_the_highest_where_lower_is_better(tmp_path: Path) -> None:
    rows = [row_of(index, value=float(index)) for index in range(9)]
    is_lower_better = {"overall": Metric("overall", 0, None, is_higher_better=False)}
    for scales, expected in (({}, range(6)), (is_lower_better, range(3, 9))):
        block = blocked(report_of(rows, tmp_path, scales=scales))
        assert {row[block["row"].index("values")][0] for _, row in block["worst"]} == set(map(float, expected))
        assert block["lower"] == list(scales)
    assert "Worst scores" in tree_of(block).texts()


def test_an_empty_report_is_a_page_too(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"summaries": (), "timing": {}, "policies": (), "provenance": {}, "statistics": ()}
    block = blocked(report_of([], tmp_path, run={}, **empty))
    assert "0 of 0 samples scored" in tree_of(block).texts()


def test_missing_scores_are_drawn_as_bounds_and_several_runs_in_one_drawing(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    kinds = Counter(attributes.get("class", "") for _, attributes, _ in tree_of(block).found)
    assert kinds["bounds"] and kinds["interval"] and kinds["bin"] and kinds["c0"] == 7 and kinds["c1"] == 0
    two = tree_of(block, block, comparisons=[SAME | {"is_same_judge": True}])
    kinds = Counter(attributes.get("class", "") for _, attributes, _ in two.found)
    assert kinds["c0"] == kinds["c1"] == 14, "in the tables of both"


def test_an_interval_that_cannot_be_trusted_is_a_word_and_its_reason_is_said(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    doubted = {"ci_low": None, "ci_high": None, "interval_note": "few_distinct"}
    block["summaries"] = [one | doubted if one["category"] != "macro" else one for one in block["summaries"]]
    told = SAME | {"is_same_judge": True, "low": None, "high": None, "interval_note": "dominant_cluster"}
    said = Counter(word for word, *_ in words_of(tree_of(block, block, comparisons=[told])))
    assert said["unreliable"] == 2 * (1 + 6) + 3, (
        "result and table of each run; two rows and one pair of the comparison"
    )
    assert said["why_few_distinct"] == 2 * 2 + 1 and said["why_dominant_cluster"] == 1


def test_equal_scores_are_identical_and_not_unreliable(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    equal = SAME | {"is_same_judge": True, "low": None, "high": None, "interval_note": "no_variation"}
    said = Counter(word for word, *_ in words_of(tree_of(block, block, comparisons=[equal | {"reason": "identical"}])))
    alone = Counter(word for word, *_ in words_of(tree_of(block, block, comparisons=[equal | {"reason": ""}])))
    assert (said["identical"], said["why_no_variation"]) == (1, 0)
    assert (alone["identical"], alone["why_no_variation"]) == (0, 1)
    assert alone["unreliable"] == said["unreliable"] + 1


def test_a_report_of_before_without_reasons_is_still_drawn(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    for one in block["summaries"]:
        del one["interval_note"]
    assert "unreliable" not in {word for word, *_ in words_of(tree_of(block))}


def test_the_gantt_chart_draws_what_can_be_told_apart(tmp_path: Path) -> None:
    block = block_of(tmp_path)
    classes = Counter(attributes.get("class", "") for _, attributes, _ in tree_of(block).found)
    assert classes["span is-load"] == 3 and classes["span is-edit"] == 2 and classes["span is-judge"] == 1
    assert classes["span is-failed"] == 3 and classes["pause"] == 1
    assert classes["batch"] == 2, "two boundaries a hair apart are one line"


def test_every_judge_without_a_certificate_is_named_and_that_is_said_in_both_languages(tmp_path: Path) -> None:
    none = {"verdict": None, "created_at": None, "line": "judge has no certificate"}
    block = blocked(report_of([row_of(0)], tmp_path))
    block["run"]["judgings"] = [{"name": name, "certificate": none} for name in ("pixels", "other")]
    tree = tree_of(block)
    said = [attributes for _, attributes, _ in tree.found if attributes.get("data-t") == "no_certificate"]
    assert len(said) == 2 and "pixels: " in tree.texts() and "other: " in tree.texts()


def test_what_is_only_unfinished_is_continued_and_not_tried_again(tmp_path: Path) -> None:
    """A judge that has not been asked has not failed, and `retry` would have nothing to do."""
    rows = [replace(row_of(0), scores={}), row_of(1)]
    _, warnings = decide_badge(survey(iter(rows), "overall"))
    said = [str(one) for one in warnings]
    assert "1 of 2 edits not judged yet: this run is unfinished." in said
    assert not [line for line in said if "could not be scored" in line]
    argv = ["editeval", "run", "c.yaml", "--fresh", "--limit", "4"]
    report = report_of(rows, tmp_path)
    text = tree_of(blocked(replace(report, provenance={**report.provenance, "argv": argv}))).texts()
    assert "editeval retry" not in text and "editeval run c.yaml --limit 4" in text, "--fresh would begin again"
    failed = tree_of(blocked(report_of([*rows, row_of(2, "failed")], tmp_path))).texts()
    assert "editeval retry" in failed
