"""report.html and its folder: inert whatever the data say, complete, chunked, and cheap to write again."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report_fakes import believable_rows, draw_edits, drawing, row_of

from editeval.reports.data import CHANGED, Report
from editeval.reports.site import page, payload
from editeval.reports.site.thumbnails import Found, ThumbnailStore
from editeval.reports.site.write import FIRST_FILE, write_embedded_html, write_report_html
from editeval.store.records import SampleRow
from editeval.types import Metric, Score

Make = Callable[..., Report]
PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>-->",
    '"><img src=x onerror=alert(1)>',
    "\\u003cscript\\u003e",
    "\x1b[31m\x00\x08\u202e",
    "a\nb\r\nc\u2028d\u2029e",
    "\ud800",
    "</template></style></title>",
    "&lt;&#60;",
    "${x}`'\\",
]


class Markup(HTMLParser):
    """Tags of a page, and the text of its data blocks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.blocks.append((self.tags[-1][1], data))


def told(directory: Path, name: str) -> Any:
    """What the data file called `name` hands over."""
    text = (directory / "report" / "data" / f"{name}.js").read_text(encoding="utf-8")
    match = re.fullmatch(r'ui\.receive\("\w+", \d+, (.*)\);\n', text, re.DOTALL)
    assert match, text[:100]
    return json.loads(match[1])


def rows_of(directory: Path) -> list[dict[str, Any]]:
    """Every row of every file, by the names of their columns."""
    run = told(directory, "run")
    files = -(-run["num_samples"] // run["chunk"])
    return [dict(zip(run["row"], row, strict=True)) for n in range(files) for row in told(directory, f"rows-{n}")]


def hostile_row(payload: str) -> SampleRow:
    score = Score("x", "fake", "overall", 3.0, raw=payload)
    return replace(
        row_of(0),
        id=payload,
        category=payload,
        instruction=payload,
        device=payload,
        cluster=payload,
        scores={"overall": score},
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_leaves_no_markup_in_any_file(make_report: Make, tmp_path: Path, payload: str) -> None:
    failed = replace(row_of(1, "failed"), error_reason=payload, error_message=payload)
    rows = [hostile_row(payload), failed]
    report = make_report(
        rows, warnings=(payload,), provenance={payload: payload, "argv": [payload], "config": {payload: 1}}
    )
    report = replace(report, run={**report.run, "name": payload}, histories={payload: [{"message": payload}]})
    path = write_report_html(report, tmp_path)
    for file in (tmp_path / "report" / "data").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert not re.search("[<>&\u2028\u2029\x00-\x09\x0b-\x1f]", text)
    safe = payload.encode("utf-8", "replace").decode()
    assert rows_of(tmp_path)[0]["instruction"].encode("utf-8", "replace").decode() == safe
    harmless = write_report_html(make_report([row_of(0), row_of(1, "failed")]), tmp_path / "harmless")
    clean = {tag for tag, _ in Markup(harmless.read_text(encoding="utf-8")).tags}
    page_of_it = Markup(path.read_text(encoding="utf-8"))
    assert {tag for tag, _ in page_of_it.tags} <= clean | {"ul", "li"}
    assert not [name for _, attributes in page_of_it.tags for name in attributes if name.startswith("on")]
    one = write_embedded_html(report, tmp_path, tmp_path / "one.html").read_text(encoding="utf-8")
    assert {tag for tag, _ in Markup(one).tags} <= clean | {"style"}


def test_page_allows_exactly_its_own_files(make_report: Make, tmp_path: Path) -> None:
    text = write_report_html(make_report([row_of(0)]), tmp_path).read_text(encoding="utf-8")
    markup = Markup(text)
    (policy,) = [attrs["content"] for tag, attrs in markup.tags if attrs.get("http-equiv")]
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'self' file:;")
    assert "unsafe" not in policy and "connect-src" not in policy
    linked = {attrs["src"] for tag, attrs in markup.tags if tag == "script" and attrs.get("src")}
    assert linked == {f"report/app/{name}" for name in page.SCRIPTS}
    assert all((tmp_path / str(source)).is_file() for source in linked)
    assert "://" not in "".join(page.asset(name).decode() for name in page.STYLES)


def test_one_file_allows_exactly_its_script_and_style_and_needs_no_other(make_report: Make, tmp_path: Path) -> None:
    draw_edits([row_of(0)], tmp_path)
    report = make_report([_hashed(row_of(0), tmp_path)])
    text = write_embedded_html(report, tmp_path, tmp_path / "one.html").read_text(encoding="utf-8")
    policy = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    for kind, opening in (("script", "<script>"), ("style", "<style>")):
        body = text.partition(opening)[2].partition(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    blocks = {str(attrs.get("data-kind")): body for attrs, body in Markup(text).blocks}
    assert {"rows-0", "details-0", "run-0", "thumb"} <= set(blocks)
    assert json.loads(blocks["run-0"])["num_samples"] == 1
    assert text.count('data-kind="thumb"') == 3
    assert text.count('src="data:image/webp;base64,') == 3, "the pictures of the Summary need no script"
    assert "file:" not in policy and not re.search(r'(src|href)="(?!data:,|#)', text.partition("<script type")[0])


def test_every_sample_is_told_in_order_with_scores_reasons_and_pictures(
    make_report: Make, rows: list[SampleRow], tmp_path: Path
) -> None:
    rows = rows[:40]
    draw_edits(rows, tmp_path)
    rows = [_hashed(row, tmp_path) for row in rows]
    write_report_html(make_report(rows), tmp_path)
    shown = rows_of(tmp_path)
    assert [row["id"] for row in shown] == [row.id for row in rows]
    assert shown[12]["complaints"] == ["failed"] and shown[12]["reason"] == "oom" and shown[12]["edited"] is None
    assert shown[30]["complaints"][0] == "unscored" and shown[30]["whys"] == ["unparsable"] * 3
    first = shown[0]
    assert first["values"][0] == pytest.approx(rows[0].scores["overall"].value, abs=1e-4)
    for role, size in (("source", 384), ("target", 384), ("edited", 384)):
        stem, extension, width, height = first[role]
        assert (tmp_path / "report" / "thumbs" / f"{stem}.webp").stat().st_size > 0
        assert (width, height) == (size, size)
        assert role == "edited" or (tmp_path / "report" / "pictures" / f"{stem}.{extension}").is_file()
    assert (tmp_path / FIRST_FILE).is_file()
    details = told(tmp_path, "details-0")
    assert dict(zip(told(tmp_path, "run")["detail"], details[0], strict=True))["seed"] == 1000


def _hashed(row: SampleRow, directory: Path) -> SampleRow:
    if row.edited_path is None:
        return row
    return replace(row, sha256=hashlib.sha256((directory / row.edited_path).read_bytes()).hexdigest())


def test_complaints_are_counted_and_the_lowest_of_every_category_shown(make_report: Make, tmp_path: Path) -> None:
    rows = [row_of(index, value=(index + 1) / 10) for index in range(50)]
    write_report_html(make_report(rows, images=lambda _: (None, None)), tmp_path)
    run = told(tmp_path, "run")
    counts = dict(run["complaints"])
    assert counts["missing"] == sum(row.scores["completeness"].value < 4 for row in rows)  # type: ignore[operator]
    worst = [dict(zip(run["row"], row, strict=True)) for _, row in run["worst"]]
    assert [row["id"] for row in worst] == [row.id for row in rows[:5]] + [rows[5].id]
    assert run["histograms"]["physical"][0] == 1


def test_a_page_of_scores_without_ends_speaks_of_no_ends(make_report: Make, tmp_path: Path) -> None:
    rows = [row_of(index, value=index / 4 - 3) for index in range(20)] + [row_of(20, value=None)]
    scales = {"overall": Metric("overall", None, None)}
    write_report_html(make_report(rows, images=lambda _: (None, None), scales=scales), tmp_path)
    run, page = told(tmp_path, "run"), (tmp_path / "report.html").read_text("utf-8")
    assert run["scale"] == {"low": -3.0, "high": 2.0, "words": "(no bounds)", "is_open": True}
    assert run["ends"] == {"overall": [], "completeness": [0.0, 10.0], "preservation": [0.0, 10.0]}
    assert sum(map(sum, run["histograms"].values())) == 20
    assert 'data-t="no_bounds"' in page and "of 10" not in page.partition("<script")[0]


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (Metric("overall", 0.0, 25.0), "none scored below 10."),
        (Metric("overall", 0.0, 1.0), "none scored below 0.4."),
        (Metric("overall", 0.0, 1.0, is_higher_better=False), "no edit failed"),
    ],
)
def test_the_bound_of_low_scores_is_told_on_their_own_scale(
    scale: Metric, said: str, make_report: Make, tmp_path: Path
) -> None:
    value = 0.0 if not scale.is_higher_better else scale.high
    rows = [row_of(index, value=value) for index in range(3)]
    rows = [replace(row, scores={"overall": row.scores["overall"]}) for row in rows]
    write_report_html(make_report(rows, images=lambda _: (None, None), scales={"overall": scale}), tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert said in page and "below 4" not in page


@pytest.mark.parametrize(("count", "chunks"), [(0, 0), (1, 1), (500, 1), (501, 2)])
def test_samples_come_in_chunks_and_old_ones_go(make_report: Make, tmp_path: Path, count: int, chunks: int) -> None:
    stale = tmp_path / "report" / "data" / "rows-7.js"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_report_html(
        make_report([row_of(i, "pending") for i in range(count)], images=lambda _: (None, None)), tmp_path
    )
    assert len(list((tmp_path / "report" / "data").glob("rows-*.js"))) == chunks
    assert len(rows_of(tmp_path)) == count


def test_equal_reports_are_equal_bytes_but_for_the_time(make_report: Make, tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        found = {
            str(p.relative_to(tmp_path)): p.read_bytes() for p in (tmp_path / "report").rglob("*.*") if p.is_file()
        }
        return {name: re.sub(rb'"written_at": ?[\d.]+', b"", data) for name, data in found.items()}

    rows = believable_rows(20)
    draw_edits(rows, tmp_path)
    rows = [_hashed(row, tmp_path) for row in rows]
    write_report_html(make_report(rows), tmp_path)
    before = files()
    write_report_html(make_report(rows, images=_not_asked), tmp_path)
    assert files() == before


def _not_asked(sample_id: str) -> tuple[bytes | None, bytes | None]:
    raise AssertionError(f"{sample_id}: the pictures are there already")


def test_pictures_made_by_the_run_are_not_made_again(make_report: Make, tmp_path: Path) -> None:
    rows = believable_rows(4)
    draw_edits(rows, tmp_path)
    rows = [_hashed(row, tmp_path) for row in rows]
    store = ThumbnailStore(tmp_path)
    (tmp_path / "report").mkdir()
    for row in rows:
        edited = (tmp_path / str(row.edited_path)).read_bytes()
        store.add(Found(row.id, drawing(row.position), drawing(row.position, 1.0), edited, row.sha256))
    write_report_html(make_report(rows, images=_not_asked), tmp_path)
    assert all(row["edited"] and row["target"] for row in rows_of(tmp_path))


def test_what_a_kill_left_behind_is_made_again(tmp_path: Path) -> None:
    digest = hashlib.sha256(drawing(2)).hexdigest()
    found = Found("a", drawing(1), None, drawing(2), digest)
    made = ThumbnailStore(tmp_path).add(found)
    assert ThumbnailStore(tmp_path).find("a", digest) == made
    assert ThumbnailStore(tmp_path).find("a", "1" * 64) is None  # another edit of the same sample
    index = tmp_path / "report" / "pictures.jsonl"
    index.write_text(index.read_text() + '["b", null, [')
    assert ThumbnailStore(tmp_path).find("a", digest) == made
    assert made.source is not None
    (tmp_path / "report" / "thumbs" / f"{made.source.stem}.webp").write_bytes(b"")  # a power cut
    assert ThumbnailStore(tmp_path).find("a", digest) is None
    ThumbnailStore(tmp_path).add(found)
    assert ThumbnailStore(tmp_path).find("a", digest) == made


@pytest.mark.parametrize("flag", ["black", "constant", "unchanged"])
def test_what_the_ledger_flags_is_a_complaint(make_report: Make, tmp_path: Path, flag: str) -> None:
    write_report_html(make_report([replace(row_of(0), flags=(flag,))]), tmp_path)
    assert rows_of(tmp_path)[0]["complaints"] == [flag]


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_other_sizes_are_a_complaint(make_report: Make, tmp_path: Path) -> None:
    edited = drawing(1, size=300)
    row = replace(row_of(0), sha256=hashlib.sha256(edited).hexdigest())
    pictures = ThumbnailStore(tmp_path).add(Found(row.id, drawing(1), None, edited, row.sha256))
    assert "size" in payload.complaints(row, pictures, ["overall"])


def test_pictures_carry_no_metadata(make_report: Make, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret canary"
    buffer = io.BytesIO()
    Image.new("RGB", (900, 500), "teal").save(buffer, "JPEG", exif=exif)
    write_report_html(make_report([row_of(0)], images=lambda _: (buffer.getvalue(), None)), tmp_path)
    files = [path for path in (tmp_path / "report").rglob("*.*") if path.suffix in (".webp", ".png", ".jpg")]
    assert len(files) == 2
    assert all(b"canary" not in path.read_bytes() for path in files)
    (small,) = [path for path in files if path.suffix == ".webp"]
    with Image.open(small) as image:
        assert image.size == (320, 178)


@pytest.mark.parametrize("path", ["../outside.png", "/etc/hostname", "edits/../../outside.png"])
def test_pictures_outside_the_run_are_never_read(make_report: Make, tmp_path: Path, path: str) -> None:
    inside = tmp_path / "run"
    inside.mkdir()
    (tmp_path / "outside.png").write_bytes(drawing(1))
    report = make_report([replace(row_of(0), edited_path=path)], images=lambda _: (None, None))
    write_report_html(replace(report, run={**report.run, "dir": str(inside)}), inside)
    assert rows_of(inside)[0]["edited"] is None
    assert list((inside / "report" / "thumbs").iterdir()) == []


def test_a_picture_that_cannot_be_had_is_none(make_report: Make, tmp_path: Path) -> None:
    write_report_html(make_report([row_of(0)], images=lambda _: (b"not a picture", None)), tmp_path)
    (row,) = rows_of(tmp_path)
    assert (row["source"], row["target"], row["edited"]) == (None, None, None)


def test_empty_report_can_be_written(make_report: Make, tmp_path: Path) -> None:
    report = make_report([], run={}, summaries=(), timing={}, policies=(), batches=(), provenance={}, statistics=())
    write_report_html(report, tmp_path)
    assert told(tmp_path, "run")["worst"] == []


def test_memory_does_not_grow_with_the_samples(make_report: Make, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        base = make_report([row_of(0)], images=lambda _: (None, None))
        report = replace(base, samples=lambda: (row_of(i, "pending") for i in range(count)))
        directory = tmp_path / str(count)
        directory.mkdir()
        tracemalloc.start()
        write_report_html(report, directory)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small, large = peak(500), peak(2_000)
    assert large - small < 1_500 * 1_000  # the index of pictures: some hundred bytes for each


def _written_by(report: Report, directory: Path) -> dict[str, Any]:
    write_report_html(report, directory)
    return rows_of(directory)[0]


def test_an_edit_that_changed_since_is_not_shown_nor_linked_and_is_again_when_it_is_back(
    make_report: Make, tmp_path: Path
) -> None:
    rows = believable_rows(1)
    draw_edits(rows, tmp_path)
    row = _hashed(rows[0], tmp_path)
    place = tmp_path / str(row.edited_path)
    report, data = make_report([row]), place.read_bytes()
    assert _written_by(report, tmp_path)["edited"]
    place.write_bytes(drawing(99))
    for _ in range(2):
        found = _written_by(report, tmp_path)
        assert (found["edited"], found["path"], found["notes"]) == (None, None, {"edited": CHANGED})
    place.write_bytes(data)
    found = _written_by(report, tmp_path)
    assert found["edited"] and found["path"] and found["notes"] is None
    place.unlink()
    assert _written_by(report, tmp_path)["edited"], "its thumbnail is in the run"


def test_a_source_that_changed_since_is_not_shown(make_report: Make, tmp_path: Path) -> None:
    row = row_of(0)
    changed = make_report([row], images=lambda _: (CHANGED, None))
    for _ in range(2):
        found = _written_by(changed, tmp_path)
        assert found["source"] is None and found["notes"] == {"source": CHANGED}
    assert not list((tmp_path / "report" / "pictures").iterdir())
    assert _written_by(make_report([row]), tmp_path)["source"]


def test_a_picture_too_large_to_decode_costs_itself_and_says_its_numbers(make_report: Make, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (7000, 7000)).save(buffer, "PNG")
    found = _written_by(make_report([row_of(0)], images=lambda _: (buffer.getvalue(), drawing(1))), tmp_path)
    assert found["source"] is None and found["target"]
    assert "7000x7000" in found["notes"]["source"] and "MiB" in found["notes"]["source"]
