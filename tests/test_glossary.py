"""One term per concept: the Chinese pages and the report's Chinese use the words of docs/glossary.md and no others."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.zh-CN.md"), *(ROOT / "docs").glob("*.zh-CN.md"), ROOT / "tools" / "docs_words.zh-CN.json"]
)
REPORT = next((ROOT / "src" / "editeval").rglob("words.json"))


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def chinese_texts() -> dict[str, str]:
    words = json.dumps(json.loads(REPORT.read_text(encoding="utf-8")), ensure_ascii=False)
    return {page.name: page.read_text(encoding="utf-8") for page in PAGES} | {REPORT.name: words}


def test_the_glossary_has_one_row_per_term() -> None:
    terms = [row[0] for row in rows()]
    assert len(terms) > 25 and len(set(terms)) == len(terms)
    chinese = [row[1] for row in rows()]
    assert len(set(chinese)) == len(chinese) and all(len(row) == 5 and all(row) for row in rows())


def test_chinese_pages_use_the_terms_of_the_glossary() -> None:
    unwanted = {word: row[1] for row in rows() for word in row[4].split("、")}
    assert len(unwanted) > 30 and len(PAGES) > 4
    found = [
        f"{name}: {word!r} is {term!r} in the glossary"
        for name, text in chinese_texts().items()
        for word, term in unwanted.items()
        if word in text
    ]
    assert not found, "\n".join(found)
