"""Texts that try to become scripts stay texts, on every page and in every hosting."""

from __future__ import annotations

import html
from pathlib import Path

from browser_runs import PAYLOADS
from playwright.sync_api import Page, expect

from conftest import Open, address_of, run_editeval, shot

ALLOWED = (
    "a article aside b body br button code dd details dialog div dl dt figcaption figure footer form h2 h3 head header "
    "html i img input kbd label li link main meta meter nav noscript option output p pre script section select small "
    "span strong style summary table tbody td template textarea th thead title tr ul svg rect line circle text tspan g"
)


def assert_inert(page: Page) -> None:
    """Only elements that we make, no handlers in attributes, and nothing loaded from elsewhere."""
    tags = set(page.evaluate("[...document.querySelectorAll('*')].map(n => n.localName)"))
    assert tags <= set(ALLOWED.split()), tags
    names = page.evaluate("[...document.querySelectorAll('*')].flatMap(n => n.getAttributeNames())")
    assert not [name for name in names if name.startswith("on")]
    sources = page.evaluate("[...document.querySelectorAll('[src]')].map(n => n.getAttribute('src'))")
    assert all(
        source.startswith(("report/", "edits/", "app/", "runs/0/", "data:image/webp;base64,")) for source in sources
    )
    links = page.evaluate("[...document.querySelectorAll('[href]')].map(n => n.getAttribute('href'))")
    assert all(link.startswith(("#", "report/app/", "app/")) or link == "data:," for link in links)


def look_everywhere(page: Page) -> None:
    assert_inert(page)
    page.evaluate("ui.go({page: 'grid'})")
    page.wait_for_timeout(200)
    expect(page.locator(".toolbar output")).to_have_text(f"{len(PAYLOADS)} of {len(PAYLOADS)}")
    assert_inert(page)
    page.evaluate("ui.go({page: 'compare', id: ui.samples[0].id})")
    for _ in PAYLOADS:
        page.wait_for_timeout(80)
        assert_inert(page)
        page.keyboard.press("g")
        page.keyboard.press("ArrowRight")
    page.evaluate("ui.go({page: 'summary'})")
    page.wait_for_timeout(100)
    expect(page.locator("main")).to_contain_text(f"{len(PAYLOADS)}; 0 of them blind")
    assert_inert(page)


def test_hostile_run_executes_nothing_from_the_disk(open_page: Open, hostile: Path) -> None:
    page = open_page(address_of(hostile))
    look_everywhere(page)
    assert PAYLOADS[0] in page.locator("main").inner_text()
    shot(page, "hostile", full_page=True)


def test_hostile_run_executes_nothing_in_one_file(open_page: Open, hostile: Path, tmp_path: Path) -> None:
    done = run_editeval("report", str(hostile), "--allow-code", "--embed", str(tmp_path / "one.html"))
    assert done.returncode == 3, done.stderr
    page = open_page(f"file://{tmp_path}/one.html")
    look_everywhere(page)
    page.evaluate("ui.go({page: 'compare', id: ui.samples[1].id})")
    expect(page.locator("aside")).to_contain_text("Thumbnails")
    assert page.locator(".stage img").first.evaluate("i => i.complete && i.naturalWidth > 0")


def test_hostile_run_executes_nothing_when_served(open_page: Open, hostile: Path, served: object) -> None:
    page = open_page(served(hostile))  # type: ignore[operator]
    look_everywhere(page)
    (hostile / "ratings.json").unlink()


def test_hostile_addresses_do_nothing(open_page: Open, hostile: Path) -> None:
    page = open_page(address_of(hostile))
    names = ("q", "id", "sort", "z", "base", "column", "run", "model", "min", "cut", "gain", "mode", "metric", "page")
    value = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    for page_name in ("summary", "grid", "compare"):
        for name in names:
            page.goto(f"{address_of(hostile)}#{name}={value}&page={page_name}")
            page.wait_for_selector(".app[data-ready=true] main")
            assert_inert(page)
        page.goto(f"{address_of(hostile)}#page={page_name}&" + "&".join(f"{name}={value}" for name in names))
        page.reload()
        page.wait_for_selector(".app[data-ready=true] main")
        assert_inert(page)


def test_a_page_from_another_place_cannot_be_made_to_run_code(open_page: Open, hostile: Path) -> None:
    text = (hostile / "report.html").read_text(encoding="utf-8")
    policy = html.unescape(text.partition('Content-Security-Policy" content="')[2].partition('"')[0])
    assert "unsafe" not in policy and "default-src 'none'" in policy and "require-trusted-types-for 'script'" in policy
    for file in (hostile / "report" / "data").glob("*.js"):
        body = file.read_text(encoding="utf-8")
        assert "<" not in body and "\u2028" not in body and body.startswith("ui.receive(")
