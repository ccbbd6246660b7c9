"""What reports say about the certificate of a judge. Input is a certificate as it is kept: a mapping of JSON values.

None means that the judge has no certificate, which is said wherever its results are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from editeval.reports.data import JsonObject
from editeval.reports.i18n import Message
from editeval.text import NOTHING, fixed, printable, share

CERTIFIED = "certified"
_FAILURES = ("failed", "not measured")
_SHOWN_FAILURES = 4

_NO_RATIO = {"no_contrast": "normalised_no_contrast", "few_controls": "normalised_few_controls"}
_ARMS = ("identity", "target", "wrong_target", "jpeg_95")

Certificate = JsonObject
Trust = tuple[Certificate | None, Sequence[Certificate]]
"""Of a judge: its drawn certificate, and the photographic ones, one for each data set of people's judgements."""


def certificate_line(certificate: Certificate | None, photographic: Sequence[Certificate] = ()) -> Message:
    """The certificates in one line, for the terminal and the head of a report."""
    drawn = Message("no_certificate") if certificate is None else Message("judge_trust", (_verdict(certificate),))
    line = Message("with_photographs", (drawn, tuple(_on_photographs(photographic)))) if photographic else drawn
    return Message("made_elsewhere", (line,)) if _are_made_elsewhere((certificate, *photographic)) else line


def certificate_warnings(judges: Mapping[str, Trust]) -> list[Message]:
    """One warning for each judge, by name, and each certificate that says that it must not be trusted."""
    found = []
    for name, (certificate, photographic) in judges.items():
        if certificate is not None and certificate["verdict"] != CERTIFIED:
            found.append(Message("judge_warning", (printable(name), _verdict(certificate))))
        said = zip(photographic, _on_photographs(photographic), strict=True)
        found += [
            Message("judge_warning", (printable(name), line)) for one, line in said if one["verdict"] != CERTIFIED
        ]
        if _are_made_elsewhere((certificate, *photographic)):
            found.append(Message("judge_warning", (printable(name), Message("certificate_made_elsewhere"))))
    return found


def _are_made_elsewhere(certificates: Sequence[Certificate | None]) -> bool:
    """Whether one of them lacks the seal of this user on this machine: what it says is the word of its file."""
    return any(one.get("is_own") is False for one in certificates if one is not None)


def control_lines(run: JsonObject) -> list[tuple[str, Message]]:
    """What the headline's judge gave the controls of a run, and where the model stands between two of them."""
    controls = run.get("controls")
    if not controls:
        return []
    means, ratio = controls["means"], controls["normalised"]
    shown = (fixed(means[arm]["mean"]) if arm in means else NOTHING for arm in _ARMS)
    lines = [("controls", Message("controls", (*shown, max((one["num_scored"] for one in means.values()), default=0))))]
    if ratio is not None and ratio["value"] is not None:
        ends = f"{fixed(ratio['low'])} - {fixed(ratio['high'])}"
        interval = Message("interval_unreliable") if ratio["note"] else ends
        lines.append(("normalised", Message("normalised", (fixed(ratio["value"]), interval))))
    elif ratio is not None:
        lines.append(("normalised", Message(_NO_RATIO[ratio["note"]])))
    return lines


def is_trusted(certificate: Certificate | None, photographic: Sequence[Certificate]) -> bool:
    """Whether no certificate of the judge says that it must not be trusted; without any, nothing is known."""
    return all(one["verdict"] == CERTIFIED for one in (certificate, *photographic) if one is not None)


def _on_photographs(photographic: Sequence[Certificate]) -> Iterator[Message]:
    """What each of them says. Of several data sets of one name the beginning of their digest tells them apart."""
    names = Counter(one["data"]["name"] for one in photographic)
    for one in photographic:
        data = one["data"]
        yield _agreement(one, printable(data["name"] + (f" {data['digest'][:8]}" if names[data["name"]] > 1 else "")))


def _agreement(certificate: Certificate, name: str) -> Message:
    main, coverage = certificate["checks"][0], certificate["checks"][-1]
    span = f"{fixed(main['low'])} - {fixed(main['high'])}"
    values = name, fixed(main["value"]), span
    counts = coverage["num_compared"], coverage["num_asked"]
    if certificate["verdict"] == CERTIFIED:
        return Message("photographs", (*values, *counts))
    return Message("photographs_failed", (*values, *counts, tuple(_failures(certificate["checks"]))))


def photographic_blocks(photographic: Sequence[Certificate]) -> list[JsonObject]:
    """What report.json says of them: everything but what their own files keep alone."""
    left_out = ("versions", "host", "judge", "devices", "seconds", "is_own")
    return [{name: value for name, value in one.items() if name not in left_out} for one in photographic]


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
