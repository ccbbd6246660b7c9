"""Protocol `pointwise_mean`: the questions of `pointwise`, their plain mean as the headline.

overall        (following + preservation + quality) / 3

For comparison with tables that report plain means, and for reading the kept replies of `pointwise` again:
`editeval reparse RUN --protocol pointwise_mean`. Not a default: an untouched source keeps full marks for preservation
and quality, so that a model which does nothing gets two thirds of the scale (on released judge answers, near-copies of
the source would have ranked second of eight editors).
"""

from __future__ import annotations

from collections.abc import Mapping

from editeval.judges.parsing.reply import ParsedReply
from editeval.judges.protocols.pointwise import Pointwise
from editeval.judges.protocols.protocol import first_reason
from editeval.types import JudgeRequest


class PointwiseMean(Pointwise):
    """Following, preservation and quality, and the mean of all three."""

    def combine(self, readings: Mapping[str, ParsedReply], request: JudgeRequest) -> dict[str, ParsedReply]:
        parts = [readings[name] for name in self.metrics[1:]]
        missing = first_reason(*parts)
        overall = missing or ParsedReply((sum(part.values[0] for part in parts) / len(parts),))
        return {"overall": overall, **readings}


PROTOCOL = PointwiseMean
