"""Five thousand samples open within a second, twenty-five thousand scroll smoothly, both from the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_runs import SCROLL, large_report, opening_ms
from playwright.sync_api import expect

from conftest import Open, shot


@pytest.fixture(scope="module", params=[5_000, 25_000])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    return request.param, large_report(tmp_path_factory.mktemp("large") / "run", request.param)


def test_large_reports_open_and_scroll(open_page: Open, large: tuple[int, Path]) -> None:
    count, path = large
    page = open_page(f"file://{path}", "#page=grid")
    expect(page.locator(".toolbar output")).to_have_text(f"{count} of {count}")
    opened = opening_ms(page)
    told = page.evaluate(SCROLL)
    sorting = page.evaluate("(t => (ui.go({sort: 'worst'}), performance.now() - t))(performance.now())")
    frames = f"frame {told['median']:.0f} ms (95 %: {told['p95']:.0f} ms)"
    print(f"\n{count} samples: open {opened:.0f} ms, {frames}, sort {sorting:.0f} ms")
    assert opened < (1000 if count == 5_000 else 4000)
    assert told["p95"] < 100 and told["blanks"] == 0 and told["nodes"] < 20
    assert sorting < 1000
    page.keyboard.press("End")
    page.wait_for_timeout(200)
    expect(page.locator(".row[aria-selected=true]")).to_be_visible()
    shot(page, f"grid-{count}")
