"""A judge whose model is on the Hub."""

from __future__ import annotations

from typing import Any

from editeval.types import HubModel
from fakes.fake_judge import FakeJudge


class HubJudge(FakeJudge):
    @classmethod
    def hub_model(cls, params: Any) -> HubModel | None:
        return HubModel("a/b", None, "config.json")
