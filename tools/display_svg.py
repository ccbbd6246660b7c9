"""A terminal capture as a picture: `tmux capture-pane -e -p > a.ansi; python tools/display_svg.py a.ansi a.svg`.

The picture asks no server for fonts: it names what a machine is likely to have.
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

FONTS = 'font-family: "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono", monospace'


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--lines", type=int, default=24, help="only the last so many that are not empty")
    parser.add_argument("--title", default="editeval run")
    options = parser.parse_args()
    lines = options.capture.read_text(encoding="utf-8").rstrip("\n").split("\n")[-options.lines :]
    columns = max(Text.from_ansi(line).cell_len for line in lines)
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False)
    svg = console.export_svg(title=options.title, theme=MONOKAI, unique_id="display")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: ?(?:Fira Code|arial)[^;]*", FONTS, svg)
    options.picture.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
