"""Environmental: three trees in a meadow, each of which can be in another season."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, Radial, across, down
from editeval.benchmarks.scenes.outdoors import DAY, cloud, hills, sky, sun
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, RED, darker, lighter
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line

_PLACES = ((96.0, "left", "左边"), (256.0, "middle", "中间"), (416.0, "right", "右边"))
_LEAVES: dict[str, Colour] = {
    "spring": (246.0, 170.0, 196.0),
    "summer": (92.0, 160.0, 92.0),
    "autumn": (234.0, 138.0, 52.0),
}
_LOOKS = {"spring": "in pink blossom", "summer": "in green leaf", "autumn": "in orange autumn leaf", "winter": "bare"}
_TEXTS = {
    "spring": (
        (
            "Let the {} tree stand in full pink blossom.",
            "It is spring for the {} tree: cover its crown with pink blossom.",
        ),
        "让{}的树开满粉色的花。",
    ),
    "summer": (
        ("Give the {} tree a crown of green leaves.", "It is summer for the {} tree: its whole crown is green."),
        "让{}的树长满绿叶。",
    ),
    "autumn": (
        (
            "Turn the leaves of the {} tree orange, as in autumn.",
            "It is autumn for the {} tree: make its crown orange.",
        ),
        "让{}的树变成秋天的橙色树叶。",
    ),
    "winter": (
        (
            "Let the {} tree lose all its leaves; only trunk and bare branches stay.",
            "It is winter for the {} tree: no leaf is left on its branches.",
        ),
        "让{}的树落光叶子，只剩树干和枝条。",
    ),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree and its season; `size` 1 is 230 units high."""

    x: float
    size: float
    season: str


def _turn(trees: tuple[Tree, ...], index: int, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    season = dice.pick([s for s in _LOOKS if s not in {trees[index].season, trees[other].season}])
    by_size = dice.below(2) == 1
    rank = sorted(t.size for t in trees).index(trees[index].size)
    en, zh = (
        (("smallest", "middle-sized", "tallest")[rank], ("最小", "中等大小", "最高")[rank])
        if by_size
        else _PLACES[index][1:]
    )
    english, chinese = _TEXTS[season]
    return SceneChange(
        changed(trees, index, season=season),
        changed(trees, other, season=season),
        dice.pick(english).format(en),
        chinese.format(zh),
        2 if by_size else 1,
    )


def plan(dice: Dice) -> Scene:
    """Three trees of different sizes, and a change of season for each."""
    sizes, seasons = dice.shuffled((0.78, 0.96, 1.14)), dice.shuffled(tuple(_LOOKS))
    trees = tuple(Tree(x + dice.between(-8, 8), sizes[i], seasons[i]) for i, (x, _, _) in enumerate(_PLACES))
    names = ", ".join(f"the {_PLACES[i][1]} one {_LOOKS[t.season]}" for i, t in enumerate(trees))
    return Scene(
        trees, f"A meadow with three trees: {names}.", tuple(_turn(trees, i, dice) for i in dice.shuffled(range(3)))
    )


def _branches(canvas: Canvas, x: float, base: float, s: float) -> None:
    bark = darker(DARK_WOOD, 0.2)
    canvas.fill(
        Line(x, base, x, base - 120 * s, 19 * s), across(lighter(bark, 0.2), darker(bark, 0.2), x - 9 * s, x + 9 * s)
    )
    for y0, dx, dy, w in (
        (80, -52, -72, 8),
        (92, 54, -62, 8),
        (112, -28, -92, 8),
        (112, 26, -96, 8),
        (118, 0, -104, 9),
    ):
        tip = (x + dx * s, base + (dy - y0) * s)
        canvas.fill(Line(x, base - y0 * s, *tip, w * s), bark)
        half = (x + dx * 0.55 * s, base + (dy * 0.55 - y0) * s)
        for twig in (-26.0, 22.0):
            canvas.fill(Line(*half, half[0] + (twig + dx * 0.2) * s, half[1] - 34 * s, 3.6 * s), bark)


def _crown(canvas: Canvas, look: Look, tree: Tree, base: float) -> None:
    s, x, rgb = tree.size, tree.x, _LEAVES[tree.season]
    blobs = ((-40, 128, 38), (42, 130, 36), (-24, 172, 40), (26, 176, 40), (0, 148, 46), (0, 200, 32))
    for dx, dy, r in blobs:
        paint = Radial(
            lighter(rgb, 0.2), darker(rgb, 0.16), x + (dx - r * 0.4) * s, base - (dy + r * 0.5) * s, r * 1.9 * s
        )
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
        canvas.fill(
            Box(x - 48, base - y - 4, x + 48, base - y + 4, 2.5),
            down(lighter(DARK_WOOD, 0.3), DARK_WOOD, base - y - 4, base - y + 4),
        )


def draw(canvas: Canvas, trees: tuple[Tree, ...], look: Look) -> None:
    """Sky, hills, meadow, flowers and trees."""
    sky(canvas, DAY, Box(-8.0, -8.0, 520.0, 380.0))
    sun(canvas, 60.0 + look.below("sun", 400), 60.0, 24.0, (255.0, 226.0, 130.0))
    for i in range(3):
        cloud(
            canvas,
            80.0 + i * 170 + look.shift(f"cx{i}", 50),
            56.0 + look.below(f"cy{i}", 60),
            0.7 + 0.1 * look.below(f"cs{i}", 5),
        )
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


SEASONS = Kind("seasons", plan, draw)
