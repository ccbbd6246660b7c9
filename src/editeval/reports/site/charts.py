"""Drawings, as SVG in units of their view boxes. Score axes run over the scale; nothing depends on colour alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from editeval.reports.site.markup import Child, Html, h, label, t
from editeval.reports.site.payload import Block
from editeval.text import duration, fixed, span

_WIDTH, _EDGE, _BASE, _HIGH, _STEP = 260, 8, 32, 24, 9
_GANTT_WIDTH, _GANTT_LEFT, _MOST_ROOMY = 1000, 110, 24
_NEAR = 2.5  # batch boundaries closer than this would be one black area


Ends = tuple[float, float]
"""Where a score axis begins and ends."""


def axis(ends: Ends) -> Html:
    texts = [h("text", f"{tick:.2g}", x=_x(tick, ends), y=11, text_anchor="middle") for tick in _ticks(ends)]
    return _drawing("strip", _WIDTH, 14, texts, aria_label=f"{ends[0]:.3g} \u2013 {ends[1]:.3g}")


def _ticks(ends: Ends) -> list[float]:
    low, width = ends[0], ends[1] - ends[0]
    num = int(width) if width in (1, 2, 3, 4) else 5
    return [low + width * n / num for n in range(num + 1)]


def strip(entries: Sequence[tuple[Block, int]], bins: Sequence[int], ends: Ends) -> Html:
    """Scores of a category: a histogram (of one run), and mean, interval and bounds of every (summary, colour)."""
    height = _BASE + _STEP * len(entries) - 4
    ticks = [_line("tick", _x(tick, ends), 0, _x(tick, ends), height) for tick in _ticks(ends)]
    marks = [_mark(one, colour, _BASE + _STEP * place, ends) for place, (one, colour) in enumerate(entries)]
    said = "; ".join(f"{fixed(one['mean'])} ({span(one['ci_low'], one['ci_high'])})" for one, _ in entries)
    return _drawing("strip", _WIDTH, height, ticks, list(_histogram(bins, ends)), marks, aria_label=said)


def _histogram(bins: Sequence[int], ends: Ends) -> Iterator[Html]:
    most, wide = max(bins, default=0), (_WIDTH - 2 * _EDGE) / max(1, len(bins))
    low, step = ends[0], (ends[1] - ends[0]) / max(1, len(bins))
    for place, count in enumerate(bins):
        if count > 0:
            high = max(2.0, count / most * _HIGH)
            title = h("title", f"{low + place * step:.4g} \u2013 {low + (place + 1) * step:.4g}: {count}")
            yield _rect("bin", _EDGE + place * wide + 0.4, _BASE - 4 - high, wide - 0.8, high, title)


def _mark(one: Block, colour: int, y: float, ends: Ends) -> Child:
    if one["mean"] is None:
        return None
    has_interval, reach = one["ci_low"] is not None, (one["lowest"], one["highest"])
    is_part = one["num_scored"] < one["num_samples"] and None not in reach
    return h(
        f"g.c{colour}",
        _line("bounds", _x(reach[0], ends), y, _x(reach[1], ends), y) if is_part else None,
        _line("interval", _x(one["ci_low"], ends), y, _x(one["ci_high"], ends), y) if has_interval else None,
        h("circle", cx=_x(one["mean"], ends), cy=y, r=4),
    )


def stacked(amounts: Mapping[str, float], name: str, is_time: bool = False) -> Html:
    """A bar of what there is of `amounts`, by word, and its legend; `name` is the word for the whole."""
    present = {word: amount for word, amount in amounts.items() if amount > 0}
    total = sum(present.values())
    rects, legend, left = [], [], 0.0
    for word, amount in present.items():
        kind, width = word.removesuffix("_s"), amount / total * 100
        figure = duration(amount) if is_time else str(amount)
        rects.append(_rect(f"is-{kind}", left, 0, width, 8, t("title", word, tail=f" {figure}")))
        phrase = [t("span", word), f" {figure}"] if is_time else [f"{figure} ", t("span", word)]
        legend.append(h(f"li.is-{kind}", phrase))
        left += width
    return Html(_flat(rects, label(name)) + h("ul.legend", legend))


def bar(filled: float, total: float, longest: float, value: str) -> Html:
    """`filled` of it is strong, up to `total` pale; as wide as there is room if it is the longest."""
    amounts = (("pale", total), ("full", filled))
    return _flat([_rect(kind, 0, 0, n / (longest or 1) * 100, 8) for kind, n in amounts], {"aria_label": value})


def gantt(timeline: Block, names: Sequence[Child]) -> Html:
    """Who did what when: a row per worker, batch boundaries as lines, pauses between invocations as dashes."""
    lanes, seconds = timeline["lanes"], timeline["seconds"] or 1
    high = 8 if len(lanes) > _MOST_ROOMY else 20
    bottom = high * len(lanes)
    scale = (_GANTT_WIDTH - _GANTT_LEFT) / seconds
    view: list[Child] = []
    for tick in _seconds(seconds):
        x = _GANTT_LEFT + tick * scale
        view += [_line("tick", x, 0, x, bottom), h("text", _tick(tick), x=x, y=bottom + 13, text_anchor="middle")]
    for place, (lane, name) in enumerate(zip(lanes, names, strict=True)):
        view.append(h("text", name, x=0, y=place * high + 14) if high > 10 else None)
        view += [_work(lane["stage"], work, scale, place * high + 2, high - 4) for work in lane["spans"]]
    edits = high * sum(lane["stage"] == "edit" for lane in lanes)
    view += [_line("batch", x, 0, x, edits) for x in _apart(_GANTT_LEFT + at * scale for at in timeline["batches"])]
    pauses = [_GANTT_LEFT + pause["at"] * scale for pause in timeline["pauses"]]
    view += [_line("pause", x, 0, x, bottom) for x in pauses]
    return _drawing("gantt", _GANTT_WIDTH, bottom + 18, view, **label("gantt"))


def timelines(blocks: Mapping[str, Block]) -> Html:
    """A picture of its own: timelines under each other by name, on one scale of seconds. `blocks`: lanes, batches."""
    longest = max(
        (start + took for one in blocks.values() for lane in one["lanes"] for start, took, *_ in lane["spans"])
    )
    parts: list[Html] = []
    top = 0
    for name, one in blocks.items():
        drawn = {**one, "seconds": longest, "pauses": []}
        rows = gantt(drawn, [f"worker {number}" for number in range(len(one["lanes"]))])
        height = 20 * len(one["lanes"]) + 18
        parts.append(h("text.name", name, x=0, y=top + 14))
        parts.append(h("svg", rows, x=0, y=top + 20, width=_GANTT_WIDTH, height=height))
        top += height + 34
    style = h("style", Html(_TIMELINE_STYLE))
    box = f"-8 -4 {_GANTT_WIDTH + 24} {top + 4}"
    return h("svg", style, parts, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=_GANTT_WIDTH, height=top)


_TIMELINE_STYLE = (
    "text { font: 12px sans-serif; fill: #444 } .name { font-weight: bold } .tick { stroke: #ccc } "
    ".batch { stroke: #111; stroke-width: 2 } rect { fill: #3b76b4; stroke: #fff } svg { overflow: visible }"
)


def _work(stage: str, work: tuple[float, float, str, int], scale: float, y: float, height: float) -> Html:
    start, took, kind, count = work
    tail = f" {duration(took)}" + (f" ({count})" if count > 1 else "")
    title = t("title", "load_s" if kind == "load" else stage, tail=tail)
    view = stage if kind == "done" else kind
    return _rect(f"span.is-{view}", _GANTT_LEFT + start * scale, y, took * scale, height, title)


def _seconds(seconds: float) -> Iterator[float]:
    """Ticks of a time axis: at most eleven, at round numbers."""
    steps = (n * digit for n in (0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5) for digit in (1, 2, 5))
    step = next((step for step in steps if seconds / step <= 10), 1e6)
    return itertools.takewhile(lambda tick: tick <= seconds, (step * n for n in itertools.count()))


def _tick(seconds: float) -> str:
    return f"{round(seconds, 2):g} s" if seconds < 1e5 else f"{seconds:.0f} s"


def _apart(places: Iterator[float]) -> Iterator[float]:
    last = -9.0
    for place in places:
        if place - last >= _NEAR:
            last = place
            yield place


def _x(score: float, ends: Ends) -> float:
    share = (score - ends[0]) / (ends[1] - ends[0])
    return _EDGE + min(max(share, 0.0), 1.0) * (_WIDTH - 2 * _EDGE)  # an interval may reach past the scores


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    return h(f"line.{kind}", x1=x1, y1=y1, x2=x2, y2=y2)


def _rect(kind: str, x: float, y: float, width: float, height: float, title: Html | None = None) -> Html:
    return h(f"rect.{kind}", title, x=x, y=y, width=max(width, 0.5), height=height)


def _flat(rects: Sequence[Html], said: Mapping[str, object]) -> Html:
    """As wide as there is room."""
    return _drawing("flat", 100, 8, rects, preserveAspectRatio="none", **said)


def _drawing(kind: str, width: float, height: float, *parts: Child, **attributes: object) -> Html:
    return h(f"svg.{kind}", *parts, viewBox=f"0 0 {width} {height}", role="img", **attributes)
