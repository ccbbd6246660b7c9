"""Why the judge answered as it did: asked after its answer, in the same conversation; no score can follow it."""

from __future__ import annotations

from editeval.judges.parsing import formats
from editeval.judges.parsing.reply import LABELS, Reply
from editeval.judges.protocols.protocol import Question

WHY = "In one sentence: what in the picture or the pictures decided your answer?"


def answer_of(question: Question, reply: Reply, min_label_mass: float) -> str:
    """What the judge is told that it answered: its text, its likeliest label, or the sample nearest to the mean.

    Empty for a reply that gave no score: there is nothing to explain.
    """
    reading = formats.read(question.answer, reply, min_label_mass)
    if not reading.values:
        return ""
    if not reply.samples:
        return reply.text if reply.labels is None else LABELS[reply.labels.index(max(reply.labels))]
    distances = {}
    for number, sample in enumerate(reply.samples):
        alone = formats.read(question.answer, Reply("", samples=(sample,)), min_label_mass)
        if alone.values:
            pairs = zip(alone.values, reading.values, strict=True)
            distances[number] = sum(abs(value - mean) for value, mean in pairs)
    return reply.samples[min(distances, key=distances.__getitem__)].text
