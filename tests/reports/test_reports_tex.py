"""A table that TeX takes, whatever a model is called; what is missing is a dash."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.reports.tex import Model, escaped, render_tex
from editeval.stats.summary import summarise

HOSTILE = r'\input{/etc/passwd} & % $x$ # a_b ~ ^ {} <b> | "q" \\ \end{tabular}'
DOCUMENT = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"


def model(name: str, *values: float | None, category: str = "physical") -> Model:
    entries = [(category, f"c{i}", "unscored" if v is None else "scored", v) for i, v in enumerate(values)]
    return Model(name, {s.category: s for s in summarise(entries, "overall")}, "exact (reference, 1f0c)")


def rows(text: str) -> list[list[str]]:
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)&", line.rstrip("\\ "))]
        for line in body.splitlines()
        if "&" in line
    ]


def test_a_model_has_its_mean_its_interval_and_its_coverage_per_category() -> None:
    flux = model("flux", *(x / 2 + 3 for x in range(1, 12)), None)
    expected = f"{flux.summaries['micro'].ci_low:.2f}--{flux.summaries['micro'].ci_high:.2f}"
    text = render_tex([flux], "overall", "origin")
    head, means, intervals, scored = rows(text)
    assert head == ["Model", "physical", "macro", "micro"]
    assert means == ["flux", "6.00", "6.00", "6.00"]
    assert intervals[1] == rf"{{\scriptsize {expected}}}" and scored[1] == r"{\scriptsize 11/12}"
    assert "nreliable" not in text


def test_an_interval_that_cannot_be_trusted_is_a_word_and_the_caption_says_why() -> None:
    text = render_tex([model("flux", 4.0, 6.0, None)], "overall", "origin")
    assert rows(text)[2][1:] == [r"{\scriptsize unreliable}"] * 3
    assert "one source image has more than a fifth of the weight." in text


def test_the_best_mean_is_bold_where_there_is_something_to_compare() -> None:
    models = [model("a", 4.0, 6.0), model("b", 7.0, 7.0), model("c", 7.0, 7.0)]
    found = [row[1] for row in rows(render_tex(models, "overall", "")) if row[0] in "abc"]
    assert found == ["5.00", r"\textbf{7.00}", r"\textbf{7.00}"]
    assert "textbf" not in render_tex(models[:1], "overall", "")


def test_models_that_are_judged_differently_are_not_compared_and_the_caption_says_whose_scores_each_has() -> None:
    by = {"a": ("exact (reference, 1f0c)", "1f0c"), "b": ("words (chat, 77aa)", "77aa")}
    models = [
        replace(model(name, *values), judge=by[name][0], judging_id=by[name][1])
        for name, values in {"a": (4.0, 6.0), "b": (7.0, 7.0)}.items()
    ]
    text = render_tex(models, "overall", "")
    assert "textbf" not in text
    assert "judged differently, so that the means do not compare: a by exact (reference, 1f0c); b by words (" in text
    assert "textbf" in render_tex([replace(one, judging_id="1f0c") for one in models], "overall", "")


def test_the_caption_names_every_judge_once() -> None:
    text = render_tex([model("a", 4.0), model("b", 7.0)], "overall", "")
    assert text.count("Scores: exact (reference, 1f0c).") == 1


def test_languages_have_a_table_of_their_own() -> None:
    def spoken(name: str, en: float, cn: float) -> Model:
        parts = {f"{at}, macro": model(name, value).summaries["macro"] for at, value in (("en", en), ("cn", cn))}
        return replace(model(name, en, cn), groups={"language": parts})

    text = render_tex([spoken("a", 4.0, 6.0), spoken("b", 5.0, 3.0)], "overall", "")
    first, second = text.split(r"\end{table}")[:2]
    assert r"\label{tab:editeval}" in first and "en, macro" not in first
    assert r"\label{tab:editeval-language}" in second and r"overall by language; as Table~\ref{tab:editeval}." in second
    assert [row for row in rows(second) if row[0] in ("Model", "a", "b")] == [
        ["Model", "en, macro", "cn, macro"],
        ["a", "4.00", r"\textbf{6.00}"],
        ["b", r"\textbf{5.00}", "3.00"],
    ]


def test_what_differs_from_the_official_numbers_of_several_models_is_said_once() -> None:
    line = "not official: X Avg {} (full set; judge j) differs in: words (own wording), judge (j)"
    models = [replace(model(name, value), claims=(line.format(value),)) for name, value in {"a": 4, "b": 5}.items()]
    text = render_tex(models, "overall", "")
    numbers = "a: not official: X Avg 4 (full set; judge j); b: not official: X Avg 5 (full set; judge j)"
    assert text.count(f"{numbers} differs in: words (own wording), judge (j).") == 1 == text.count("own wording")


def test_what_a_model_lacks_is_a_dash_and_never_a_zero() -> None:
    text = render_tex([model("a", None), model("b", 3.0, category="causal")], "overall", "")
    found = {row[0]: row[1:] for row in rows(text)}
    assert found["a"] == ["--", "--", "--", "--"] and found["b"][0] == "--"


@settings(deadline=None)
@given(st.text(max_size=80))
def test_an_escaped_text_holds_no_character_that_tex_interprets(text: str) -> None:
    left = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_{}]", "", escaped(text))
    assert not set(left) & set("\\&%$#_{}~^<>|") and not any(ord(char) < 32 for char in left)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_a_real_tex_sets_a_hostile_name(tmp_path: Path) -> None:
    table = render_tex([model(HOSTILE, 4.0, 6.0), model("b_c", 7.0, None)], HOSTILE, HOSTILE)
    (tmp_path / "a.tex").write_text(DOCUMENT % table, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "a.pdf").stat().st_size > 1000
