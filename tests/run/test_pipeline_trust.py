"""What is known of a judge stands beside its scores, and a certificate that it failed spoils the badge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline_fakes import report_of, run

from editeval.certificates import certificate
from editeval.certificates.certificate import SCHEMA_VERSION
from editeval.certificates.checks import SUITE


def content(key: str, verdict: str, status: str) -> dict[str, Any]:
    check = {
        "name": "target > identity",
        "status": status,
        "value": 0.5,
        "required": "share >= 0.95",
        "metric": "overall",
    }
    check |= {"num_compared": 30, "low": 0.3, "high": 0.7}
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": SUITE,
        "key": key,
        "verdict": verdict,
        "created_at": 1.0,
        "num_samples": 30,
        "checks": [check],
        "rungs": [],
        "judge": {},
    }


def test_a_judge_that_failed_its_certificate_gives_no_valid_badge_and_the_next_run_shows_it(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert report_of(first)["badge"] == "valid"
    trust = report_of(first)["run"]["judgings"][0]["certificate"]
    assert trust["verdict"] is None and "no certificate" in trust["line"]
    certificate.write(tmp_path, content(first.plan.judging_id, "not certified", "failed"), [])
    second = report_of(run(tmp_path))
    assert second["badge"] == "invalid judge"
    assert any("NOT CERTIFIED" in warning for warning in second["warnings"])
    assert second["certificate"]["verdict"] == "not certified"
    text = (first.plan.dir / "report.md").read_text(encoding="utf-8")
    assert "NOT CERTIFIED" in text
