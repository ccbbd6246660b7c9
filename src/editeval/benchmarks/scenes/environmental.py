"""Environmental: weather, time of day and seasons."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    DARK_WOOD,
    INK,
    RED,
    VIVID,
    Canvas,
    Colour,
    Hue,
    Radial,
    Shade,
    darker,
    down,
    lighter,
    mixed,
)
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, one_changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon
from editeval.benchmarks.scenes.surroundings import (
    DAY,
    GREY_SKY,
    NIGHT,
    SUNSET,
    books,
    cloud,
    fir,
    hills,
    plant,
    sky,
    sun,
    table,
    wall,
)

# view: a window with a view; time of day and weather change outside, the room does not.

_PANE = Box(84.0, 48.0, 428.0, 358.0, 6.0)
_FRAME: Colour = (255.0, 252.0, 244.0)
_SKIES = {"day": DAY, "sunset": SUNSET, "night": NIGHT, "overcast": GREY_SKY}
_BODIES = {"day": ("yellow sun", "黄色太阳"), "sunset": ("red sun", "红色太阳"), "night": ("moon", "月亮")}
_TIMES = {  # two English texts and a Chinese one; {} is the sun or the moon
    "night": (
        "Make it night outside: a dark blue sky with stars, and a pale full moon where the {} is.",
        "Turn the view in the window into a clear night; the moon takes the place of the {}.",
        "让窗外变成晴朗的夜晚：深蓝色天空有星星，满月在{}的位置。",
    ),
    "sunset": (
        "Let the sun set outside: an orange sky with clouds, and a deep red sun where the {} is.",
        "Show the view at sunset, with an orange sky, clouds, and a deep red sun instead of the {}.",
        "让窗外变成日落：橙色天空有云，{}的位置是深红的太阳。",
    ),
    "day": (
        "Make it a bright day outside: a light blue sky with clouds, and a yellow sun where the {} is.",
        "Show the view from the window at noon: a light blue sky, clouds, and a yellow sun instead of the {}.",
        "让窗外变成晴朗的白天：浅蓝色天空有云，{}的位置是黄色太阳。",
    ),
    "overcast": (
        "Turn the view outside into a grey, cloudy day; the {} is no longer to be seen.",
        "Make it an overcast day outside: a grey sky with clouds and without the {}.",
        "让窗外变成阴天的白天：灰色天空有云，看不见{}。",
    ),
}
_SNOW = {
    False: (
        "The snow outside has melted: the hills and firs are green again.",
        "Let the snow outside thaw until hills and trees are green.",
        "窗外的雪化了，山坡和杉树恢复绿色。",
    ),
    True: (
        "It has snowed outside: cover the hills and the firs in white.",
        "Lay white snow on the hills and trees outside the window.",
        "窗外下过雪：山坡和杉树都变成白色。",
    ),
}


@dataclass(frozen=True, slots=True)
class View:
    """Outside: `time` of _SKIES and `has_snow`. Inside: the curtains' colour and the room's tint."""

    time: str
    has_snow: bool
    curtain: Hue
    tint: str = ""


def _turn_view(view: View, time: str, dice: Dice) -> SceneChange[View]:
    *english, chinese = _TIMES[time]
    body, body_zh = _BODIES[view.time]
    text, text_zh = dice.pick(english).format(body), chinese.format(body_zh)
    return SceneChange(replace(view, time=time), replace(view, tint=time), text, text_zh, 2)


def _snow(view: View, dice: Dice) -> SceneChange[View]:
    *english, chinese = _SNOW[not view.has_snow]
    target, wrong = replace(view, has_snow=not view.has_snow), replace(view, tint="overcast")
    return SceneChange(target, wrong, dice.pick(english), chinese, 2)


def _curtain(view: View, dice: Dice) -> SceneChange[View]:
    hue = dice.pick([h for h in VIVID if h != view.curtain])
    english = dice.either(
        f"Make the curtains {hue.english}.", f"Change the {view.curtain.english} curtains to {hue.english} ones."
    )
    target, wrong = replace(view, curtain=hue), replace(view, tint="sunset")
    return SceneChange(target, wrong, english, f"把窗帘换成{hue.chinese}。", 1)


def _plan_view(dice: Dice) -> Scene[View]:
    """A view at some time of day and two or three of: another time, snow or thaw, other curtains."""
    view = View(dice.either("day", "sunset", "night"), dice.below(3) == 0, dice.pick(VIVID))
    times = dice.shuffled([t for t in _SKIES if t != view.time])
    changes = (
        _turn_view(view, times[0], dice),
        _snow(view, dice) if dice.below(2) else _curtain(view, dice),
        _turn_view(view, times[1], dice),
    )
    weather = "snow-covered" if view.has_snow else "green"
    curtains = f"A window with {view.curtain.english} curtains"
    return Scene(view, f"{curtains} and a view of {weather} hills; sky: {view.time}.", changes)


def _outside(canvas: Canvas, view: View, look: Look) -> None:
    canvas.fill(Box(76.0, 40.0, 436.0, 366.0, 8.0), Shade(_FRAME, 0.0, 0.12, True))
    sky(canvas, _SKIES[view.time], Box(80.0, 40.0, 432.0, 300.0), _PANE)
    x, y = 190.0 + look.below("sun", 150), 112.0 + look.shift("suny", 18)
    if view.time == "night":
        for i in range(22):
            star = (100.0 + look.below(f"sx{i}", 310), 60.0 + look.below(f"sy{i}", 150))
            canvas.fill(Circle(*star, 1.2 + 0.3 * look.below(f"sr{i}", 4)), CREAM, 0.85, within=_PANE)
        sun(canvas, x, y, 25.0, (250.0, 244.0, 222.0), _PANE)
        canvas.fill(Circle(x - 7, y - 5, 5.0), (226.0, 216.0, 196.0), 0.8)
        canvas.fill(Circle(x + 8, y + 7, 3.6), (226.0, 216.0, 196.0), 0.8)
    elif view.time != "overcast":
        sun(canvas, x, y, 25.0, (224.0, 70.0, 52.0) if view.time == "sunset" else (255.0, 216.0, 92.0), _PANE)
    if view.time != "night":
        cloud(canvas, 160.0 + look.shift("c1", 40), 92.0, 0.8, 0.75, _PANE)
        cloud(canvas, 350.0 + look.shift("c2", 40), 136.0, 1.0, 0.75, _PANE)
    land = mixed((232.0, 238.0, 246.0), (206.0, 216.0, 234.0), 0.3) if view.has_snow else (122.0, 172.0, 104.0)
    shade = {"night": 0.55, "sunset": 0.22, "day": 0.0, "overcast": 0.1}[view.time]
    hills(canvas, look, 264.0, darker(land, shade), darker(mixed(land, (120.0, 160.0, 160.0), 0.35), shade), _PANE)
    wood: Colour = (226.0, 234.0, 240.0) if view.has_snow else (62.0, 122.0, 92.0)
    for i in range(7):
        fx, high = 104.0 + i * 52.0 + look.shift(f"fx{i}", 20), 44.0 + look.below(f"fh{i}", 34)
        fir(canvas, fx, 322.0 + look.shift(f"fb{i}", 12), high, darker(wood, shade), _PANE)


def _window(canvas: Canvas, hue: Hue) -> None:
    canvas.fill(Line(256.0, 50.0, 256.0, 356.0, 9.0), Shade(_FRAME, 0.0, 0.14))
    canvas.fill(Line(86.0, 196.0, 426.0, 196.0, 9.0), Shade(_FRAME, 0.0, 0.14, True))
    canvas.shadow(Box(64.0, 366.0, 448.0, 388.0, 4.0), 0.25, 16.0)
    canvas.fill(Box(60.0, 360.0, 452.0, 378.0, 5.0), Shade(_FRAME, 0.0, 0.18, True))
    canvas.fill(Line(20.0, 32.0, 492.0, 32.0, 7.0), darker((190.0, 150.0, 104.0), 0.3))
    for end in (20.0, 492.0):
        canvas.fill(Circle(end, 32.0, 8.0), darker((190.0, 150.0, 104.0), 0.2))
    rgb = hue.rgb
    for side in (-1.0, 1.0):
        for fold in range(5):
            x = 256.0 + side * (216.0 - fold * 17.0)
            foot = 256.0 + side * (216.0 - fold * 10.0)
            points = ((x - 10, 34.0), (x + 10, 34.0), (foot + 9, 392.0), (foot - 9, 392.0))
            tone = lighter(rgb, 0.12) if fold % 2 else darker(rgb, 0.1)
            canvas.shadow(Polygon(tuple((px + 4, py + 4) for px, py in points)), 0.1, 8.0)
            canvas.fill(Polygon(points, 3.0), Shade(tone, 0.12, 0.16))
        canvas.fill(Line(256.0 + side * 216, 250.0, 256.0 + side * 168, 250.0, 8.0), darker(rgb, 0.35))


def _cat(canvas: Canvas, x: float, y: float) -> None:
    """A cat on the sill that looks out of the window."""
    canvas.shadow(Ellipse(x + 4, y, 28.0, 5.0), 0.3, 8.0)
    canvas.fill(Ellipse(x, y - 26, 22.0, 27.0), Shade(INK, 0.18, 0.0))
    canvas.fill(Circle(x, y - 60, 16.0), Shade(INK, 0.2, 0.0))
    for side in (-1.0, 1.0):
        canvas.fill(Polygon(((x + side * 4, y - 72), (x + side * 15, y - 66), (x + side * 13, y - 82)), 1.5), INK)
    canvas.fill(Line(x + 16, y - 6, x + 40, y - 2, 8.0), INK)


def _draw_view(canvas: Canvas, view: View, look: Look) -> None:
    """The room, then the view, then the window around it."""
    wall(canvas, look)
    table(canvas, look, 430.0, 40.0)
    if view.tint:
        canvas.fill(Box(-8.0, -8.0, 520.0, 520.0), mixed(*_SKIES[view.tint], 0.3), 0.5)
    _outside(canvas, view, look)
    _window(canvas, view.curtain)
    _cat(canvas, 190.0 + look.shift("cat", 24), 364.0)
    plant(canvas, 340.0 + look.shift("plant", 20), 364.0, 0.62)
    books(canvas, look, 60.0 + look.shift("books", 30), 448.0)
    plant(canvas, 440.0 + look.shift("p2", 14), 456.0, 0.8)


VIEW = Kind("view", _plan_view, _draw_view)


# seasons: three trees in a meadow, each of which can be in another season.

_PLACES = ((96.0, "left", "左边"), (256.0, "middle", "中间"), (416.0, "right", "右边"))
_SIZES = (("smallest", "最小"), ("middle-sized", "中等大小"), ("tallest", "最高"))
_LEAVES: dict[str, Colour] = {
    "spring": (246.0, 170.0, 196.0),
    "summer": (92.0, 160.0, 92.0),
    "autumn": (234.0, 138.0, 52.0),
}
_LOOKS = {"spring": "in pink blossom", "summer": "in green leaf", "autumn": "in orange autumn leaf", "winter": "bare"}
_TEXTS = {
    "spring": (
        "Let the {} tree stand in full pink blossom.",
        "It is spring for the {} tree: cover its crown with pink blossom.",
        "让{}的树开满粉色的花。",
    ),
    "summer": (
        "Give the {} tree a crown of green leaves.",
        "It is summer for the {} tree: its whole crown is green.",
        "让{}的树长满绿叶。",
    ),
    "autumn": (
        "Turn the leaves of the {} tree orange, as in autumn.",
        "It is autumn for the {} tree: make its crown orange.",
        "让{}的树变成秋天的橙色树叶。",
    ),
    "winter": (
        "Let the {} tree lose all its leaves; only trunk and bare branches stay.",
        "It is winter for the {} tree: no leaf is left on its branches.",
        "让{}的树落光叶子，只剩树干和枝条。",
    ),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree and its season; `size` 1 is 230 units high."""

    x: float
    size: float
    season: str


Trees = tuple[Tree, ...]


def _turn_season(trees: Trees, index: int, dice: Dice) -> SceneChange[Trees]:
    other = (index + 1) % 3
    season = dice.pick([s for s in _LOOKS if s not in {trees[index].season, trees[other].season}])
    by_size = dice.below(2) == 1
    rank = sorted(t.size for t in trees).index(trees[index].size)
    en, zh = _SIZES[rank] if by_size else _PLACES[index][1:]
    *english, chinese = _TEXTS[season]
    states = one_changed(trees, index, other, season=season)
    return SceneChange(*states, dice.pick(english).format(en), chinese.format(zh), 2 if by_size else 1)


def _plan_seasons(dice: Dice) -> Scene[Trees]:
    """Three trees of different sizes, and a change of season for each."""
    sizes, seasons = dice.shuffled((0.78, 0.96, 1.14)), dice.shuffled(tuple(_LOOKS))
    trees = tuple(Tree(x + dice.between(-8, 8), sizes[i], seasons[i]) for i, (x, _, _) in enumerate(_PLACES))
    names = ", ".join(f"the {_PLACES[i][1]} one {_LOOKS[t.season]}" for i, t in enumerate(trees))
    changes = tuple(_turn_season(trees, i, dice) for i in dice.shuffled(range(3)))
    return Scene(trees, f"A meadow with three trees: {names}.", changes)


def _branches(canvas: Canvas, x: float, base: float, s: float) -> None:
    bark = darker(DARK_WOOD, 0.2)
    canvas.fill(Line(x, base, x, base - 120 * s, 19 * s), Shade(bark, 0.2, 0.2))
    for y0, dx, dy in ((80, -52, -72), (92, 54, -62), (112, -28, -92), (112, 26, -96), (118, 0, -104)):
        tip = (x + dx * s, base + (dy - y0) * s)
        canvas.fill(Line(x, base - y0 * s, *tip, 8 * s), bark)
        half = (x + dx * 0.55 * s, base + (dy * 0.55 - y0) * s)
        for twig in (-26.0, 22.0):
            canvas.fill(Line(*half, half[0] + (twig + dx * 0.2) * s, half[1] - 34 * s, 3.6 * s), bark)


def _crown(canvas: Canvas, look: Look, tree: Tree, base: float) -> None:
    s, x, rgb = tree.size, tree.x, _LEAVES[tree.season]
    blobs = ((-40, 128, 38), (42, 130, 36), (-24, 172, 40), (26, 176, 40), (0, 148, 46), (0, 200, 32))
    for dx, dy, r in blobs:
        light = (x + (dx - r * 0.4) * s, base - (dy + r * 0.5) * s)
        paint = Radial(lighter(rgb, 0.2), darker(rgb, 0.16), *light, r * 1.9 * s)
        canvas.fill(Circle(x + dx * s, base - dy * s, r * s), paint)
    for i in range(34):
        dx, dy, r = blobs[i % 6]
        px = x + (dx + (look.below(f"{x}lx{i}", 100) / 50.0 - 1.0) * r * 0.66) * s
        py = base - (dy + (look.below(f"{x}ly{i}", 100) / 50.0 - 1.0) * r * 0.66) * s
        canvas.fill(Circle(px, py, 3.6 * s), lighter(rgb, 0.42) if i % 3 else darker(rgb, 0.22), 0.7)


def _bench(canvas: Canvas, x: float, base: float) -> None:
    canvas.shadow(Ellipse(x, base, 52.0, 7.0), 0.3, 8.0)
    for dx in (-36.0, 36.0):
        canvas.fill(Line(x + dx, base, x + dx, base - 46, 5.0), darker(RED.rgb, 0.6))
    for y in (22.0, 34.0, 44.0):
        canvas.fill(Box(x - 48, base - y - 4, x + 48, base - y + 4, 2.5), Shade(DARK_WOOD, 0.3, 0.0, True))


def _draw_seasons(canvas: Canvas, trees: Trees, look: Look) -> None:
    """Sky, hills, meadow, flowers and trees."""
    sky(canvas, DAY, Box(-8.0, -8.0, 520.0, 380.0))
    sun(canvas, 60.0 + look.below("sun", 400), 60.0, 24.0, (255.0, 226.0, 130.0))
    for i in range(3):
        x, y = 80.0 + i * 170 + look.shift(f"cx{i}", 50), 56.0 + look.below(f"cy{i}", 60)
        cloud(canvas, x, y, 0.7 + 0.1 * look.below(f"cs{i}", 5))
    hills(canvas, look, 330.0, (150.0, 194.0, 112.0), (132.0, 186.0, 150.0))
    canvas.fill(Ellipse(256.0, 640.0, 620.0, 240.0), down((146.0, 192.0, 98.0), (96.0, 152.0, 84.0), 400.0, 512.0))
    _bench(canvas, 336.0 + look.shift("bench", 6), 424.0)
    for i, tree in enumerate(trees):
        base = 434.0 + (8.0 if i == 1 else 0.0)
        canvas.shadow(Ellipse(tree.x + 14, base, 66 * tree.size, 12.0), 0.3, 14.0)
        _branches(canvas, tree.x, base, tree.size)
        if tree.season != "winter":
            _crown(canvas, look, tree, base)
    for i in range(40):
        x, y = float(look.below(f"fx{i}", 512)), 452.0 + look.below(f"fy{i}", 56)
        canvas.fill(Line(x, y, x + 1, y + 9, 1.5), (70.0, 128.0, 70.0))
        canvas.fill(Circle(x, y, 2.8), (CREAM, (250.0, 210.0, 90.0), (236.0, 120.0, 120.0))[i % 3])


SEASONS = Kind("seasons", _plan_seasons, _draw_seasons)
