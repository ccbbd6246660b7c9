"""How many calls a run's judges will be asked, with how many tokens, at what price: counted before anything is sent.

Calls are counted exactly, question by question for every sample that is left to judge; no picture is read. Retries, and
the one or two questions with which a worker finds out what its server can do, come on top. Tokens are estimates:
CHARS_PER_TOKEN characters of ASCII text are one, and so is every other character; a picture is PICTURE_PX on each side,
or smaller where the judge or the protocol makes it so, and every TOKEN_PX x TOKEN_PX pixels of it are one. Replies are
counted at their limit, so they are an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from editeval.judges.chat.params import AskParams
from editeval.judges.protocols.protocol import Question, ShownImage
from editeval.prompts import Prompt
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.types import JudgeRequest, Sample

CHARS_PER_TOKEN = 4
PICTURE_PX, TOKEN_PX = 1024, 32
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class CallForecast:
    """What is left to ask. `usd`: None without prices."""

    calls: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0  # at most
    usd: float | None = None

    def __add__(self, other: CallForecast) -> CallForecast:
        prices = [one for one in (self.usd, other.usd) if one is not None]
        tokens = self.prompt_tokens + other.prompt_tokens, self.reply_tokens + other.reply_tokens
        return CallForecast(self.calls + other.calls, *tokens, sum(prices) if prices else None)

    def __str__(self) -> str:
        price = "" if self.usd is None else f", about {self.usd:.2f} USD"
        tokens = f"about {self.prompt_tokens:,} tokens sent, at most {self.reply_tokens:,} received"
        return f"{self.calls:,} calls, {tokens}{price}"


def left_to_judge(plan: Plan, judging: ScoreSetPlan, store: RunStore | None) -> list[Sample]:
    """The wanted samples that this judge has not seen and whose edit is done or still to be made. No store: all."""
    if store is None:
        return list(plan.samples)
    edits = {edit.sample_id: edit.status for edit in store.edits(wanted_only=False)}
    seen = queries.has_value(store, judging.id, judging.known.parent)
    to_be = "done" if plan.is_editing else ""
    return [one for one in plan.samples if one.id not in seen and edits.get(one.id, to_be) == "done"]


def forecast(
    plan: Plan, judging: ScoreSetPlan, samples: Sequence[Sample], gives_probabilities: bool = True
) -> CallForecast | None:
    """What the judge will be asked about `samples`; None for one that follows no protocol.

    `gives_probabilities`: of labels, which decides how many replies a question takes; a server says so when asked.
    """
    return of_requests(judging, _unread_requests(plan, judging, samples), gives_probabilities)


def of_requests(
    judging: ScoreSetPlan, requests: Iterable[JudgeRequest], gives_probabilities: bool = True
) -> CallForecast | None:
    """The same about requests whose pictures are not looked at."""
    params = judging.stage.params
    if not isinstance(params, AskParams):
        return None
    protocol, total = params.asking, CallForecast()
    for request in requests:
        for question in protocol.questions(request):
            total += _asked(params, question, gives_probabilities)
    dollars = [getattr(params, name, 0.0) for name in ("usd_per_mtok_in", "usd_per_mtok_out")]
    usd = (total.prompt_tokens * dollars[0] + total.reply_tokens * dollars[1]) / MILLION
    return CallForecast(total.calls, total.prompt_tokens, total.reply_tokens, usd if any(dollars) else None)


def lines(plan: Plan, judging: ScoreSetPlan, samples: Sequence[Sample]) -> list[str]:
    """In words; a second line where a server may give no probabilities of labels and that changes the number."""
    return lines_of(judging, lambda: _unread_requests(plan, judging, samples))


def lines_of(judging: ScoreSetPlan, requests: Callable[[], Iterable[JudgeRequest]]) -> list[str]:
    """The same about requests, which are gone through once for each line."""
    if not isinstance(judging.stage.params, AskParams):
        return []
    known = of_requests(judging, requests())
    other = of_requests(judging, requests(), gives_probabilities=False) if judging.judge.is_remote else known
    differs = known is not None and other is not None and other.calls != known.calls
    return [str(known)] + ([f"if the server gives no token probabilities: {other}"] if differs else [])


def _asked(params: AskParams, question: Question, gives_probabilities: bool) -> CallForecast:
    """Every call for one question."""
    num = 1 if params.is_expected(question, gives_probabilities) else params.num_replies
    limit = params.sampling(question, "", 0, gives_probabilities).max_tokens
    texts = [question.system or "", question.text, *(image.label for image in question.shown)]
    sent = sum(map(_text_tokens, texts)) + sum(_picture_tokens(params, image) for image in question.shown)
    again = 1 if params.reasons else 0
    return CallForecast(num + again, sent * (num + again), num * limit + again * params.max_tokens)


def _text_tokens(text: str) -> int:
    num_ascii = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return math.ceil(num_ascii / CHARS_PER_TOKEN) + len(text) - num_ascii


def _picture_tokens(params: AskParams, image: ShownImage) -> int:
    wanted = image.preparation
    sides = [PICTURE_PX, wanted.max_side, params.max_image_side if wanted.is_limited else None]
    sides.append(math.isqrt(wanted.max_area) if wanted.max_area else None)
    return math.ceil(min(side for side in sides if side) / TOKEN_PX) ** 2


def _unread_requests(plan: Plan, judging: ScoreSetPlan, samples: Sequence[Sample]) -> Iterator[JudgeRequest]:
    """About an edit of each of `samples`, with nothing in place of every picture."""
    for sample in samples:
        prompt = plan.config.prompt_of(sample.category) if judging.uses_prompts else None
        yield unread(plan.config.benchmark.canonical(sample.category), sample, prompt)


def unread(category: str, sample: Sample, prompt: Prompt | None) -> JudgeRequest:
    """The request about an edit of `sample`, with nothing in place of every picture."""
    return JudgeRequest(
        key=sample.id,
        sources=(b"",) * len(sample.images),
        edited=b"",
        instruction=sample.instruction,
        target=b"" if sample.target else None,
        mask=b"" if sample.mask else None,
        prompt=prompt.render(sample) if prompt else None,
        metadata={**sample.metadata, "category": category},
        references=(b"",) * len(sample.references),
        reference_text=sample.reference_text,
        language=sample.language,
    )
