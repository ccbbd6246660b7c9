"""What a run's numbers are worth: the badge, its warnings, the judge's certificate and what it gave the controls; and
the numbers as the benchmark's authors print them.

A certificate is as it is kept, a mapping of JSON values. None means that the judge has none, which is said wherever its
results are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from editeval.reports.data import INVALID, INVALID_JUDGE, NOT_JUDGED, VALID, WARNED, JsonObject, Report, Survey
from editeval.reports.i18n import Message
from editeval.text import NOTHING, fixed, printable, share

MIN_COVERAGE = 0.9  # below this share of scored samples a run says more about its failures than about the editor
MIN_HEADLINE = 0.98  # below this one the mean could be moved by what has no score: no number to quote


def is_headline(num_scored: int, num_samples: int) -> bool:
    """Whether a mean of so many scores is a number to quote."""
    return num_scored > 0 and num_scored >= MIN_HEADLINE * num_samples


def decide_badge(
    seen: Survey,
    is_judged: bool = True,
    is_control: bool = False,
    about_judges: Sequence[Message] = (),
    is_judge_trusted: bool = True,
) -> tuple[str, tuple[Message, ...]]:
    """(badge, warnings): invalid below MIN_COVERAGE or with nothing scored, else with warnings if there are any.

    `about_judges` are further warnings, such as a certificate that a judge failed. Where the headline's judge failed
    one, `is_judge_trusted` is False and the badge is INVALID_JUDGE at best.

    Without a judge the edits are what counts: their share takes the place of the coverage. A control (`identity`,
    `target`) is meant to give equal scores and unchanged pictures: that is no warning.
    """
    warnings = (*_warnings(seen, is_judged, is_control), *about_judges)
    if is_judged:
        is_enough = seen.num_scored > 0 and seen.coverage >= MIN_COVERAGE
    else:
        is_enough = seen.num_done > 0 and seen.num_done >= MIN_COVERAGE * seen.num_samples
    if not is_enough:
        return INVALID, warnings
    if not is_judge_trusted:
        return INVALID_JUDGE, warnings
    return (WARNED if warnings else VALID), warnings


def _warnings(seen: Survey, is_judged: bool, is_control: bool) -> Iterator[Message]:
    total, done = seen.num_samples, seen.num_done
    if is_judged and seen.num_scored == 0:
        yield Message("nothing_scored", (total,))
    elif is_judged and seen.coverage < MIN_COVERAGE:
        yield Message("too_few_scored", (seen.num_scored, total, f"{MIN_COVERAGE * 100:.0f}"))
    if seen.num_failed:
        yield Message("edits_failed", (seen.num_failed, total))
    if seen.num_pending:
        yield Message("not_edited", (seen.num_pending, total))
    if is_judged:
        yield from _unscored(seen)
    if seen.num_unparsed and seen.parse_rate is not None:
        yield Message("answers_unparsed", (seen.num_unparsed, seen.num_answers, f"{seen.parse_rate * 100:.1f}"))
    if is_control:
        return
    num_alike, num_several = seen.num_alike
    if num_several and num_alike == num_several:
        yield Message("seeds_alike", (num_several,))
    if seen.num_duplicates:
        yield Message("edits_identical", (seen.num_duplicates, done))
    for flag, count in seen.num_flagged.items():
        if flag == "other_size":  # many models answer in a size of their own: counted, and no reason to doubt
            continue
        yield Message(f"edits_{flag}", (count, done))
    if seen.num_scored > 1 and seen.lowest == seen.highest:
        yield Message("all_scores_equal", (fixed(seen.lowest),))


def _unscored(seen: Survey) -> Iterator[Message]:
    """What is still to be judged is not called a failure of the judge."""
    num_unjudged = sum(cause.count for cause in seen.causes if (cause.stage, cause.reason) == ("judge", NOT_JUDGED))
    if seen.num_unscored > num_unjudged:
        yield Message("not_scored", (seen.num_unscored - num_unjudged, seen.num_done))
    if num_unjudged:
        yield Message("not_judged", (num_unjudged, seen.num_done))


MAX_OFFICIAL = 3  # different numbers that are all shown


def claim_lines(report: Report) -> list[str]:
    """Whether the official number is official, or what differs: one line for each language; what comes first."""
    return [printable(line) for line in (report.run.get("official_claim") or {}).get("lines") or ()]


def official_lines(report: Report) -> list[tuple[str, str]]:
    """(name, value and rule) of the main number made as the benchmark's authors make it, and of each group's.

    Of a run in several languages there is one for each of them. A few further numbers are shown, many only counted.
    """
    numbers = list(report.run.get("official") or ())
    shown = numbers if len({one["name"] for one in numbers}) <= MAX_OFFICIAL else _main(numbers)
    told = [("", f" ({one['rule']})", one) for one in shown]
    for group in report.groups:
        if group.by != "language":  # each has its number above
            told += [(f" ({printable(group.name)})", "", one) for one in _main(group.official)]
    lines = [(f"{one['name']}{of}{_language(one)}, authors' rule", _value(one, rule)) for of, rule, one in told]
    num = len(numbers) - len(shown)
    return lines + ([("further numbers, authors' rule", f"{num}, in report.json: run.official")] if num else [])


def _main(numbers: Sequence[JsonObject]) -> list[JsonObject]:
    """Those called as the first one: the authors' main number, of each language."""
    return [one for one in numbers if one["name"] == numbers[0]["name"]]


def _language(number: JsonObject) -> str:
    return f" ({number['language']})" if number.get("language") else ""


def _value(number: JsonObject, rule: str) -> str:
    value = "none" if number["value"] is None else f"{number['value']:.6g}"
    return f"{value}{rule}; {number['num_scored']} of {number['num_scores']} scores"


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
