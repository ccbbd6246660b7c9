"""`editeval reproduce`: published results through our parser and our means, beside the published numbers."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from editeval.errors import ConfigError
from editeval.reproduce import catalog, printed, reproduced_page
from editeval.reproduce.clone import Clone
from editeval.reproduce.published import Compared, compare
from editeval.text import printable

ALL = "all"


def reproduce(options: argparse.Namespace) -> int:
    """0 if every published number is reached, 1 if one is not."""
    if options.list:
        _refuse(options, "--list")
        sys.stdout.write("\n".join(printed.known()) + "\n")
        return 0
    if not options.name or not options.folder:
        raise ConfigError("reproduce: name a format and its folder: `reproduce NAME --from FOLDER`; --list shows names")
    if options.chinese and not options.markdown:
        raise ConfigError("--chinese: only the page is in Chinese; with --markdown")
    sections = _sections(options)
    if options.markdown:
        sys.stdout.write(printable(reproduced_page.page(sections, options.chinese), keep_lines=True))
    else:
        for name, rows in sections.items():
            said = "\n".join(printed.lines(catalog.FORMATS[name], rows))
            sys.stdout.write(printable(said, keep_lines=True) + "\n")
    return 0 if all(printed.agrees(rows) for rows in sections.values()) else 1


def _sections(options: argparse.Namespace) -> dict[str, list[Compared]]:
    given = _published(options.published)
    if options.name != ALL:
        rows = compare(catalog.result_format(options.name), Clone(Path(options.folder)), given)
        _refuse_unknown(given, rows)
        return {options.name: rows}
    if given:
        raise ConfigError("--published: names a number of one format, got `all`; name the format")
    public = {name: results for name, results in catalog.FORMATS.items() if results.repository}
    folders = {name: Path(options.folder) / results.repository.rpartition("/")[2] for name, results in public.items()}
    return {name: compare(public[name], Clone(folder), {}) for name, folder in folders.items()}


def _published(words: list[str]) -> dict[str, str]:
    """The numbers of `--published`, as they are printed, by row and column."""
    given = {}
    for word in words:
        key, _, text = word.rpartition("=")
        try:
            is_number = math.isfinite(float(text)) and text.strip("-+.0123456789") == ""
        except ValueError:
            is_number = False
        if not key or not is_number:
            raise ConfigError(f"--published: must be '[TABLE: ]ROW COLUMN=VALUE' with the printed digits, got {word!r}")
        given[key.strip()] = text
    return given


def _refuse_unknown(given: dict[str, str], rows: list[Compared]) -> None:
    names = [(f"{row.row} {row.column}", f"{row.table}: {row.row} {row.column}") for row in rows]
    for key in given:
        found = [long for short, long in names if key in (short, long)]
        shown = ", ".join(found[:4] or [long for _, long in names[:4]]) + (" ..." if len(found or names) > 4 else "")
        if not found:
            raise ConfigError(f"--published {key!r}: no such number; there are {shown}")
        if len(found) > 1:
            raise ConfigError(f"--published {key!r}: several tables have it; name one of {shown}")


def _refuse(options: argparse.Namespace, flag: str) -> None:
    used = [options.name, options.folder, options.markdown, options.chinese, options.published]
    if any(used):
        raise ConfigError(f"{flag}: stands alone; name no format, folder or other flag with it")
