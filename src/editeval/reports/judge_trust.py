"""What reports say about the certificate of a judge. Input is a certificate as it is kept: a mapping of JSON values.

None means that the judge has no certificate, which is said wherever its results are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from editeval.reports.i18n import Message
from editeval.text import NOTHING, fixed, moment, printable, share

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

CERTIFIED = "certified"
_FAILURES = ("failed", "not measured")
_STYLES = {"passed": "green", "warned": "yellow", "failed": "bold red", "not measured": "bold red"}
_SHOWN_FAILURES = 4

Certificate = Mapping[str, Any]


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
        return Message("certified", (*basis, _figures_line(certificate)))
    return Message("not_certified", (*basis, tuple(_failures(checks))))


def certificate_block(certificate: Certificate | None) -> dict[str, Any] | None:
    """The part of report.json: everything but versions and host, which the certificate's own file keeps."""
    if certificate is None:
        return None
    return {name: value for name, value in certificate.items() if name not in ("versions", "host", "judge")}


def certificate_rows(certificate: Certificate) -> Iterator[tuple[str, ...]]:
    """One row per check, under CHECK_TITLES."""
    for check in certificate["checks"]:
        yield (
            printable(check["name"]),
            printable(check["metric"] or NOTHING),
            fixed(check["value"]),
            _interval(check),
            str(check["num_compared"] or NOTHING),
            printable(check["required"]),
            printable(check["status"]),
            _note(check),
        )


CHECK_TITLES = ("check", "metric", "value", "95 % interval", "n", "required", "status", "note")
_UNBROKEN = ("check", "value", "95 % interval", "n", "status")


def rung_rows(certificate: Certificate) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(titles, rows) of the means: one row per arm, one column per metric."""
    metrics = list(dict.fromkeys(metric for rung in certificate["rungs"] for metric in rung["metrics"]))
    rows = []
    for rung in certificate["rungs"]:
        cells = [fixed(rung["metrics"][metric]["mean"]) for metric in metrics]
        scored = rung["metrics"][metrics[0]]["num_scored"]
        rows.append((printable(rung["arm"].replace("_", " ")), *cells, f"{scored}/{rung['num_asked']}"))
    return ("shown", *(printable(metric) for metric in metrics), "scored"), rows


def certificate_markdown(certificate: Certificate | None) -> list[str]:
    """Lines of Markdown: the one line, and the checks as a table."""
    from editeval.reports.markdown import escaped

    lines = [escaped(certificate_line(certificate))]
    if certificate is not None:
        lines += ["", _markdown_line(CHECK_TITLES), _markdown_line([":--"] * len(CHECK_TITLES))]
        lines += [_markdown_line([escaped(cell) for cell in row]) for row in certificate_rows(certificate)]
    return lines


def render_certificate(certificate: Certificate, console: Console) -> None:
    """Prints the whole certificate on `console`."""
    for block in _blocks(certificate):
        console.print(block, highlight=False)


def _blocks(certificate: Certificate) -> Iterator[RenderableType]:
    from rich.text import Text

    judge = certificate["judge"]
    model = judge["params"].get("model_name")
    title = Text(printable(judge["requested_type"]) + (f" {printable(model)}" if model else ""), style="bold")
    is_certified = certificate["verdict"] == CERTIFIED
    title.append(f"  {certificate['verdict']}", style="bold green" if is_certified else "bold red")
    yield title
    yield Text(
        f"{certificate['num_samples']} samples ({', '.join(map(printable, certificate['categories']))}), "
        f"suite {certificate['suite']}, {moment(certificate['created_at'])}, judging {printable(certificate['key'])}"
    )
    titles, rows = rung_rows(certificate)
    yield _table(titles, rows)
    yield _table(CHECK_TITLES, list(certificate_rows(certificate)), status=CHECK_TITLES.index("status"))
    yield Text(_figures_line(certificate))
    if certificate["unscored"]:
        counts = ", ".join(f"{count} {printable(reason)}" for reason, count in certificate["unscored"].items())
        yield Text(f"unscored: {counts}", style="yellow")


def _figures_line(certificate: Certificate) -> str:
    figures = certificate["figures"]
    named = {
        "AUROC target/identity": fixed(figures["auroc_target_identity"]),
        "AUROC other instruction": fixed(figures["auroc_shuffled"]),
        "ties": share(figures["tied"]),
        "retest sd": fixed(figures["retest_sd"], 3),
        "scored": share(figures["coverage"]),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value != NOTHING)


def _failures(checks: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    failed = [check for check in checks if check["status"] in _FAILURES]
    for check in failed[:_SHOWN_FAILURES]:
        name, metric = printable(check["name"]), printable(check["metric"])
        if check["status"] == "failed":
            yield Message("check_needs", (name, metric, fixed(check["value"]), printable(check["required"])))
        else:
            yield Message("check_unmeasured", (name, metric))
    if len(failed) > _SHOWN_FAILURES:
        yield Message("more_checks", (len(failed) - _SHOWN_FAILURES,))


def _interval(check: Mapping[str, Any]) -> str:
    return NOTHING if check["low"] is None else f"{check['low']:.2f} to {check['high']:.2f}"


def _note(check: Mapping[str, Any]) -> str:
    tied = f"{share(check['tied'])} ties" if check["tied"] else ""
    return ", ".join(filter(None, (tied, printable(check["note"]))))


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], status: int | None = None) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(Text(title), no_wrap=title in _UNBROKEN)
    for row in rows:
        styles = [_STYLES.get(cell, "dim") if place == status else "" for place, cell in enumerate(row)]
        table.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=True)))
    return table
