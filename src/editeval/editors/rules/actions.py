"""From commands to pixels: the table of actions, and the one function that applies a command."""

from __future__ import annotations

from editeval.editors.rules import spatial, tonal, tone, weather
from editeval.editors.rules.canvas import Action, Canvas
from editeval.editors.rules.grammar import Command
from editeval.editors.rules.selection import resolve


def apply(canvas: Canvas, command: Command) -> Canvas:
    """The canvas after one command. Raises InstructionError if its target cannot be found or its action not drawn."""
    selected = [s for reference in command.targets for s in resolve(reference, canvas.scene)]
    return canvas.showing(ACTIONS[command.action](canvas, command, selected))


ACTIONS: dict[str, Action] = {
    "recolour": tonal.recolour,
    "mature": tonal.mature,
    "grey": tonal.plain(tone.grey),
    "invert": tonal.plain(tone.inverted),
    "sepia": tonal.plain(tone.sepia),
    "posterize": tonal.plain(tone.posterized),
    "channels": tonal.channels,
    "pixelate": tonal.plain(tone.pixelated),
    "brighten": tonal.measured(tone.brightened, 0.35),
    "darken": tonal.measured(tone.brightened, -0.4),
    "vivid": tonal.measured(tone.saturated, 0.5),
    "faded": tonal.measured(tone.saturated, -0.5),
    "contrast": tonal.contrast,
    "blur": tonal.blur,
    "sharpen": tonal.strong(tone.sharpened),
    "warmer": tonal.strong(lambda p, s: tone.tempered(p, 0.16 * s)),
    "cooler": tonal.strong(lambda p, s: tone.tempered(p, -0.16 * s)),
    "remove": spatial.remove,
    "move": spatial.move,
    "gravity": spatial.gravity,
    "rise": spatial.rise,
    "resize": spatial.resize,
    "melt": spatial.melt,
    "zoom": spatial.zoom,
    "mirror": spatial.mirror,
    "rotate": spatial.rotate,
    "swap": spatial.swap,
    "swap_colours": tonal.swap_colours,
    "duplicate": spatial.duplicate,
    "replace": spatial.replace,
    "add": spatial.add,
    "border": spatial.border,
    "lights_off": tonal.lights,
    "lights_on": tonal.lights,
    "night": tonal.whole(lambda canvas: weather.night(canvas.pixels)),
    "day": tonal.whole(lambda canvas: weather.day(canvas.pixels)),
    "sunset": tonal.whole(lambda canvas: weather.sunset(canvas.pixels)),
    "autumn": tonal.whole(lambda canvas: weather.autumn(canvas.pixels)),
    "fog": tonal.whole(lambda canvas: weather.fog(canvas.pixels)),
    "rain": tonal.whole(lambda canvas: weather.rain(canvas.pixels, canvas.seed)),
    "snow": tonal.whole(tonal.snow),
}
