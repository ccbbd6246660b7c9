"""What README and docs show works: commands, YAML, JSON and Python in fences, links, pictures, both languages."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from PIL import Image

from command_line import cli
from editeval import plugins
from editeval.cli.parser import build_legacy_parser, build_parser
from editeval.config.load import load_mapping
from editeval.config.schema import SECTIONS
from editeval.errors import UserError
from editeval.judges.protocols.protocol import PROTOCOLS

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import docs_pages

ROOT = docs_pages.ROOT
PAGES = docs_pages.pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
GUIDES = ("README.md", *(f"docs/{n}.md" for n in ("first_run", "your_data", "your_images", "your_model", "your_judge")))
NEEDS_MORE = ("my_checkpoint.yaml", "gpus.yaml", "judge.yaml", "RUN_A", "view")
"""What needs a checkpoint, a server or two models: parsed and loaded, not run."""
REST = {"benchmark": {"type": "procedural"}, "diffusion_model": {"type": "identity"}}


@dataclass(frozen=True)
class Block:
    """What stands between two fences, or a paragraph that is indented by four spaces."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```\s*$", text, re.MULTILINE | re.DOTALL):
        title = re.search(r'title="([^"]*)"', found[3])
        body = re.sub(rf"^{found[1]}", "", found[4], flags=re.MULTILINE)
        yield Block(found[2], title[1] if title else "", body, text[: found.start()].count("\n") + 1)
    plain = re.sub(r"```.*?```", lambda fence: "\n" * fence[0].count("\n"), text, flags=re.DOTALL)
    for found in re.finditer(r"(?:^    [^\n]*\n)+", plain, re.MULTILINE):
        yield Block("indented", "", found[0], plain[: found.start()].count("\n") + 1)


def commands(block: Block) -> Iterator[list[str]]:
    """The command lines of ours in a block, as words."""
    for line in re.sub(r"\\\n", " ", block.text).splitlines():
        for part in re.split(r"&&|\|\||[|;]", re.sub(r"(^|\s)#.*", "", line)):
            part = re.sub(r"\s\d?>+\s*\S+", "", part)  # where its output goes
            words = shlex.split(part) if "editeval " in part or "main.py" in part else []
            if words[:1] == ["editeval"] or words[:2] == ["python", "main.py"]:
                yield [word for word in words if word not in ("...", "&")]


def parsed(words: list[str]) -> str:
    """What our parser says against a command line; empty if nothing."""
    parser = build_parser() if words[0] == "editeval" else build_legacy_parser()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(words[1:] if words[0] == "editeval" else words[2:])
    except SystemExit as ended:
        return said.getvalue() if ended.code else ""
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_one_of_ours_with_flags_that_it_takes(name: str) -> None:
    if name.endswith("decisions.md"):
        pytest.skip("what was")
    wrong = [
        f"{name}:{block.line}: {shlex.join(words)}: {said}"
        for block in blocks(ROOT / name)
        if block.language in ("bash", "sh", "indented", "")
        for words in commands(block)
        if (said := parsed(words))
    ]
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_json_and_python_can_be_read(name: str) -> None:
    wrong = []
    for block in blocks(ROOT / name):
        where = f"{name}:{block.line}"
        try:
            if block.language in ("yaml", "yml"):
                wrong += [f"{where}: {said}" for said in _against(yaml.safe_load(block.text))]
            elif block.language == "json":
                json.loads(block.text)
            elif block.language == "python":
                ast.parse(block.text)
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            wrong.append(f"{where}: {error}")
    assert not wrong


def _against(tree: Any) -> Iterator[str]:
    """What is wrong with a configuration, or a part of one. Files of a plug-in are written by other tests."""
    if not isinstance(tree, dict) or not tree.keys() & set(SECTIONS):
        return
    whole = {**REST, **{key: value for key, value in tree.items() if value is not None}}
    try:
        load_mapping(whole, "docs", environ={}, allow_code=True)
    except UserError as error:
        for part in error.parts:
            if not re.search(r"type: no file '[^']*\.py'", str(part)):
                yield str(part)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("promises.md")])
def test_links_and_pictures_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or path in docs_pages.PAGES:
            continue
        found = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        is_there = found.exists() and (not anchor or found.suffix != ".md" or anchor in anchors(found))
        wrong += [] if is_there else [target]
    assert not wrong


@functools.cache
def anchors(page: Path) -> frozenset[str]:
    """As GitHub and the site make them of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = []
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.append(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return frozenset(found)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".zh-CN.md") and name.startswith("docs/")])
def test_both_languages_have_the_same_sections(name: str) -> None:
    def levels(page: Path) -> list[str]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        return re.findall(r"^(#+) ", text, re.MULTILINE)

    assert levels(ROOT / name) == levels(ROOT / name.replace(".zh-CN", ""))


def test_the_site_has_every_page_in_its_navigation_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load("nav:" + text.partition("\nnav:")[2])["nav"]
    config = docs_pages.on_config(SimpleNamespace(nav=nav))
    listed = re.findall(r'"([\w.-]+\.md)"', json.dumps(config.nav))
    there = {page.name for page in PAGES if page.parent.name == "docs"} - {"promises.md"}
    assert len(listed) == len(set(listed)) and set(listed) == {*there, *docs_pages.PAGES, *docs_pages.HOMES}


SAID = """\
unrecognized arguments:
: cannot be read:
not YAML:
must be a mapping of sections (benchmark, diffusion_model, ...), got
: no run directory of this name;
on this machine (it has
must be GPU numbers, 'cuda:N' or 'cpu', got
unknown key
: matches none of
: no sample of
a folder that exists, an id of the Hub (owner/name) or a file my_
--set: must be section.key=value, got
--fresh and --resume: one starts a new run, the other continues it; choose one
: unknown variable;
: no type
; its params are not checked until it loads
is code from outside editeval
: in use by
no file or folder""".splitlines()
"""From messages that mistyped commands and files gave, what a user would search for."""


def test_what_is_made_of_the_code_names_all_of_it() -> None:
    names = ("reference_cli", "reference_config", "troubleshooting")
    commands_page, keys_page, help_page = (docs_pages.PAGES[f"{name}.md"]() for name in names)
    for name, english in zip(names, (commands_page, keys_page, help_page), strict=True):
        chinese = docs_pages.PAGES[f"{name}.zh-CN.md"]()
        assert re.findall(r"^(#+) ", english, re.MULTILINE) == re.findall(r"^(#+) ", chinese, re.MULTILINE)
        assert chinese.count("\n|") == english.count("\n|") and not re.search(
            r"^\| (flag|key|name) \|", chinese, re.MULTILINE
        )
    assert all(f"\n## {name}\n" in commands_page for name in docs_pages.commands())
    assert "| `--svg` `FILE` |" in commands_page and "`needed`" not in commands_page
    assert "\n### openai_chat\n" in keys_page and "| `max_attempts` |" in keys_page
    assert set(docs_pages.WHAT_TO_DO) == set(docs_pages.FAMILIES)
    assert all(" ".join(words.split()) in help_page for words in SAID), [w for w in SAID if w not in help_page]
    assert all(f"`{reason}`" in help_page for reason in docs_pages.Reason)
    old = docs_pages.old_keys(str)
    moved = [old_key for old_key, _ in docs_pages.legacy._MOVES]
    assert all(f"`{key}`" in old for key in [*moved, *docs_pages.legacy.NO_EFFECT])


@pytest.mark.parametrize("name", ["docs/judges.md", "docs/judges.zh-CN.md"])
def test_the_page_of_judges_names_each_judge_and_protocol(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [word for word in (*plugins.available("judges"), *PROTOCOLS) if f"`{word}`" not in text] == []


def test_the_timelines_are_those_that_simulate_draws(tmp_path: Path) -> None:
    drawn = 0
    for block in blocks(ROOT / "docs" / "batch_sync_visualization.md"):
        for words in commands(block):
            if "--svg" in words:
                assert cli(*words[1:], cwd=tmp_path).returncode == 0
                name = words[-1]
                assert (tmp_path / name).read_text() == (ROOT / "docs" / "images" / name).read_text(), name
                drawn += 1
    assert drawn == 3


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.startswith(("README", "docs/first", "docs/your", "docs/batch"))]
)
def test_the_chinese_guide_shows_the_same_files_and_commands(name: str) -> None:
    english, chinese = (
        ROOT / name.replace(".zh-CN", ""),
        ROOT / f"{name.removesuffix('.md').removesuffix('.zh-CN')}.zh-CN.md",
    )
    assert [_meant(block) for block in blocks(english)] == [_meant(block) for block in blocks(chinese)]


def _meant(block: Block) -> tuple[str, str, object]:
    """A block without its comments."""
    if block.language == "python":
        tree = ast.parse(block.text)
        said = [n.value for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
        for constant in said:
            constant.value = ""
        return block.language, block.title, ast.dump(tree)
    if block.language == "yaml":
        return block.language, block.title, yaml.safe_load(block.text)
    return block.language, block.title, re.sub(r" *(^|\s)#.*", "", block.text)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_works_as_it_is_written(guide: str, tmp_path: Path) -> None:
    """Files with a title are written; commands on them are run, whose exit code is 0, or 3: some edits fail."""
    _pictures(tmp_path)
    num_run = 0
    for block in blocks(ROOT / guide):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            with contextlib.chdir(tmp_path):
                exec(compile(block.text, f"{guide}:{block.line}", "exec"), {"__name__": "guide"})
        for words in commands(block) if block.language == "bash" else ():
            if not any(name in NEEDS_MORE for name in words):
                done = cli(*words[1:], cwd=tmp_path)
                assert done.returncode in (0, 3), f"{shlex.join(words)}: {done.stderr[-600:]}"
                num_run += 1
    assert num_run


def _pictures(folder: Path) -> None:
    (folder / "made").mkdir()
    for place, name in enumerate("ab"):
        picture = Image.linear_gradient("L").rotate(90).resize((64, 48 + place)).convert("RGB")
        picture.save(folder / f"{name}.png")
        picture.point(lambda value: min(255, value + 40)).save(folder / "made" / f"{name}.png")


def test_the_barrier_of_the_page_holds() -> None:
    (block,) = [b for b in blocks(ROOT / "docs" / "batch_sync_implementation.md") if b.title == "barrier.py"]
    left: dict[str, Any] = {}
    exec(compile(block.text, "barrier.py", "exec"), left)
    assert left["policy"].next(1) == 3, "both workers have a request of the next batch"
