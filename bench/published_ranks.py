"""How many neighbours of published rankings really differ: `python bench/published_ranks.py CLONES`; prints Markdown.

CLONES is a folder of yours with clones of github.com/TIGER-AI-Lab/ImagenHub and github.com/TIGER-AI-Lab/VIEScore: of
these two tables of image editing the scores of each sample are public. The models of a task are ranked as published, by
the mean of O = sqrt(SC * PQ): of three people's ratings, and of a judge's answers. Pairs are compared as
`editeval compare` does: on the same samples, with clusters of source images, Holm over all pairs of a task.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean

from editeval.reproduce.clone import Clone
from editeval.reproduce.imagenhub_ratings import read_ratings
from editeval.reproduce.viescore_answers import judgements
from editeval.stats.compare import Scored, compare_all
from editeval.stats.decisions import decide, rank_intervals
from editeval.types import Metric

TASKS = ("Text-Guided_IE", "Mask-Guided_IE", "Subject-Driven_IE")
METRIC = "O"
JUDGES = ("GPT-4o 0shot", "Gemini-Pro 0shot", "LLaVA 0shot")
Runs = dict[str, dict[Hashable, Scored]]


def cluster_of(task: str, uid: str) -> str:
    """Its source image: `sample_{image}_{turn}` for the two tasks whose samples are MagicBrush's turns."""
    return uid if task == "Subject-Driven_IE" else uid.rpartition("_")[0] or uid


def by_people(clone: Clone, task: str) -> Runs:
    ratings = read_ratings(clone, f"eval/human_ratings/{task}")
    return {
        model: {uid: Scored(cluster_of(task, uid), fmean(o for *_, o in given)) for uid, given in rated.items()}
        for model, rated in ratings.items()
    }


def by_judges(clone: Clone) -> dict[tuple[str, str], Runs]:
    """By task and judge, 0-10; an answer that could not be read, for which the authors drew a number, is none."""
    found: dict[tuple[str, str], Runs] = {}
    for judge, task, model, scores in judgements(clone):
        if task in TASKS and judge in JUDGES and scores[METRIC]:
            run = {uid: Scored(cluster_of(task, uid), value) for uid, value in scores[METRIC].items()}
            found.setdefault((task, judge), {})[model] = run
    return found


def ranked(runs: Runs, metric: Metric) -> Iterator[tuple[str, float, int, int, str]]:
    """(model, mean, best and worst place, how it stands to the next one), the best first."""
    means = {name: fmean(one.value or 0.0 for one in run.values()) for name, run in runs.items()}
    names = sorted(runs, key=lambda name: -means[name])
    pairs = list(combinations(names, 2))
    told = compare_all([(runs[a], runs[b]) for a, b in pairs], metric)
    decided = dict(zip(pairs, decide(told, metric.is_higher_better), strict=True))
    better = {(a, b) if one.better == "first" else (b, a) for (a, b), one in decided.items() if one.better}
    places = rank_intervals(names, better)
    stands = {
        a: f"better, p {decided[a, b].p_holm:.2g}" if decided[a, b].better == "first" else "not distinguishable"
        for a, b in pairwise(names)
    }
    for name in names:
        yield name, means[name], *places[name], stands.get(name, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=Path, metavar="CLONES")
    clones = parser.parse_args().clones
    people, answers = Clone(clones / "ImagenHub"), by_judges(Clone(clones / "VIEScore"))
    print("| task | scores by | samples | models | neighbours that differ | pairs that differ |")
    print("|:--|:--|--:|--:|--:|--:|")
    tables = []
    for task in TASKS:
        for who in ("people", *JUDGES):
            runs = by_people(people, task) if who == "people" else answers[task, who]
            rows = list(ranked(runs, Metric(METRIC, 0.0, 1.0 if who == "people" else 10.0)))
            tables.append((task, who, rows))
            num_neighbours = sum(stands.startswith("better") for *_, stands in rows)
            num_pairs = len(runs) * (len(runs) - 1) // 2
            num_better = sum(best - 1 for _, _, best, _, _ in rows)
            num_samples = max(map(len, runs.values()))
            cells = f"{num_samples} | {len(runs)} | {num_neighbours} of {len(runs) - 1} | {num_better} of {num_pairs}"
            print(f"| {task} | {who} | {cells} |")
    for task, who, rows in tables:
        if who in ("people", JUDGES[0]):
            print(f"\n{task}, {who}\n\n| place | model | mean | places | to the next |\n|--:|:--|--:|:--|:--|")
            for place, (name, mean, best, worst, stands) in enumerate(rows, start=1):
                print(f"| {place} | {name} | {mean:.3f} | {best} to {worst} | {stands} |")


if __name__ == "__main__":
    main()
