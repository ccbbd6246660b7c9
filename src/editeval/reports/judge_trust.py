"""What reports say about the certificate of a judge. Input is a certificate as it is kept: a mapping of JSON values.

None means that the judge has no certificate, which is said wherever its results are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from editeval.reports.data import JsonObject
from editeval.reports.i18n import Message
from editeval.text import NOTHING, fixed, printable, share

CERTIFIED = "certified"
_FAILURES = ("failed", "not measured")
_SHOWN_FAILURES = 4

Certificate = JsonObject


def certificate_line(certificate: Certificate | None) -> Message:
    """The certificate in one line, for the terminal and the head of a report."""
    return Message("no_certificate") if certificate is None else Message("judge_trust", (_verdict(certificate),))


def certificate_warnings(certificates: Mapping[str, Certificate | None]) -> list[Message]:
    """One warning for each judge, by name, whose certificate says that it must not be trusted."""
    return [
        Message("judge_warning", (printable(name), _verdict(certificate)))
        for name, certificate in certificates.items()
        if certificate is not None and certificate["verdict"] != CERTIFIED
    ]


def _verdict(certificate: Certificate) -> Message:
    checks = certificate["checks"]
    applicable = [check for check in checks if check["status"] != "not applicable"]
    passed = sum(check["status"] in ("passed", "warned") for check in applicable)
    basis = passed, len(applicable), certificate["num_samples"]
    if certificate["verdict"] == CERTIFIED:
        return Message("certified", (*basis, figures_line(certificate)))
    return Message("not_certified", (*basis, tuple(_failures(checks))))


def certificate_block(certificate: Certificate | None) -> JsonObject | None:
    """The part of report.json: everything but versions and host, which the certificate's own file keeps."""
    if certificate is None:
        return None
    return {name: value for name, value in certificate.items() if name not in ("versions", "host", "judge")}


def figures_line(certificate: Certificate) -> str:
    """What was measured over all checks."""
    figures = certificate["figures"]
    named = {
        "AUROC target/identity": fixed(figures["auroc_target_identity"]),
        "AUROC other instruction": fixed(figures["auroc_shuffled"]),
        "ties": share(figures["tied"]),
        "retest sd": fixed(figures["retest_sd"], 3),
        "scored": share(figures["coverage"]),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value != NOTHING)


def _failures(checks: Sequence[JsonObject]) -> Iterator[Message]:
    failed = [check for check in checks if check["status"] in _FAILURES]
    for check in failed[:_SHOWN_FAILURES]:
        name, metric = printable(check["name"]), printable(check["metric"])
        if check["status"] == "failed":
            yield Message("check_needs", (name, metric, fixed(check["value"]), printable(check["required"])))
        else:
            yield Message("check_unmeasured", (name, metric))
    if len(failed) > _SHOWN_FAILURES:
        yield Message("more_checks", (len(failed) - _SHOWN_FAILURES,))
