"""The page that holds the front end, for its three hostings: beside a run, in one file, and from the server.

There is no script and no style in the markup: the content security policy allows those files (in one file: exactly
those bytes, by their hashes) and nothing else, and with trusted types no text can become markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from editeval.reports.i18n import Message, vocabulary
from editeval.reports.site.markup import Html, both, both_words, shown
from editeval.text import moment

if TYPE_CHECKING:
    from jinja2 import Environment

SINGLE = "single.css"  # of a page without scripts
STYLES = ("base.css", "summary.css", "grid.css", "compare.css")
SCRIPTS = (
    *("text.js", "dom.js", "state.js", "data.js", "view.js", "ratings.js"),
    *("summary.js", "grid.js", "zoom.js", "panel.js", "compare.js", "main.js"),
)
"""In the order in which they are loaded: when it is read, a file uses only those before it."""

_POLICY = (
    "default-src 'none'; {sources}; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types editeval"
)


@cache
def asset(name: str) -> bytes:
    """One file of the front end. Raises KeyError for anything that is none."""
    if name not in (*STYLES, *SCRIPTS, SINGLE):
        raise KeyError(name)
    return (resources.files("editeval.reports.site") / "static" / name).read_bytes()


def linked(title: str, runs: str, first_page: str, app: str, nonce: str = "") -> str:
    """A page that loads the front end from the folder `app`; `runs` is script-safe JSON, `first_page` our own markup.

    Opened from a disk it may load from the disk; served, only from where it came from, and it runs only the scripts
    that carry the `nonce` of this answer: nothing that lies in a run is one.
    """
    place = "'self'" if nonce else "'self' file:"
    sources = f"script-src {place}; style-src {place}; img-src {place} data:"
    if nonce:
        sources = f"script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
    styles = "\n".join(f'<link rel="stylesheet" href="{app}/{name}">' for name in STYLES)
    mark = f' nonce="{nonce}"' if nonce else ""
    scripts = "\n".join(f'<script src="{app}/{name}" defer{mark}></script>' for name in SCRIPTS)
    return _filled(title, sources, styles, runs, first_page, scripts)


def embedded(title: str, runs: str) -> tuple[str, str]:
    """Beginning and end of a page that holds everything: between them belong blocks of data and the first page."""
    style = "\n".join(asset(name).decode() for name in STYLES)
    script = "\n".join(asset(name).decode() for name in SCRIPTS)
    sources = f"script-src '{digest(script)}'; style-src '{digest(style)}'; img-src data:"
    page = _filled(title, sources, f"<style>{style}</style>", runs, "\0", f"<script>{script}</script>")
    head, _, tail = page.partition("\0")
    return head, tail


def block(kind: str, json_text: str) -> str:
    """A block of data for `embedded`: script-safe JSON that the browser does not run."""
    return f'<script type="application/json" class="editeval-data" data-kind="{kind}">{json_text}</script>\n'


def _filled(title: str, sources: str, styles: str, runs: str, first_page: str, scripts: str) -> str:
    asked = {"words": vocabulary()["words"], "categories": vocabulary()["categories"]}
    words = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    ours = {"policy": _POLICY.format(sources=sources), "styles": styles, "scripts": scripts}
    ours |= {"words": words, "runs": runs, "first_page": first_page}
    marked = {name: Html(text) for name, text in ours.items()}
    return rendered("page.html", {"title": title, **marked})


def single(template: str, heading: Message, written_at: float, values: Mapping[str, object]) -> str:
    """A page in one file without scripts, in both languages: which is shown is a matter of its style alone."""
    style = "\n".join(asset(name).decode() for name in ("base.css", SINGLE))
    policy = f"default-src 'none'; style-src '{digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    about = {"title": f"{heading} - editeval", "policy": policy, "styles": Html(f"<style>{style}</style>")}
    said = {"heading": heading, "written": Message("written_at", (moment(written_at),)), "say": both, "t": both_words}
    return rendered(template, {"key": None, **values, **about, **said})


def rendered(template: str, values: Mapping[str, object]) -> str:
    """A template with `values` in it, all of them escaped but those that are `Html`."""
    from jinja2 import UndefinedError

    try:
        return str(_templates().get_template(template).render(values))
    except UndefinedError as error:
        raise LookupError(str(error)) from error


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("editeval.reports.site"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def digest(text: str) -> str:
    """As a content security policy names a script or a style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
