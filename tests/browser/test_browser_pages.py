"""The report of a real run, opened from the disk, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Page, expect
from scipy.stats import spearmanr

from conftest import Open, address_of, shot
from editeval.text import fixed


def hash_of(page: Page) -> str:
    return str(page.evaluate("location.hash"))


def ids(page: Page) -> list[str]:
    """Ids of the rows in sight, from top to bottom."""
    return list(
        page.evaluate(
            "[...document.querySelectorAll('.row')].map(n => [new DOMMatrix(n.style.transform).f,"
            " n.querySelector('code').textContent]).sort((a, b) => a[0] - b[0]).map(p => p[1])"
        )
    )


def zooms(page: Page) -> list[tuple[float, ...]]:
    """(scale, x, y) of the pictures of every column, offsets as shares of their frames."""
    found = page.evaluate(
        "[...document.querySelectorAll('.pan')].map(n => [new DOMMatrix(getComputedStyle(n).transform), n.clientWidth,"
        " n.clientHeight]).map(([m, w, h]) => [m.a, m.e / w, m.f / h])"
    )
    return [tuple(round(number, 2) for number in numbers) for numbers in found]


def test_first_page_says_what_came_out_what_went_wrong_and_where_the_time_went(
    open_page: Open, runs: dict[str, Path]
) -> None:
    page = open_page(address_of(runs["simulated"]))
    report = json.loads((runs["simulated"] / "report.json").read_text())
    mean = next(s["mean"] for s in report["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    expect(page.locator(".score")).to_contain_text(f"{mean:.2f}")
    expect(page.locator(".badge").first).to_contain_text(report["badge"])
    expect(page.locator(".warnings li")).to_have_count(len(report["warnings"]))
    expect(page.locator("table.scores tbody tr")).to_have_count(7)
    expect(page.locator(".sample")).to_have_count(6)
    assert page.locator(".sample img").evaluate_all("list => list.every(i => i.complete && i.naturalWidth > 0)")
    assert page.locator(".gantt .span").count() > 20
    assert page.locator(".gantt .batch").count() >= 9  # 20 samples in batches of two
    expect(page.locator("tr.used")).to_contain_text("batch_sync")
    expect(page.locator("body")).to_contain_text("editeval run")
    shot(page, "summary-light", full_page=True)


def test_every_complaint_leads_to_its_samples(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["identity"]))
    chip = page.locator("a.chip.is-unchanged")
    expect(chip).to_contain_text("20")
    chip.click()
    expect(page.locator(".toolbar output")).to_have_text("20 of 20")
    expect(page.locator(".row .tag").first).to_have_text("output equals the source")
    assert page.locator(".row").count() == page.locator(".row .tag", has_text="output equals the source").count() > 0


def test_filters_and_sorting_are_in_the_address(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=grid")
    expect(page.locator(".toolbar output")).to_have_text("20 of 20")
    page.select_option("[data-state=cat]", "causal")
    expect(page.locator(".toolbar output")).to_have_text("4 of 20")
    page.select_option("[data-state=sort]", "worst")
    page.wait_for_timeout(100)
    shown = ids(page)
    scores = [float(text) for text in page.locator(".row .value").all_inner_texts()]
    assert len(shown) == 4 and all(name.startswith("causal/") for name in shown)
    assert "cat=causal" in hash_of(page) and "sort=worst" in hash_of(page)
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    page.wait_for_timeout(200)
    assert ids(page) == shown
    assert sorted(scores) == sorted(float(text) for text in page.locator(".row .value").all_inner_texts())
    page.fill("[data-state=min]", "10")
    expect(page.locator(".none")).to_contain_text("No sample matches")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(".toolbar output")).to_have_text("20 of 20")
    page.fill("#search", "causal/0001")
    expect(page.locator(".toolbar output")).to_have_text("1 of 20")
    shot(page, "grid-filtered")


def test_worst_first_is_by_score_and_slowest_by_time(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=grid&sort=worst")
    page.wait_for_timeout(200)
    lines = [json.loads(line) for line in (runs["simulated"] / "samples.jsonl").read_text().splitlines()]
    values = [(line["scores"]["overall"]["value"], at, line["id"]) for at, line in enumerate(lines)]
    assert ids(page)[:5] == [name for *_, name in sorted(values)][:5]
    page.select_option("[data-state=sort]", "best")
    page.wait_for_timeout(100)
    assert ids(page)[0] == max(values, key=lambda entry: (entry[0], -entry[1]))[2]
    shot(page, "grid")


def test_where_lower_is_better_the_highest_score_is_the_worst(open_page: Open, distances: list[Path]) -> None:
    run = distances[1]
    lines = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    values = {line["id"]: line["scores"]["l1"]["value"] for line in lines}
    by_value = sorted(values, key=lambda name: values[name])
    page = open_page(address_of(run), "#page=grid&sort=worst")
    page.wait_for_timeout(200)
    assert [values[name] for name in ids(page)[:5]] == sorted(values.values(), reverse=True)[:5]
    page.select_option("[data-state=sort]", "best")
    page.wait_for_timeout(100)
    assert ids(page)[0] == by_value[0]
    page.select_option("[data-state=metric]", "psnr")
    page.fill("[data-state=min]", "10")  # PSNR goes to 100: no upper end is none, and not 10
    expect(page.locator(".toolbar output")).to_have_text("10 of 10")
    page.fill("[data-state=min]", "-1")
    assert "min=-1" in hash_of(page)
    page.evaluate(
        "ids => ids.forEach((id, i) => ui.rate(ui.runs[0], id, { stars: 5 - Math.floor(i / 2),"
        " verdict: i < 5 ? 'good' : 'bad' }))",
        by_value,
    )
    page.click("[data-go='page=summary']")
    shown = page.locator(".ratings")
    expect(shown).to_contain_text(re.compile(r"0\.9\d|1\.00"))  # the judge and the ratings agree
    expect(shown).to_contain_text("100.0 %")
    expect(page.locator(".heading h3").first).to_have_text("Worst scores")
    shot(page, "summary-lower-is-better", full_page=True)


def test_the_nearer_run_wins_where_lower_is_better(
    open_page: Open, served: Callable[..., str], distances: list[Path]
) -> None:
    page = open_page(served(*distances))
    told = page.locator(".runs table").nth(1)
    wins, _, losses = re.search(r"(\d+) / (\d+) / (\d+)", told.inner_text()).groups()  # type: ignore[union-attr]
    assert int(wins) > int(losses), "the first run is the nearer one"
    shot(page, "view-lower-is-better")


@pytest.mark.parametrize("mode", ["side", "slider", "blink", "diff"])
def test_every_mode_shows_full_size_pictures_in_step(open_page: Open, runs: dict[str, Path], mode: str) -> None:
    page = open_page(address_of(runs["simulated"]), f"#page=compare&id=physical%2F0002&mode={mode}")
    page.wait_for_function("[...document.querySelectorAll('.pan')].every(i => i.naturalWidth === 512)")
    assert page.locator(".pan").count() == (3 if mode == "side" else 2)
    box = page.locator(".frame").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(300)
    zoomed = zooms(page)
    assert len(set(zoomed)) == 1 and zoomed[0][0] == 3.32
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 8, box["y"] + box["height"] / 8)
    page.mouse.up()
    page.wait_for_timeout(300)
    moved = zooms(page)
    assert len(set(moved)) == 1 and moved != zoomed
    shot(page, f"compare-{mode}-zoomed")
    page.reload()
    page.wait_for_selector(".app[data-ready=true] .pan")
    page.wait_for_timeout(300)
    assert zooms(page) == moved
    page.keyboard.press("0")
    page.wait_for_timeout(50)
    assert set(zooms(page)) == {(1, 0, 0)}


def test_difference_of_equal_pictures_is_black_and_gain_lights_up_others(
    open_page: Open, runs: dict[str, Path]
) -> None:
    def brightness(run: Path, gain: int) -> float:
        page = open_page(address_of(run), f"#page=compare&id=physical%2F0002&mode=diff&gain={gain}")
        page.wait_for_function("[...document.querySelectorAll('.pan')].every(i => i.naturalWidth === 512)")
        page.wait_for_timeout(200)
        path = shot(page, f"diff-{run.name}-{gain}")
        box = page.locator(".frame").bounding_box()
        assert box is not None
        inside = (box["x"] + 20, box["y"] + 20, box["x"] + box["width"] - 20, box["y"] + box["height"] - 20)
        return float(sum(ImageStat.Stat(Image.open(path).convert("RGB").crop(tuple(map(int, inside)))).mean))

    assert brightness(runs["identity"], 32) < 0.1
    assert brightness(runs["simulated"], 1) < brightness(runs["simulated"], 8)


def test_instruction_scores_reply_and_facts_stand_beside_the_pictures(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=compare&id=physical%2F0002")
    panel = page.locator("aside")
    for words in ("overall", "completeness", "preservation", '"unit"', "seed", "cpu", "512 × 512", "editeval show"):
        expect(panel).to_contain_text(words)
    assert "causal" not in panel.inner_text(), "only of this sample"


def test_an_address_of_a_sample_that_is_not_there_says_so(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=compare&id=physical%2F9999")
    said = page.locator("main.none").inner_text()
    assert said == "No sample of this report is called physical/9999." and not page.locator("img").count()


def test_keyboard_alone_is_enough(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]))
    press = page.keyboard.press
    press("p")
    expect(page.locator("main.grid")).to_be_visible()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        press(key)
    assert "id=physical%2F0002" in hash_of(page)
    press("End")
    assert "referential%2F0003" in hash_of(page)
    press("Home")
    press("Enter")
    expect(page.locator("main.compare .id")).to_have_text("physical/0000")
    press("ArrowRight")
    expect(page.locator("main.compare .id")).to_have_text("physical/0001")
    for key, mode in (("l", "slider"), ("k", "blink"), ("d", "diff")):
        press(key)
        assert f"mode={mode}" in hash_of(page)
    press("]")
    assert "gain=8" in hash_of(page)
    press("x")
    assert "base=target" in hash_of(page)
    press("s")
    press("+")
    page.wait_for_timeout(250)
    assert "z=1.250" in hash_of(page)
    press("f")
    page.wait_for_timeout(250)
    press("0")
    page.keyboard.down(" ")
    assert "under" in str(page.locator(".stage").get_attribute("class"))
    page.keyboard.up(" ")
    assert "under" not in str(page.locator(".stage").get_attribute("class"))
    press("?")
    expect(page.locator("dialog")).to_be_visible()
    shot(page, "help")
    press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    press("Escape")
    expect(page.locator("main.grid")).to_be_visible()
    press("/")
    page.keyboard.type("0003")
    expect(page.locator(".toolbar output")).to_have_text("5 of 20")


def test_tab_reaches_every_control(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=compare&mode=diff")
    wanted = page.locator("header a, header button, main button, main select, main input").evaluate_all(
        "list => list.filter(n => n.checkVisibility()).length"
    )
    page.evaluate("window.seen = new Set(); addEventListener('focusin', e => seen.add(e.target))")
    for _ in range(wanted + 25):
        page.keyboard.press("Tab")
    kinds = "[...seen].filter(n => n.matches('header a, header button, main button, main select, main input')).length"
    assert page.evaluate(kinds) == wanted


def test_ratings_are_kept_exported_and_compared_with_the_judge(open_page: Open, runs: dict[str, Path]) -> None:
    run = runs["simulated"]
    before = (run / "samples.jsonl").read_bytes()
    page = open_page(address_of(run), "#page=compare&sort=best")
    for verdict, stars in (("b", "1"), ("b", "2"), ("t", "3"), ("g", "5"), ("g", "4")):
        page.keyboard.press(verdict)
        page.keyboard.press(stars)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("w")
    page.keyboard.press("c")
    page.keyboard.type("the <b>lake</b> is wrong")
    page.keyboard.press("Escape")
    expect(page.locator("button[data-rate=wrong]")).to_have_attribute("aria-pressed", "true")
    shot(page, "rated")
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    expect(page.locator("#comment")).to_have_value("the <b>lake</b> is wrong")
    page.goto(address_of(run) + "#")
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    expect(page.locator("main")).to_contain_text("6; 0 of them blind")
    expect(page.locator("main")).to_contain_text("4 pairs")
    rows = map(json.loads, (run / "samples.jsonl").read_text(encoding="utf-8").splitlines())
    highest = sorted((row["scores"]["overall"]["value"] for row in rows), reverse=True)[:5]
    assert len(set(highest)) == 5
    expect(page.locator(".ratings")).to_contain_text(f"{spearmanr(highest, [1, 2, 3, 5, 4]).statistic:.2f} (")
    expect(page.locator(".ratings")).to_contain_text("0.0 %, 4 pairs")
    with page.expect_download() as download:
        page.click(".export")
    exported = json.loads(Path(download.value.path()).read_text())
    (told,) = exported["runs"]
    assert told["run_id"] == json.loads((run / "manifest.json").read_text())["run_id"]
    kept = sorted(r.get("stars", 0) for r in told["ratings"].values())
    assert kept == [0, 1, 2, 3, 4, 5]
    assert (run / "samples.jsonl").read_bytes() == before


def test_blind_mode_hides_names_scores_and_replies(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]), "#page=compare&id=physical%2F0002&blind=1")
    text = page.locator("main").inner_text()
    assert "hidden" in text and "overall" not in text and "unit" not in text and "simulated" not in text
    page.keyboard.press("5")
    page.wait_for_timeout(1000)
    page.goto(address_of(runs["simulated"]) + "#")
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    expect(page.locator("main")).to_contain_text("1; 1 of them blind")


def test_language_and_theme_are_switched_and_remembered(open_page: Open, runs: dict[str, Path]) -> None:
    page = open_page(address_of(runs["simulated"]))
    page.click("#language")
    expect(page.locator("h2").first).to_have_text("覆盖率")
    page.click("#theme")
    page.reload()
    page.wait_for_selector(".app[data-ready=true]")
    expect(page.locator("h2").first).to_have_text("覆盖率")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    shot(page, "summary-chinese-dark", full_page=True)
    page.goto(address_of(runs["simulated"]) + "#page=compare")
    page.wait_for_selector("main.compare")
    shot(page, "compare-chinese-dark")
    chinese = open_page(address_of(runs["simulated"]), "#page=grid", locale="zh-CN", color_scheme="dark")
    expect(chinese.locator("header nav")).to_contain_text("样本")
    shot(chinese, "grid-chinese-dark")


@pytest.mark.parametrize("name", ["summary", "grid", "compare"])
def test_narrow_windows_need_no_sideways_scrolling(open_page: Open, runs: dict[str, Path], name: str) -> None:
    page = open_page(address_of(runs["simulated"]), f"#page={name}", viewport={"width": 420, "height": 900})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    shot(page, f"narrow-{name}", full_page=name != "grid")


def test_the_page_rounds_numbers_as_every_other_output_does(open_page: Open, runs: dict[str, Path]) -> None:
    values = [0.0, -0.0, 0.1, 0.0999, 0.0994, 0.05, -0.0123, 0.00126, 2e-9, -2e-9, 7.256, -0.25, 10.0]
    page = open_page(address_of(runs["simulated"]))
    assert page.evaluate("values => values.map(ui.fixed)", values) == [fixed(value) for value in values]


def test_every_word_is_there_in_both_languages(open_page: Open, runs: dict[str, Path]) -> None:
    static = Path(__file__).parent.parent.parent / "src" / "editeval" / "reports" / "site" / "static"
    words = json.loads((static / "words.json").read_text(encoding="utf-8"))["words"]
    assert all(len(pair) == 2 and all(pair) for pair in words.values())
    page = open_page(address_of(runs["simulated"]))
    for name in ("summary", "grid", "compare"):
        page.evaluate(f"ui.go({{page: '{name}'}})")
        page.wait_for_timeout(100)
        left = re.findall(r"\b[a-z]+_[a-z_]+\b", page.locator(".app").inner_text())
        assert not set(left) & set(words)
    sources = [*static.glob("*.js"), static.parent / "templates" / "page.html"]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    used = {*re.findall(r'\bt\("(\w+)"', code), *re.findall(r'data-(?:t|label)="(\w+)"', code)} - {"theme"}
    assert used <= set(words)
