"""Do equated means hold for editors that a bridge has not seen? On answers that VIEScore publishes; prints Markdown.

    python bench/bridge_holdout.py --from VIEScore          some minutes; a clone of github.com/TIGER-AI-Lab/VIEScore
    python bench/bridge_holdout.py --from VIEScore --share 0     another map: 0 regression alone, 1 equating alone

For every pair of judges, task, metric and editor that both judged: a map is fitted on the other editors of the task,
the editor's scores go through it, and their mean is compared with the mean that the other judge gave the same edits.
"covered": that mean lies in the 95 % interval of the map alone, which is the narrower one; reports add the sampling
error of the run. Guessed answers (random integers of the authors' parser) are left out.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from statistics import fmean, median

from editeval.reproduce.clone import Clone
from editeval.reproduce.viescore_answers import judgements
from editeval.stats import equating
from editeval.stats.equating import ScorePair

_IMAGE = re.compile(r"(?<=\d)_\d+\.jpg$")  # several edits of one source image differ in the last number
STRONG = ("GPT-4o", "GPT-4v", "Gemini")
Scores = dict[str, float]
Editors = dict[str, Scores]  # editor -> sample -> score
Judged = dict[tuple[str, str], dict[str, Editors]]  # (task, metric) -> judge -> ...


@dataclass(frozen=True, slots=True)
class HoldOut:
    """One editor, carried over by a map that was fitted without it. `half_width` None: there is no interval."""

    are_strong: bool
    num_anchors: int
    refusal: str
    error: float = 0.0
    unbridged: float = 0.0
    half_width: float | None = None


@dataclass(slots=True)
class Tally:
    """Hold-outs of one row of the table."""

    held: list[HoldOut] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, one: HoldOut) -> None:
        if one.refusal:
            self.refused[one.refusal] += 1
        else:
            self.held.append(one)

    def cells(self) -> Iterator[str]:
        told = [(one.error, one.half_width) for one in self.held if one.half_width is not None]
        yield f"{len(self.held)}"
        yield f"{self.refused['means']}"
        yield f"{self.refused['scores']}"
        yield f"{fmean(abs(error) <= half for error, half in told):.3f}" if told else "no interval"
        yield f"{math.sqrt(fmean(one.error**2 for one in self.held)):.2f}" if self.held else "-"
        yield f"{math.sqrt(fmean(one.unbridged**2 for one in self.held)):.2f}" if self.held else "-"
        yield f"{median(half for _, half in told):.2f}" if told else "-"


def read(folder: Path) -> Judged:
    """Every score that a judge gave."""
    found: Judged = {}
    for judge, task, model, scores in judgements(Clone(folder)):
        for metric, by_sample in scores.items():
            if by_sample:
                found.setdefault((task, metric), {}).setdefault(judge, {})[model] = by_sample
    return found


def pairs_of(given: Editors, wanted: Editors) -> list[ScorePair]:
    """What both judged; the edits of one source image are a cluster."""
    return equating.with_enough(
        ScorePair(editor, _IMAGE.sub("", sample), "", score, wanted[editor][sample])
        for editor, scores in given.items()
        for sample, score in scores.items()
        if sample in wanted.get(editor, {})
    )


def hold_outs(judged: Judged) -> Iterator[HoldOut]:
    """All there are."""
    for judges in judged.values():
        for given, wanted in permutations(judges, 2):
            pairs = pairs_of(judges[given], judges[wanted])
            are_strong = given.startswith(STRONG) and wanted.startswith(STRONG)
            for editor in dict.fromkeys(pair.editor for pair in pairs):
                anchors = [pair for pair in pairs if pair.editor != editor]
                if anchors and not equating.too_little(anchors):
                    yield held_out(are_strong, anchors, [pair for pair in pairs if pair.editor == editor])


def held_out(are_strong: bool, anchors: Sequence[ScorePair], own: Sequence[ScorePair]) -> HoldOut:
    """What a map of the anchors says of the edits in `own`."""
    found = equating.equating(anchors)
    given = [pair.given for pair in own]
    num = len(found.means)
    refusal = found.refusal(given)
    if refusal:
        return HoldOut(are_strong, num, "scores" if "% of" in refusal else "means")
    error = fmean(pair.wanted - found.map(pair.given) for pair in own)
    known = found.mean_error({"": 1.0}, {"": len(own)})
    half = None if isinstance(known, str) else known.half_width
    return HoldOut(are_strong, num, "", error, fmean(pair.wanted - pair.given for pair in own), half)


ROWS: Mapping[str, Callable[[HoldOut], bool]] = {
    "all, two anchor editors or more": lambda one: one.num_anchors > 1,
    "GPT-4o, GPT-4v, Gemini among each other": lambda one: one.are_strong and one.num_anchors > 1,
    **{
        f"the same, {num} anchor editor{'s' if num > 1 else ''}": lambda one, num=num: (  # type: ignore[misc]
            one.are_strong and one.num_anchors == num
        )
        for num in (1, 2, 3, 4, 7)
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, required=True, metavar="CLONE")
    parser.add_argument(
        "--share", type=float, metavar="X", help="of equipercentile equating; default: as editeval has it"
    )
    options = parser.parse_args()
    if options.share is not None:
        equating.equipercentile_share = lambda correlation: options.share
    tallies = {name: Tally() for name in ROWS}
    for one in hold_outs(read(options.folder)):
        for name, belongs in ROWS.items():
            if belongs(one):
                tallies[name].add(one)
    titles = ("hold-outs", "refused: mean", "refused: scores", "covered", "RMS error", "without a bridge", "half width")
    print(f"| judges | {' | '.join(titles)} |\n|:--|{'--:|' * len(titles)}")
    for name, tally in tallies.items():
        print(f"| {name} | {' | '.join(tally.cells())} |")


if __name__ == "__main__":
    main()
