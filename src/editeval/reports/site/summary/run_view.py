"""What the first page draws: a run's block, as `reports/site/payload.py` makes it, and how its pictures are reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WHOLE = ("macro", "micro")
_STEM = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RunView:
    """A run on the first page. `thumb(stem)` is the address of a thumbnail."""

    block: Mapping[str, Any]
    thumb: Callable[[str], str]
    index: int = 0

    @property
    def run(self) -> Mapping[str, Any]:
        run: Mapping[str, Any] = self.block["run"]
        return run

    @property
    def name(self) -> str:
        return str(self.run.get("name") or self.run.get("id") or "run")

    @property
    def colour(self) -> int:
        return self.index % 6

    def summary(self, category: str, metric: str = "") -> Mapping[str, Any] | None:
        """That of the headline, unless another metric is asked for; None if there is none."""
        wanted = (metric or self.block["headline"], category)
        return next((one for one in self.block["summaries"] if (one["metric"], one["category"]) == wanted), None)

    def address(self, picture: object) -> str | None:
        """Of the thumbnail of a packed picture; None for anything that is not named as we name files."""
        if not isinstance(picture, list) or not picture or not _STEM.fullmatch(str(picture[0])):
            return None
        return self.thumb(picture[0])
