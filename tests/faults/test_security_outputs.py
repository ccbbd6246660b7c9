"""Rows S1, S2 and S14 of the security table: no output obeys what a data set, a model or a judge says."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import hostile
import pytest

from command_line import cli
from editeval.reports.site import page
from editeval.reports.tables import unguarded

ALLOWED_IN_MARKDOWN = {
    "h1",
    "h2",
    "p",
    "strong",
    "ul",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "code",
}


ALLOWED_IN_PAGE = {
    *("html", "head", "meta", "link", "title", "body", "noscript", "template", "script", "header", "main", "section"),
    *(
        "nav",
        "aside",
        "footer",
        "div",
        "span",
        "p",
        "b",
        "i",
        "small",
        "strong",
        "h2",
        "h3",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
    ),
    *("a", "button", "form", "input", "label", "output", "select", "option", "textarea", "dialog", "kbd", "details"),
    *("summary", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "code", "pre", "br"),
    *("svg", "g", "rect", "line", "circle", "text", "tspan"),
}


class Tags(HTMLParser):
    """Names and attributes of every element, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One finished hostile run, and what the command line said."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile.configuration(folder, hostile.benchmark(folder / "data"))
    said = {
        "dry run": cli("run", "hostile.yaml", "--allow-code", "--dry-run", cwd=folder),
        "run": cli("run", "hostile.yaml", "--allow-code", cwd=folder),
        "status": cli("status", cwd=folder),
        "report": cli("report", "--allow-code", cwd=folder),
        "verify": cli("verify", cwd=folder),
        "check": cli("check", "hostile.yaml", "--allow-code", cwd=folder),
    }
    return SimpleNamespace(folder=folder, dir=(folder / "outputs" / "latest").resolve(), said=said)


def test_the_hostile_run_is_complete_and_every_text_is_kept_as_it_is(run: Any) -> None:
    codes = {name: done.returncode for name, done in run.said.items()}
    assert codes == {"dry run": 0, "run": 3, "status": 3, "report": 3, "verify": 0, "check": 0}
    rows = [json.loads(line) for line in (run.dir / "samples.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert [row["id"] for row in rows] == list(hostile.TEXTS.values())
    messages = {row["id"]: row["edit"]["error"]["message"] for row in rows if row["edit"]["error"]}
    assert 5 < len(messages) < 20
    assert all(" ".join(text.split())[:50] in message for text, message in messages.items())


def test_nothing_that_is_printed_or_logged_steers_a_terminal_or_forges_a_line(run: Any) -> None:
    texts = {name: done.stdout + done.stderr for name, done in run.said.items()}
    texts["log"] = (run.folder / "outputs" / "logs" / "hostile.log").read_text(encoding="utf-8")
    for name, text in texts.items():
        assert "Traceback" not in text
        found = {c for c in text if c in hostile.CONTROLS and c != "\n"}
        assert not found, f"{name}: {found}"
        assert not [line for line in text.split("\n") if line.startswith("2026-01-01 00:00:00")], name


def test_a_long_category_leaves_room_for_the_figures(run: Any) -> None:
    assert "5.00" in run.said["run"].stdout


def test_no_cell_of_the_table_is_a_formula_and_every_text_comes_back(run: Any) -> None:
    with (run.dir / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [unguarded(row["id"]) for row in rows] == list(hostile.TEXTS.values())
    assert [unguarded(row["instruction"]) for row in rows] == list(hostile.TEXTS.values())
    for row in rows:
        for name, cell in row.items():
            first = unicodedata.normalize("NFKC", cell).lstrip("\u200b\ufeff \u00a0")[:1]
            is_number = name in ("position", "seed", "overall", "care")
            assert is_number or first not in tuple("=+-@\t\r\0"), (name, cell[:60])


def test_markdown_of_the_report_has_no_element_but_its_own(run: Any) -> None:
    from markdown_it import MarkdownIt

    text = (run.dir / "report.md").read_text(encoding="utf-8")
    assert not {c for c in text if c in hostile.CONTROLS and c != "\n"}
    tags = Tags(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert {tag for tag, _ in tags.found} <= ALLOWED_IN_MARKDOWN
    assert all(set(attributes) <= {"style"} for _, attributes in tags.found), "table cells are aligned, nothing else"
    assert text.count("\n# ") == 0 and text.startswith("# "), "one title"


def test_the_page_has_no_element_or_attribute_from_data(run: Any) -> None:
    text = (run.dir / "report.html").read_text(encoding="utf-8")
    tags = Tags(text)
    assert {tag for tag, _ in tags.found} <= ALLOWED_IN_PAGE
    sources = [attributes["src"] for tag, attributes in tags.found if tag == "img"]
    assert all(re.fullmatch(r"report/thumbs/[0-9a-f]{32}\.webp", source or "") for source in sources) and sources
    scripts = sum(tag == "script" for tag, _ in tags.found)
    assert scripts == 2 + len(page.SCRIPTS), "ours, and the two blocks of data"
    assert not [attributes for _, attributes in tags.found if attributes.get("src") == "x"]
    assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)
    links = [v for _, a in tags.found for k, v in a.items() if k in ("href", "src", "action", "formaction", "srcdoc")]
    assert not [link for link in links if link and "evil" in link]
    policy = next(a["content"] for tag, a in tags.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "default-src 'none'" in policy


def test_json_of_the_report_is_plain_json_with_escapes_for_what_breaks_lines(run: Any) -> None:
    text = (run.dir / "report.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert not {c for c in text if c in {"\u2028", "\u2029", "\x85", "\x9b"}}


def test_file_names_come_from_hashes_and_nothing_is_written_elsewhere(run: Any) -> None:
    names = [path.relative_to(run.folder) for path in run.folder.rglob("*")]
    assert {name.parts[0] for name in names} == {"data", "outputs", "hostile.yaml"}
    images = [path.name for path in (run.dir / "edits").iterdir()]
    assert len(images) > 5 and all(len(n) == 36 and set(n[:32]) <= set("0123456789abcdef") for n in images)
    assert all(str(name).isascii() for name in names)
