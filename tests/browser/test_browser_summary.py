"""The first page without JavaScript, and the pages of samples that have no edit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from report_fakes import report_of, row_of

from conftest import Open, address_of, run_editeval, shot
from editeval.reports.site.write import write_report_html


@pytest.mark.parametrize("hosting", ["beside the run", "one file"])
def test_the_summary_can_be_read_without_javascript(
    chromium: Browser, runs: dict[str, Path], tmp_path: Path, hosting: str
) -> None:
    address = address_of(runs["simulated"])
    if hosting == "one file":
        done = run_editeval("report", str(runs["simulated"]), "--embed", str(tmp_path / "one.html"))
        assert done.returncode == 0, done.stderr
        address = f"file://{tmp_path}/one.html"
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    report = json.loads((runs["simulated"] / "report.json").read_text())
    mean = next(s["mean"] for s in report["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    expect(page.locator(".score")).to_contain_text(f"{mean:.2f}")
    expect(page.locator("main")).to_contain_text("20 of 20 samples scored")
    expect(page.locator("table.scores tbody tr")).to_have_count(7)
    expect(page.locator(".gantt .span").first).to_be_visible()
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_text("editeval run").first).to_be_visible()
    page.locator(".cards").scroll_into_view_if_needed()
    expect(page.locator(".sample img")).to_have_count(18)
    shot(page, f"no-script-{hosting.replace(' ', '-')}", full_page=True)
    sizes = [image.bounding_box() for image in page.locator(".sample img").all()]
    assert all(box is not None and box["width"] > 50 and box["height"] > 50 for box in sizes)
    assert page.locator("button:visible, main a[href]").count() == 0, "nothing that would need a script"
    assert said == []
    context.close()


def test_samples_that_failed_or_are_not_edited_yet_have_their_page(open_page: Open, tmp_path: Path) -> None:
    rows = [row_of(0), row_of(1, "failed"), row_of(2, "pending"), row_of(3, value=None)]
    history = {
        rows[1].id: [{"stage": "edit", "attempt": 1, "reason": "oom", "device": "cpu", "seconds": 1.5, "message": "m"}]
    }
    path = write_report_html(replace(report_of(rows, tmp_path), histories=history), tmp_path)
    page = open_page(f"file://{path}", "#page=compare")
    for row, words in zip(rows, ("overall", "edit 1: oom cpu, 1.50 s", "not edited yet", "unparsable"), strict=True):
        expect(page.locator(".id")).to_have_text(row.id)
        expect(page.locator("main")).to_contain_text(words)
        expect(page.locator("aside .copyable")).to_be_visible()
        expect(page.locator(".message")).to_be_empty()
        page.keyboard.press("ArrowRight")


def test_tables_stay_readable_in_a_narrow_window_whatever_a_category_is_called(open_page: Open, tmp_path: Path) -> None:
    """A reason is not broken into pieces, and a name does not push the figures out of sight."""
    failed = replace(row_of(0, "failed"), error_reason="out_of_memory", error_message="no room for what was asked")
    named = [replace(row_of(1), category="\u7c7b" * 40), replace(row_of(2), category="m" * 80)]
    write_report_html(report_of([failed, *named, row_of(6)], tmp_path), tmp_path)
    page = open_page(address_of(tmp_path), viewport={"width": 400, "height": 900})
    reason = page.locator(".causes tbody td").first
    expect(reason).to_have_text("out_of_memory")
    one_line = (
        "cell => { const r = document.createRange(); r.selectNodeContents(cell); return r.getClientRects().length }"
    )
    assert reason.evaluate(one_line) == 1
    widths = page.locator(".scores tbody th").evaluate_all("cells => cells.map(cell => cell.offsetWidth)")
    assert max(widths) <= 240, widths
    shot(page, "narrow-tables", full_page=True)
