"""The certificate in reports: one line that does not flatter, tables, and nothing from data that is interpreted."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from certificates.certificate_fakes import NUM_SAMPLES, answered, sound
from editeval.certificates import conditions
from editeval.certificates.certificate import assemble
from editeval.reports.badge import certificate_block, certificate_line
from editeval.reports.terminal import render_certificate

ABOUT = {
    "num_samples": NUM_SAMPLES,
    "categories": ["physical"],
    "created_at": 1.8e9,
    "judge": {"requested_type": "vlm<b>", "params": {"model_name": "some/model"}},
    "versions": {"python": "3"},
    "host": {"name": "here"},
}


def made(**arm_values: float) -> dict[str, Any]:
    answers = answered(("overall",), lambda arm, metric, n: arm_values.get(arm, sound(arm, metric, n)))
    return assemble("0123", answers, True, ABOUT)


def test_a_judge_without_a_certificate_is_called_so() -> None:
    line = str(certificate_line(None))
    assert line.startswith("judge has no certificate") and "editeval certify" in line
    assert certificate_block(None) is None


def test_the_line_says_verdict_basis_and_figures() -> None:
    line = str(certificate_line(made()))
    assert line.startswith("judge certified: 22 of 22 checks passed, 30 samples; AUROC target/identity 1.00")
    assert "\n" not in line


def test_the_line_of_a_failed_certificate_names_what_failed() -> None:
    line = str(certificate_line(made(identity=9.5)))
    assert line.startswith("judge NOT CERTIFIED: ") and "identity is bad (overall) 9.50, needs mean <= 1.0" in line
    constant = str(certificate_line(made(**dict.fromkeys(conditions.ARMS, 5.0))))
    assert constant.endswith("more") and constant.count("needs") == 4


def test_the_terminal_shows_every_check() -> None:
    content = made(identity=9.5)
    out = io.StringIO()
    render_certificate(content, Console(file=out, width=160))
    for check in content["checks"]:
        assert check["name"].split(" > ")[-1] in out.getvalue()
    assert "not certified" in out.getvalue() and "vlm<b>" in out.getvalue()


def test_the_block_is_the_certificate_without_what_its_own_file_keeps() -> None:
    block = certificate_block(made())
    assert block is not None and not {"versions", "host"} & set(block)
    assert {"verdict", "checks", "rungs", "figures", "key", "suite"} <= set(block)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a | b", "\x1b[31mred\nline"])
def test_text_from_data_is_not_interpreted(hostile: str) -> None:
    content = made(identity=9.5)
    content["checks"][0]["note"] = content["checks"][0]["name"] = hostile
    content["judge"]["requested_type"] = hostile
    out = io.StringIO()
    render_certificate(content, Console(file=out, width=160))
    for text in (out.getvalue(), str(certificate_line(content))):
        assert "\x1b[31m" not in text
