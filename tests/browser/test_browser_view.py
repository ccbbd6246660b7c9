"""`editeval view` in a real browser: several runs side by side, ratings saved in the runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from browser_runs import config_of, picture
from playwright.sync_api import expect

from conftest import Open, made, run_editeval, shot


def headline_scores(run: Path) -> dict[str, float]:
    rows = map(json.loads, (run / "samples.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: float(row["scores"]["overall"]["value"]) for row in rows}


def test_two_runs_stand_side_by_side(open_page: Open, runs: dict[str, Path], served: Callable[..., str]) -> None:
    page = open_page(served(runs["simulated"], runs["identity"]))
    expect(page.locator("main")).to_contain_text("identity-")
    expect(page.locator("table").first.locator("tbody tr")).to_have_count(2)
    expect(page.locator("main.summary")).to_have_count(1)
    first, second = (headline_scores(runs[name]) for name in ("simulated", "identity"))
    paired = page.locator("table").nth(1).locator("tbody tr")
    mean = sum(first[key] - second[key] for key in first) / len(first)
    expect(paired).to_contain_text(f"20{sum(first[k] > second[k] for k in first)} / ")
    expect(paired).to_contain_text(f"{mean:+.2f}")
    shot(page, "two-runs-summary", full_page=True)
    page.get_by_role("link", name=runs["identity"].name).click()
    expect(page.locator("main .score")).to_contain_text("0.00")
    expect(page.get_by_role("link", name=runs["identity"].name)).to_have_attribute("aria-current", "page")
    page.click("#language")
    expect(page.locator("h2").first).to_have_text("运行")
    page.click("#language")
    expect(page.locator("h2").first).to_have_text("Runs")
    page.keyboard.press("p")
    expect(page.locator(".head span")).to_have_count(5)
    page.select_option("[data-state=sort]", "gap")
    page.wait_for_timeout(200)
    shot(page, "two-runs-grid")
    page.select_option("[data-state=model]", "1")
    page.select_option("[data-state=show]", "unchanged")
    expect(page.locator(".toolbar output")).to_have_text("20 of 20")
    page.select_option("[data-state=model]", "0")
    expect(page.locator(".toolbar output")).not_to_have_text("20 of 20")
    page.evaluate("ui.go({page: 'compare', show: '', model: '', id: 'physical/0002'})")
    expect(page.locator("figure")).to_have_count(4)
    shot(page, "two-runs-compare")
    page.keyboard.press("d")
    expect(page.locator("figure")).to_have_count(2)
    page.keyboard.press("h")
    text = page.locator("main").inner_text()
    assert "simulated" not in text and "identity" not in text
    shot(page, "two-runs-blind")


def test_every_source_and_every_reference_of_a_sample_is_shown(
    open_page: Open, tmp_path: Path, served: Callable[..., str]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        (images / f"{number}.png").write_bytes(picture(number))
    rows: list[dict[str, object]] = [
        {"id": "one", "image_path": "0.png"},
        {"id": "many", "image_path": ["1.png", "2.png", "3.png"], "ref": ["0.png"]},
    ]
    records = [row | {"edit_instruction_en": "mix them", "subset": "c"} for row in rows]
    (images / "records.json").write_text(json.dumps(records), encoding="utf-8")
    fields = {"id": "id", "image": "", "image_path": "image_path", "references_path": "ref"}
    params = {"path": str(images / "records.json"), "fields": fields}
    run = made(tmp_path, "several", config_of({"type": "json_records", "params": params}, "identity"), 3)
    page = open_page(served(run), "#page=grid")
    expect(page.locator(".several img")).to_have_count(4)
    shot(page, "several-grid")
    page.locator(".row", has_text="many").locator("[data-column='1']").click()
    captions = page.locator("figcaption b:first-child")
    expect(captions).to_have_text(["source 1", "source 2", "source 3", "reference", "edit"])
    shot(page, "several-compare")
    page.evaluate("ui.go({id: 'one'})")
    expect(captions).to_have_text(["source", "edit"])


def test_blind_order_differs_between_samples_and_not_between_visits(
    open_page: Open, runs: dict[str, Path], served: Callable[..., str]
) -> None:
    page = open_page(served(runs["simulated"], runs["identity"]), "#page=compare&blind=1")
    orders = []
    for _ in range(2):
        page.evaluate("ui.go({id: 'physical/0000'})")
        seen = []
        for _ in range(12):
            sources = page.locator("figure img").evaluate_all("list => list.map(i => i.src.match(/runs.(\\d)/)[1])")
            seen.append("".join(sources[-2:]))
            page.keyboard.press("ArrowRight")
        orders.append(seen)
    assert orders[0] == orders[1]
    assert set(orders[0]) == {"01", "10"}


def test_ratings_are_saved_in_the_run_at_once(
    open_page: Open, runs: dict[str, Path], served: Callable[..., str]
) -> None:
    run = runs["identity"]
    page = open_page(served(run), "#page=compare&id=physical%2F0001")
    for key in ("b", "2"):
        with page.expect_response("**/ratings"):
            page.keyboard.press(key)
    kept = json.loads((run / "ratings.json").read_text())
    assert kept["ratings"] == {"physical/0001": {"verdict": "bad", "stars": 2}}
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    expect(page.locator("button[data-rate=bad]")).to_have_attribute("aria-pressed", "true")
    with page.expect_response("**/ratings"):
        page.keyboard.press("u")
    assert json.loads((run / "ratings.json").read_text())["ratings"] == {}


def test_different_benchmarks_are_refused_or_intersected(
    open_page: Open, runs: dict[str, Path], served: Callable[..., str], tmp_path: Path
) -> None:
    larger = made(tmp_path, "larger", config_of({"type": "procedural", "params": {"num_per_category": 5}}, "identity"))
    refused = run_editeval("view", str(runs["simulated"]), str(larger), "--no-open")
    assert refused.returncode == 2
    assert "different benchmarks" in refused.stderr and "--intersect" in refused.stderr
    page = open_page(served(runs["simulated"], larger, "--intersect"))
    expect(page.locator("main")).to_contain_text("that every run has are shown")
    page.keyboard.press("p")
    left = page.locator(".toolbar output").inner_text()
    total = int(left.partition(" of ")[2])
    assert 0 < total <= 20
