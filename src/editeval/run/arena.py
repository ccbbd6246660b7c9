"""Runs compared by a judge that looks at two edits: which pairs it is asked about, in rounds, and what it answered."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, starmap
from pathlib import Path

from editeval import images, plugins
from editeval.config.schema import Config
from editeval.errors import ConfigError, MachineError, UserError
from editeval.judges.chat.params import AskParams
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols._pairs import PairwiseProtocol, orders_read
from editeval.run import forecast
from editeval.run.pair_verdicts import Verdicts
from editeval.run.plan import ScoreSetPlan, judging_plans
from editeval.run.questions import Asking, ask
from editeval.run.scheduler import Interrupt
from editeval.stats.ranking import GROWTH, MIN_PER_MODEL, Pair, next_round
from editeval.store.fingerprints import judge_request, sources_digest
from editeval.store.opponent import Opponent, comes_first
from editeval.types import Benchmark, JudgeRequest, Score

log = logging.getLogger("editeval")
_MOST_UNREAD = 0.9  # of the answers; beyond that no further round is asked
_Step = tuple[Pair, str]
"""A pair of runs, and a source image whose samples are asked about."""


@dataclass(frozen=True, slots=True)
class ArenaLimits:
    """How much is asked, in which order."""

    max_pairs: int | None = None  # requests of two edits each; None: until all neighbours are decided
    is_whole: bool = False  # everything is asked, whatever the answers are
    seed: int = 0


def judging_of(config: Config) -> ScoreSetPlan:
    """The judge of `config`. Raises ConfigError unless it is one that compares two edits, whose ever they are."""
    found = judging_plans(config)
    if len(found) != 1:
        raise ConfigError(f"{config.path}: names {len(found)} judges; a comparison takes one: keep one reward_model")
    params = found[0].stage.params
    if not getattr(params, "is_pairwise", False):
        known = ", ".join(name for name in protocols.PROTOCOLS if protocols.class_of(name).is_pairwise)
        asks = f" (protocol {params.protocol})" if isinstance(params, AskParams) else ""
        what = f"the judge {found[0].name!r}{asks} looks at one edit; set a protocol that compares two"
        raise ConfigError(f"{config.path}: {what}: {known}")
    if getattr(params, "against", ""):
        raise ConfigError(f"{config.path}: against: compare takes its runs from the command line; leave it out")
    return found[0]


def opponents(directories: Sequence[Path]) -> dict[str, Opponent]:
    """The runs by the names of their models, in an order of their own. Raises UserError, one line, if they do not fit.

    Where two models are called alike, by their directories.
    """
    found = [Opponent.of(directory) for directory in dict.fromkeys(path.resolve() for path in directories)]
    if len(found) < 2:
        raise UserError(f"compare takes two runs or more, got {len(found)}")
    by_benchmark = {one.benchmark: one.directory_name for one in reversed(found)}
    if len(by_benchmark) > 1:
        raise UserError(f"{' and '.join(sorted(by_benchmark.values()))} are runs of different benchmarks or data")
    names = Counter(one.directory_name for one in found)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UserError(f"two runs are called {twice[0]}; rename the directory of one")
    for one in found:
        if not one.edits:
            raise UserError(f"{one.store.dir}: has no edit yet; there is nothing to compare")
    for one, other in combinations(found, 2):
        for sample_id in one.edits.keys() & other.edits.keys():
            if one.edits[sample_id][0] != other.edits[sample_id][0]:
                where = f"{one.directory_name} and {other.directory_name}"
                raise UserError(
                    f"{where}: sample {sample_id!r} has another instruction in each; they cannot be compared"
                )
    titles = Counter(one.model for one in found)
    ordered = sorted(found, key=lambda one: one.directory_name)
    return {one.model if titles[one.model] == 1 else one.directory_name: one for one in ordered}


class Arena:
    """The runs, the samples, and what the judge is asked about them."""

    def __init__(
        self, config: Config, judging: ScoreSetPlan, runs: Mapping[str, Opponent], limits: ArenaLimits
    ) -> None:
        self.config, self.judging, self.limits = config, judging, limits
        self._runs = runs
        load = plugins.load("benchmarks", config.benchmark.type, config.allow_code)
        benchmark: Benchmark = load(config.benchmark.params)
        edited = set().union(*(run.edits for run in runs.values()))
        self._samples = {one.id: one for one in benchmark if one.id in edited and not one.after}
        names = tuple(self._runs)
        self._images = {pair: self._shared(pair) for pair in combinations(names, 2)}
        self.verdicts = Verdicts(names, judging.metrics)
        self.verdicts.possible = {pair: sum(map(len, found.values())) for pair, found in self._images.items()}
        self._next: Counter[Pair] = Counter()  # how many source images of a pair are behind it
        if empty := [pair for pair, num in self.verdicts.possible.items() if not num]:
            raise UserError(f"{empty[0][0]} and {empty[0][1]} have no sample in common that both have edited")

    def _shared(self, pair: Pair) -> dict[str, list[str]]:
        """Samples that both have edited, by source image, in an order that the seed decides and no verdict.

        Later turns are left out: each model has edited what it has made itself.
        """
        found: dict[str, list[str]] = {}
        for sample_id, sample in self._samples.items():
            edits = [self._runs[name].edits.get(sample_id) for name in pair]
            sources = {edit.made.source_sha256 for one in edits if one is not None and (edit := one[1]).made}
            if None not in edits and len(sources) < 2:
                found.setdefault(sample.cluster or sample_id, []).append(sample_id)
        return dict(sorted(found.items(), key=lambda item: _noise(self.limits.seed, item[0])))

    def run(self, kept: Path, interrupt: Interrupt) -> Verdicts:
        """Everything that is asked, round by round; less after an interrupt.

        kept   the file of answers: what is in it is not asked again
        """
        self._announce()
        is_cut = False
        while not (interrupt.signum or is_cut):
            steps, is_cut = self._round()
            if not steps:
                break
            self._ask(steps, kept, interrupt)
            self._check_readable(kept)
        left = sum(len(found) - self._next[pair] for pair, found in self._images.items())
        self.verdicts.stopped = "max_pairs" if is_cut else "decided" if left else "all"
        return self.verdicts

    def _announce(self) -> None:
        most = [
            (pair, one)
            for pair, found in self._images.items()
            for ids in found.values()
            for one in ids
            if not self._is_equal(pair, one)
        ]
        how = "all of them" if self.limits.is_whole else "in rounds, until neighbours in rank are decided"
        log.info("%d runs, %d pairs of runs, %d pairs of edits: %s", len(self._runs), len(self._images), len(most), how)
        for line in forecast.lines_of(self.judging, lambda: starmap(self._unread, most[: self.limits.max_pairs])):
            log.info("At most %s", line)

    def _round(self) -> tuple[list[_Step], bool]:
        """(the source images that come next, whether the limit cuts them short)."""
        left = {pair: len(found) - self._next[pair] for pair, found in self._images.items()}
        num = self.verdicts.asked.total()
        size = max(MIN_PER_MODEL, math.ceil(GROWTH[self.judging.judge.is_remote] * num))
        known = self.verdicts.won[self.verdicts.questions[0]]
        wanted = left if self.limits.is_whole else next_round(self.verdicts.names, known, left, size)
        steps: list[_Step] = []
        for turn in range(max(wanted.values(), default=0)):
            for pair in [pair for pair, many in wanted.items() if turn < many]:
                cluster, before = list(self._images[pair])[self._next[pair]], num
                num += sum(not self._is_equal(pair, one) for one in self._images[pair][cluster])
                if self.limits.max_pairs is not None and num > self.limits.max_pairs:
                    if not before:
                        what = f"the samples of a source image are asked together, and the first image has {num}"
                        raise ConfigError(f"--max-pairs: {what}; give at least {num}, got {self.limits.max_pairs}")
                    return steps, True
                self._next[pair] += 1
                steps.append((pair, cluster))
        return steps, False

    def _ask(self, steps: Sequence[_Step], kept: Path, interrupt: Interrupt) -> None:
        asked = {
            self._key(pair, one): (pair, one)
            for pair, cluster in steps
            for one in self._images[pair][cluster]
            if not self._is_equal(pair, one)
        }
        builders = {key: partial(self._request, *about) for key, about in asked.items()}
        how = Asking("Comparing with", "compare", interrupt, lambda key: self._unread(*asked[key]))
        answers = dict(ask(self.config, self.judging, builders, kept, how)) if builders else {}
        for pair, cluster in () if interrupt.signum else steps:  # in the order settled before, not that of the answers
            for one in self._images[pair][cluster]:
                if (key := self._key(pair, one)) in asked:
                    self.verdicts.asked[pair] += 1
                    self._record(pair, cluster, answers[key])
                else:
                    self.verdicts.equal[pair] += 1
                    for question in self.verdicts.questions:
                        self.verdicts.add(pair, cluster, question, 0.5)

    def _check_readable(self, kept: Path) -> None:
        """Raises MachineError for a judge whose answers are hardly ever a verdict: to go on would only cost."""
        unread = self.verdicts.unread[self.verdicts.questions[0]].total()
        if unread >= 2 * MIN_PER_MODEL and unread > _MOST_UNREAD * self.verdicts.asked.total():
            reasons = ", ".join(f"{name} {num}" for name, num in self.verdicts.reasons.most_common(3))
            what = f"{unread} of {self.verdicts.asked.total()} pairs of edits have no verdict ({reasons})"
            raise MachineError(f"{self.config.path}: {what}; see the replies in {kept}, and change the judge")

    def _record(self, pair: Pair, cluster: str, scores: Sequence[Score]) -> None:
        for score in scores:
            self.verdicts.add(pair, cluster, score.metric, score.value)
            self.verdicts.reasons.update([score.reason] if score.reason else [])
        params = self.judging.stage.params
        protocol = params.asking if isinstance(params, AskParams) else None
        if isinstance(protocol, PairwiseProtocol) and scores:
            for question, both in orders_read(protocol, scores[0].raw, params.min_label_mass).items():
                self.verdicts.orders.setdefault(question, {}).setdefault(cluster, []).append(both)

    def _is_equal(self, pair: Pair, sample_id: str) -> bool:
        """Whether both edits are the same file: a tie, and nothing is asked."""
        one, other = (self._runs[name].edits[sample_id][1].sha256 for name in pair)
        return one == other

    def _request(self, pair: Pair, sample_id: str) -> JudgeRequest:
        """Raises ImageError if a picture of it cannot be read, or is not the one that was edited."""
        sample, (mine, theirs) = self._samples[sample_id], (self._runs[name] for name in pair)
        sources = [image.read() for image in sample.images]
        digest = sources_digest(list(map(images.sha256, sources)))
        edited, other = (run.edit_of(sample_id, sample.instruction, digest) for run in (mine, theirs))
        category = self.config.benchmark.canonical(sample.category)
        request = judge_request(replace(sample, category=category), sources, edited, None)
        about = {**request.metadata, "comes_first": comes_first(mine.model, theirs.model)}
        return replace(request, key=self._key(pair, sample_id), edited_b=other, metadata=about)

    def _key(self, pair: Pair, sample_id: str) -> str:
        """Of a request. The directories name it: another model that comes in changes no title in it."""
        one, other = (self._runs[name].directory_name for name in pair)
        return f"{sample_id}: {one} | {other}"

    def _unread(self, pair: Pair, sample_id: str) -> JudgeRequest:
        sample = self._samples[sample_id]
        return JudgeRequest(
            self._key(pair, sample_id), (b"",) * len(sample.images), b"", sample.instruction, edited_b=b""
        )


def _noise(seed: int, text: str) -> str:
    return hashlib.sha256(f"pairs:{seed}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
