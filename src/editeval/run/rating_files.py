"""People's ratings of edits, from tables and from what the page of a report exports."""

from __future__ import annotations

import csv
import math
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import UserError
from editeval.files import from_json
from editeval.text import one_line

MAX_BYTES = 512_000_000
MAX_RATING = 1e9  # in size; beyond it squares and ranks lose digits
MAX_RATERS = 5000  # each is compared with all others: half a minute
COLUMNS = ("sample", "rating")
VERDICTS: Mapping[object, float] = {"good": 1.0, "tie": 0.5, "bad": 0.0}
STARS, VERDICT, NUMBER = "stars", "verdict", "number"


@dataclass(frozen=True, slots=True)
class HumanRating:
    """What one person thinks of one edit; more is better. `model`: name of the run; empty: the file does not say."""

    model: str
    sample: str
    rater: str
    kind: str  # stars (1-5) | verdict (0, 0.5, 1) | number, of a table
    value: float
    is_blind: bool | None = None  # whether the rater saw no score and no name; None: not known
    where: str = ""


def read_ratings(path: Path) -> list[HumanRating]:
    """Of a `.csv` or `.tsv` with the columns sample, rating, and model and rater if it has them; or the page's `.json`.

    Raises UserError, which names file and line.
    """
    if path.suffix not in (".csv", ".tsv", ".json"):
        raise UserError(f"--ratings {path}: must be .csv, .tsv or .json, got {path.suffix or 'no suffix'}")
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would wait for its writer, a device has no end
            raise UserError(f"--ratings {path}: is no file; give the file itself")
        if found.st_size > MAX_BYTES:
            raise UserError(f"--ratings {path}: is larger than {MAX_BYTES:,} bytes; split it")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"--ratings {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--ratings {path}: must be UTF-8 text, got other bytes") from error
    ratings = list(_exported(path, text) if path.suffix == ".json" else _rows(path, text))
    if not ratings:
        raise UserError(f"--ratings {path}: no rating is in it")
    if (num_raters := len({one.rater for one in ratings})) > MAX_RATERS:
        raise UserError(f"--ratings {path}: has {num_raters:,} raters, of at most {MAX_RATERS:,}; leave some out")
    return ratings


def _rows(path: Path, text: str) -> Iterator[HumanRating]:
    reader = csv.DictReader(text.splitlines(), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    try:
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise UserError(f"--ratings {path}: must have the columns {', '.join(COLUMNS)}, lacks {', '.join(lacking)}")
        twice = [name for name, count in Counter(reader.fieldnames or ()).items() if count > 1]
        if twice:
            raise UserError(f"--ratings {path}: has two columns {one_line(twice[0])!r}; remove one")
        for row in reader:
            where = f"--ratings {path}:{reader.line_num}"
            try:
                value = float(row["rating"])
            except (TypeError, ValueError):
                value = math.nan
            if None in row:
                raise UserError(f"{where}: has more cells than there are columns; quote a cell with a comma in it")
            if not abs(value) <= MAX_RATING or not row["sample"]:
                least = f" of at most {MAX_RATING:g} in size" if math.isfinite(value) else ""
                what = f"rating: must be a number{least}" if row["sample"] else "sample: must be an id"
                raise UserError(f"{where}: {what}, got {str(row['rating'])[:60]!r}")
            yield HumanRating(row.get("model") or "", row["sample"], row.get("rater") or "", NUMBER, value, None, where)
    except csv.Error as error:
        raise UserError(f"--ratings {path}:{reader.line_num}: {error}") from error


def _exported(path: Path, text: str) -> Iterator[HumanRating]:
    """The rater is called like the file."""
    try:
        for run in from_json(text)["runs"]:
            yield from of_viewer(str(run["name"]), path.stem, run["ratings"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"--ratings {path}: not what the page of a report exports: {error}") from error


def of_viewer(model: str, rater: str, ratings: Mapping[str, Mapping[str, object]]) -> Iterator[HumanRating]:
    """Stars and verdicts; a rating may have both, or neither."""
    for sample, rating in ratings.items():
        is_blind, stars = rating.get("blind") is True, rating.get("stars")
        where = f"the ratings of {rater or 'a viewer without a name'} in {model}"
        if isinstance(stars, int):
            yield HumanRating(model, sample, rater, STARS, float(stars), is_blind, where)
        if rating.get("verdict") in VERDICTS:
            yield HumanRating(model, sample, rater, VERDICT, VERDICTS[rating["verdict"]], is_blind, where)
