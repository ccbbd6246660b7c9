"""Fixtures of the report tests; what they are made of is in report_fakes.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_fakes import believable_rows, report_of

from editeval.reports.data import Report
from editeval.store.records import SampleRow


@pytest.fixture
def rows() -> list[SampleRow]:
    """270 samples, seven of them without a score."""
    return believable_rows()


@pytest.fixture
def make_report(tmp_path: Path) -> Callable[..., Report]:
    """make_report(rows, **changes): a Report of a run in `tmp_path`."""

    def make(rows: list[SampleRow], **changes: object) -> Report:
        return report_of(rows, tmp_path, **changes)

    return make
