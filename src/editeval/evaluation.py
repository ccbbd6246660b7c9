"""What Python code and notebooks use of runs: `evaluate` one, with functions of their own, and `open_run`.

A function that is given as an object has no file that says what it will do the next time: what it closes over may be
anything. So it runs in this process, and nothing that it made is taken over by a later run. Code in a file
(`editor="my_editor.py"`) has workers of its own, and its runs are continued.
"""

from __future__ import annotations

import base64
import html
import inspect
import io
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.api import check_plain
from editeval.config.load import Overrides, load_config, load_mapping, load_with
from editeval.config.schema import Config
from editeval.display.session import DISPLAYS, LINE
from editeval.errors import ConfigError, ImageError, UserError
from editeval.images import decode
from editeval.machine import gpus
from editeval.reports.format import format_interval
from editeval.run import comparison, pipeline, results
from editeval.store import directories, queries
from editeval.store.run_store import RunStore
from editeval.text import brief, fixed, share, shortened

Given = str | Mapping[str, object] | Callable[..., object] | Iterable[object] | None
_SECTIONS = {"editor": ("editors", "diffusion_model"), "judge": ("judges", "reward_model")}
_THUMBNAIL_PX, _NUM_THUMBNAILS = 96, 6


def evaluate(
    config: Config | Mapping[str, object] | str | Path | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    editor: Given = None,
    judge: Given = None,
    benchmark: Given = None,
    progress: bool | str = True,
    allow_code: bool = False,
) -> Run:
    """Run a whole evaluation and return it. Raises UserError.

    config      a file, a mapping as in one, or a Config; None: what the other arguments say
    overrides   dotted keys to values, as `--set` does
    editor, judge, benchmark   in place of those of the configuration: a type, a section as a mapping, or a callable:
                `edit(image, instruction, *, seed)`, `judge(source, edited, instruction)`; of a benchmark also a list of
                dicts. A callable runs in this process, its worker is a thread
    progress    False: none; or the name of a display, as `--display` takes it
    allow_code  the files and modules that it names may be run, as `--allow-code` says
    """
    gpus.forget()
    sections = {
        name: found
        for word, given in (("benchmark", benchmark), ("editor", editor), ("judge", judge))
        if given is not None
        for name, found in [_section(word, given)]
    }
    loaded = _loaded(config, sections, overrides or {}, allow_code)
    argv = ["python", *sys.argv] if sys.argv[0].endswith(".py") else sys.argv
    result = pipeline.evaluate(loaded, argv, display=_display(progress))
    return Run(result.plan.dir, result.exit_code)


def open_run(path: str | Path) -> Run:
    """The run in the folder `path`, or whose newest one is linked there as `latest`. Raises UserError if it is none."""
    folder = Path(path)
    if not directories.is_run(folder):
        raise UserError(f"{folder}: is no run directory; name one, such as outputs/latest")
    return Run(folder.resolve() if folder.is_symlink() else folder)


def _loaded(
    config: Config | Mapping[str, object] | str | Path | None,
    sections: Mapping[str, object],
    overrides: Mapping[str, object],
    allow_code: bool,
) -> Config:
    if isinstance(config, Config):
        if sections or overrides:
            raise ConfigError(
                "editor, judge, benchmark and overrides go with a configuration file, not with a resolved Config"
            )
        return config
    check_plain("", overrides)
    if isinstance(config, str | Path):
        path = Path(config)
        if not sections:
            return load_config(path, Overrides(values=overrides), allow_code=allow_code)
        return load_with(sections, path.stem, path, Overrides(values=overrides), allow_code, origin="call evaluate")
    replaced = {"reward_models"} if "reward_model" in sections else set()
    kept = {key: value for key, value in (config or {}).items() if key not in replaced}
    if not overrides:
        return load_mapping({**kept, **sections}, "evaluate", allow_code=allow_code)
    above = Overrides(values=overrides)
    return load_with({**kept, **sections}, "evaluate", None, above, allow_code, origin="call evaluate")


def _section(word: str, given: Given) -> tuple[str, object]:
    """A section of the configuration, and its name."""
    kind, section = _SECTIONS.get(word, ("benchmarks", "benchmark"))
    if isinstance(given, str):
        return section, {"type": given}
    if isinstance(given, Mapping):
        return section, dict(given)
    called = str(getattr(given, "__name__", type(given).__name__))
    name = re.sub(r"[^0-9A-Za-z]+", "_", called).strip("_") + plugins.GIVEN
    code = inspect.unwrap(given) if callable(given) else None
    where = str(getattr(getattr(code, "__code__", None), "co_filename", "")) or f"evaluate({word}=...)"
    plugins.give(kind, name, given, where, str(uuid.uuid4()))
    return section, {"type": name, **({} if kind == "benchmarks" else {"execution": {"backend": "inprocess"}})}


def _display(progress: bool | str) -> str:
    known = (*DISPLAYS, LINE)
    if isinstance(progress, str) and progress not in known:
        raise ConfigError(f"progress: must be True, False or one of {', '.join(known)}, got {progress!r}")
    if isinstance(progress, str):
        return progress
    return "none" if not progress else LINE if "ipykernel" in sys.modules else "auto"


class Run:
    """A run directory, to be looked at: what is in it now, not what was in it when this object was made."""

    def __init__(self, path: Path, exit_code: int | None = None) -> None:
        self.path = path
        self.exit_code = exit_code  # of `evaluate`: 0 all scored, 3 some failed or unscored; None: it was opened

    def scores(self) -> list[dict[str, Any]]:
        """A dict per wanted sample, in order: id, category, instruction, status, `edit` (a path), and for each metric
        its value, and `<metric>_reason` why there is none. `pandas.DataFrame(run.scores())` is a table of them. With
        several seeds a dict per edit, with `sample` and `seed_index` besides.
        """
        with RunStore.read(self.path) as store:
            shown = results.shown(store)
            metrics = results.labels(shown)
            seeds = ("sample", "seed_index") if queries.num_seeds(store) > 1 else ()
            columns = ("id", "category", "instruction", "status")
            found: list[dict[str, Any]] = []
            for row in results.rows(store, shown):
                one: dict[str, Any] = {name: getattr(row, name) for name in (*columns, *seeds)}
                one["edit"] = self.path / row.edited_path if row.edited_path else None
                for metric in metrics:
                    score = row.scores.get(metric)
                    one[metric] = results.value_of(row, metric)
                    one[f"{metric}_reason"] = (score.reason or None) if score else row.error_reason
                found.append(one)
        return found

    def summary(self) -> list[dict[str, Any]]:
        """A dict per metric and category, `macro` and `micro` included: mean, ci_low, ci_high, coverage, counts."""
        return list(self._report()["summaries"])

    def compare(self, other: Run | str | Path) -> dict[str, Any]:
        """How this run stands to `other` by their headline scores, on the samples that both have.

        What `editeval compare --intersect --json` prints: `remarks` names what differs besides the edits.
        """
        path = other.path if isinstance(other, Run) else Path(other)
        return dict(comparison.by_scores([self.path, path], comparison.ComparisonPlan(is_intersected=True)))

    def report(self) -> Path:
        """The page report.html."""
        return self.path / "report.html"

    def _report(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path / "report.json").read_bytes())
        except (OSError, ValueError) as error:
            advice = f"`editeval report {self.path}` writes it"
            raise UserError(f"{self.path}: has no report that can be read; {advice}") from error
        return found

    def __repr__(self) -> str:
        try:
            report = self._report()
        except UserError:
            return f"Run({str(self.path)!r}: no report yet)"
        whole = [one for one in report["summaries"] if one["metric"] == report["headline_metric"]]
        headline = next((f", {one['metric']} {fixed(one['mean'])}" for one in whole if one["category"] == "macro"), "")
        counts = report["coverage"]
        what = "edits" if report["run"].get("num_seeds") else "samples"
        scored = f"{share(counts['scored'])} of {counts['num_samples']} {what} scored"
        return f"Run({str(self.path)!r}: {report['run']['editor']}{headline}, {scored}, {report['badge']})"

    def _repr_html_(self) -> str:
        try:
            report = self._report()
        except UserError:
            return f"<pre>{html.escape(repr(self))}</pre>"
        metric = report["headline_metric"]
        rows = [one for one in report["summaries"] if one["metric"] == metric]
        spans = [format_interval(one["ci_low"], one["ci_high"]) for one in rows]
        cells = [
            (s["category"], fixed(s["mean"]), span, share(s["coverage"])) for s, span in zip(rows, spans, strict=True)
        ]
        table = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        head = "".join(f"<th>{html.escape(word)}</th>" for word in (metric, "mean", "95 % interval", "scored"))
        warnings = "".join(f"<p>{html.escape(str(text))}</p>" for text in report["warnings"])
        body = f"<table><tr>{head}</tr>{table}</table>{warnings}" if rows else warnings
        return f"<p><code>{html.escape(repr(self))}</code></p>{body}<div>{''.join(self._thumbnails(metric))}</div>"

    def _thumbnails(self, metric: str) -> Iterable[str]:
        """The lowest and the highest edits by the headline, small."""
        rows = [one for one in self.scores() if one["edit"]]
        ranked = sorted(rows, key=lambda one: (one.get(metric) is not None, one.get(metric) or 0.0))
        half = _NUM_THUMBNAILS // 2
        for one in ranked if len(ranked) <= _NUM_THUMBNAILS else [*ranked[:half], *ranked[-half:]]:
            try:
                picture = decode(one["edit"].read_bytes())
            except (OSError, ImageError):
                continue
            picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=70)
            said = html.escape(f"{one['id']}: {brief(one['instruction'])}")
            value = html.escape(f"{shortened(str(one['id']), 24)}  {fixed(one.get(metric))}")
            data = base64.b64encode(out.getvalue()).decode()
            style = "display:inline-block;margin:4px;text-align:center;font-size:11px"
            image = f'<img title="{said}" src="data:image/jpeg;base64,{data}">'
            yield f'<figure style="{style}">{image}<br>{value}</figure>'
