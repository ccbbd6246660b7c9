"""The pages of the documentation that are made of the code: flags, keys, old keys, reasons and messages.

Each is made in English and, with the words of docs_words.zh-CN.json, in Chinese; what the program itself prints in
English stays so. `make docs` calls this as a hook of MkDocs; `python tools/docs_pages.py NAME` prints one page.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import io
import json
import re
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.cli.parser import build_parser
from editeval.config import legacy
from editeval.config.schema import POLICIES, Execution
from editeval.errors import FAMILIES, Reason
from editeval.machine.known_issues import RULES

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "editeval"
Say = Callable[[str], str]
"""From a phrase of ours in English to that of the page's language. KeyError for one that has no translation."""
CHINESE: Mapping[str, str] = json.loads((ROOT / "tools" / "docs_words.zh-CN.json").read_text(encoding="utf-8"))
KINDS = {"benchmarks": "benchmark", "editors": "diffusion_model", "judges": "reward_model"}


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in lines)


def _cell(text: str) -> str:
    """In one line; a bar ends no cell where it is code."""
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)


# commands -------------------------------------------------------------------------------------------------------------


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command's parser, by name."""
    (found,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def reference_cli(say: Say) -> str:
    """Every command with its flags, as `--help` has them."""
    (found,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    about = {choice.dest: choice.help or "" for choice in found._choices_actions}
    parts = [
        f"# {say('Commands and flags')}",
        say("Made from the parsers of the command line. `editeval COMMAND --help` prints the same."),
    ]
    for name, parser in commands().items():
        usage = "\n".join(line.removeprefix("usage: ").strip() for line in parser.format_usage().splitlines())
        parts += [f"## {name}", about.get(name, ""), f"```text\n{usage}\n```"]
        rows = [
            (_flag(action), _meaning(action, say)) for action in parser._actions if action.help != argparse.SUPPRESS
        ]
        parts.append(table((say("flag"), say("meaning")), [row for row in rows if row[0] != "`-h`, `--help`"]))
        if parser.epilog:
            parts.append(f"```text\n{parser.epilog.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def _flag(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    shown = value if isinstance(value, str) else " ".join(value)
    if not action.option_strings:
        return f"`{shown}`"
    named = ", ".join(f"`{name}`" for name in action.option_strings)
    return f"{named} `{shown}`" if action.nargs != 0 and shown else named


def _meaning(action: argparse.Action, say: Say) -> str:
    words = [(action.help or "").replace("%%", "%")]
    if action.choices:
        words.append(f"{say('one of')} " + ", ".join(f"`{choice}`" for choice in action.choices))
    default = action.default
    if default not in (None, False, True, "", [], argparse.SUPPRESS) and "default" not in words[0]:
        words.append(f"{say('default')}: `{default}`")
    return "; ".join(filter(None, words))


# keys -----------------------------------------------------------------------------------------------------------------


def reference_config(say: Say) -> str:
    """Every key of a configuration: the sections, then the parameters of each plug-in."""
    parts = [
        f"# {say('Configuration keys')}",
        say(
            "Made from the code that reads them. [configuration](configuration.md) explains what they are "
            "for, and has the keys of `evaluation` and `logging`."
        ),
        "## execution",
        say("Of `diffusion_model` and of each judge: how requests meet devices. It changes no result."),
        keys(Execution, say),
        "`policy`:",
        table((say("policy"), say("what it does")), [(f"`{name}`", said) for name, said in POLICIES.items()]),
    ]
    for kind, section in KINDS.items():
        parts.append(f"## {section}")
        named = say("`{section}.type` names one of the {kind}; its parameters stand in `{section}.params`.")
        parts.append(named.format(section=section, kind=say(kind)))
        for name in plugins.available(kind):
            cls = plugins.load(kind, name)
            parts.append(f"### {name}")
            parts.append(_first_line(cls))
            has_fields = dataclasses.is_dataclass(cls.Params)
            parts.append(keys(cls.Params, say) if has_fields else say("It takes no parameters."))
    return "\n\n".join(filter(None, parts)) + "\n"


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or inspect.getdoc(sys.modules[cls.__module__]) or "").partition("\n")[0]


def keys(cls: Any, say: Say) -> str:
    """The fields of a dataclass as a table: name, type, default, and the comment behind each."""
    comments: dict[str, tuple[str, str]] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            comments |= _comments(base)
    rows = []
    for field in dataclasses.fields(cls):
        kind, said = comments.get(field.name, (str(field.type), ""))
        if field.default is not dataclasses.MISSING:
            default = f"`{field.default!r}`"
        else:
            made = field.default_factory
            default = f"`{made()!r}`" if made is not dataclasses.MISSING else say("needed")
        rows.append((f"`{field.name}`", f"`{kind}`", default, said))
    head = (say("key"), say("type"), say("default"), say("meaning"))
    return table(head, rows) if rows else say("It takes no parameters.")


def _comments(cls: type) -> dict[str, tuple[str, str]]:
    """(type, comment at the end of its lines) of each field that `cls` itself declares."""
    source = inspect.cleandoc("\n" + inspect.getsource(cls))
    said: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            said[token.start[0]] = token.string.lstrip("# ")
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            found[node.target.id] = ast.unparse(node.annotation), " ".join(said[n] for n in lines if n in said)
    return found


# old spellings --------------------------------------------------------------------------------------------------------


def old_keys(say: Say) -> str:
    """Every key and type of v2 and RE-Edit that config/legacy.py knows, and what it is today."""
    moved = [*legacy._MOVES, *((f"reward_model.{a}", f"reward_model.{b}") for a, b in legacy._JUDGE_MOVES)]
    moved += [(f"{section}.params.{key}", f"{section}.{now}") for key, section, now in _TURNED]
    rows = [(f"`{old}`", f"`{new}`" if re.fullmatch(r"[\w.<>: |]+", new) else new) for old, new in moved]
    rows += [(f"`{key}`", f"{say('refused')}: {why}") for key, why in legacy._REFUSED_SECTIONS.items()]
    rows += [(f"`{key}`", f"{say('no effect')}: {why}") for key, why in legacy.NO_EFFECT.items()]
    types = [
        (f"`{old}`", f"`{named.type}`" + "".join(f", `{key}: {value}`" for key, value in named.defaults))
        for kind in legacy.TYPES.values()
        for old, named in kind.items()
    ]
    today = say("today")
    return f"{table((say('old key'), today), rows)}\n\n{table((say('old type'), today), types)}"


_TURNED = (
    ("enable_batch_sync", "diffusion_model", "execution.policy: batch_sync | round_robin"),
    ("enable_batch_sync", "reward_model", "execution.policy: batch_sync | round_robin"),
    ("device", "diffusion_model", "execution.device_ids"),
    ("device", "reward_model", "execution.device_ids"),
    ("conda_env", "reward_model", "execution.python: the interpreter of that environment, if this machine has it"),
)
"""What `legacy.translate` does not only move."""


# reasons and messages -------------------------------------------------------------------------------------------------

WHAT_TO_DO: Mapping[str, str] = {
    "not_asked": "Nothing: the metric is not one of this sample's.",
    "parse": (
        "`editeval show SAMPLE` has the reply. Raise `max_new_tokens` for `truncated`; `editeval reparse` "
        "reads kept replies again; `editeval retry --only parse` asks again."
    ),
    "unseen": (
        "The judge had no picture to judge: look at the server's image settings and at `max_image_side`, "
        "then `editeval retry --only unseen`."
    ),
    "refusal": (
        "The model or the service declines. Another judge, or `editeval retry --only refusal` if the "
        "service has changed its mind."
    ),
    "request": (
        "The request cannot be asked as it is: a missing prompt, reference or target, or too long a text. "
        "The message says which; change the configuration or the data."
    ),
    "image": "A picture is missing, broken, changed or of another size. Restore it and run the same command again.",
    "output": "A model returned something that is no result. See the worker's log, whose path is in the message.",
    "error": "The model's own code raised. See the worker's log; then `editeval retry --only error`.",
    "memory": (
        "Out of memory. A smaller `batch_size` or picture, or more `devices_per_worker`; then `editeval "
        "retry --only memory`."
    ),
    "timeout": (
        "Raise `execution.timeout_s` or `stall_s` if the model is only slow; then `editeval retry --only timeout`."
    ),
    "crash": (
        "A worker or its device died and was started again. `editeval doctor` looks at the machine; "
        "`editeval retry --only crash`."
    ),
    "network": "The server could not be reached. When it is back: `editeval retry --only network`.",
    "spending": "`max_calls` or `max_usd` is reached. Raise it, and the same command goes on.",
    "machine": "This machine lacks something: the message says what to install or to change.",
}
_ERRORS = re.compile(r"[A-Z]\w*Error|problem|_problem|refusal|Failure")
_SAYS_WHY = re.compile(r"problem|why|stranger|refus|lack")
"""In the name of a function whose text becomes a message."""


def messages() -> list[tuple[str, str]]:
    """(file, text) of each message of an error in the code, with … for what is filled in."""
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        for function in _functions(ast.parse(path.read_text(encoding="utf-8"))):
            for text in _said_by(function):
                if len(re.findall(r"[A-Za-z]{2,}", text)) > 1:
                    found[text] = str(path.relative_to(SRC))
    return sorted(((file, text) for text, file in found.items()), key=lambda pair: (pair[0], pair[1].lower()))


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions, each with what is in it, and the rest of the module."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    yield ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])


def _said_by(function: ast.AST) -> Iterator[str]:
    """Texts of the errors that a function makes, also where a name holds them, and reasons that it returns."""
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call) and _ERRORS.fullmatch(_name(n.func))]
    arguments = [argument for call in calls for argument in call.args]
    for call in calls:
        yield "; ".join(text for argument in call.args if len((text := _template(argument)).split()) > 1)
    if _SAYS_WHY.search(getattr(function, "name", "")):
        arguments += [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
        yield from (text for argument in arguments for text in _alternatives(argument))
    names = {n.id for argument in arguments for n in ast.walk(argument) if isinstance(n, ast.Name)}
    for node in ast.walk(function):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AugAssign) and names & {n.id for n in targets if isinstance(n, ast.Name)}:
            yield from _alternatives(node.value)


def _alternatives(node: ast.expr) -> Iterator[str]:
    """The templates that an expression may be: both of `a if b else c`."""
    if isinstance(node, ast.IfExp):
        yield from _alternatives(node.body)
        yield from _alternatives(node.orelse)
    else:
        yield _template(node)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left) + _template(node.right)
    return ""


def troubleshooting(say: Say) -> str:
    """What to do, by the word or the text that was printed."""
    parts = [
        f"# {say('Troubleshooting')}",
        say(
            "Search this page for the words that you see. Made from the code: reasons, known bad combinations, "
            "messages."
        ),
        f"## {say('First')}",
        say(
            "- `editeval check CONFIG` names every mistake of a configuration, with its line.\n"
            "- `editeval doctor` looks at devices, libraries, caches and disks.\n"
            "- `editeval show SAMPLE` prints all that is known about one sample: attempts, replies, reasons.\n"
            "- Workers write `OUTPUT_DIR/logs/RUN-STAGE-workerN.log`. `--debug` keeps tracebacks."
        ),
        f"## {say('Why an edit failed or a score is missing')}",
        say(
            "The word stands in the table, in `samples.jsonl` and in `editeval show`. `editeval retry --only "
            "WORD` takes the word or its family."
        ),
    ]
    for family, members in FAMILIES.items():
        is_retried = any(Reason(word).is_retried for word in members)
        words = ", ".join(f"`{word}`" for word in sorted(members))
        said = [f"{words}.", say(WHAT_TO_DO[family]), say("Another attempt is made by itself.") if is_retried else ""]
        parts += [f"### {family}", " ".join(filter(None, said))]
    rows = [(f"`{rule.name}`", rule.severity, ", ".join(rule.when), rule.what, rule.remedy) for rule in RULES]
    head = tuple(map(say, ("name", "severity", "when", "what happens", "what to do")))
    parts += [
        f"## {say('Bad combinations of versions')}",
        say("`editeval doctor` and `editeval run` look for them."),
        table(head, rows),
        f"## {say('Messages')}",
        say("One line each: where, what, what was got, what to do. … stands for what is filled in."),
        *_message_lists(),
    ]
    return "\n\n".join(parts) + "\n"


OF_THE_PARSER = (
    "unrecognized arguments: …; did you mean …?",
    "the following arguments are required: …",
    "argument …: invalid choice: … (choose from …); did you mean …?",
    "argument …: invalid int value: …",
    "argument …: invalid float value: …",
    "argument …: expected one argument",
    "argument …: expected at least one argument",
    "argument …: not allowed with argument …",
)
"""What argparse says; `editeval COMMAND --help` has what it wants."""


def _message_lists() -> Iterator[str]:
    by_package: dict[str, list[str]] = {"command line": list(OF_THE_PARSER)}
    for file, text in messages():
        by_package.setdefault(file.split("/")[0].removesuffix(".py"), []).append(text)
    for package, texts in by_package.items():
        yield f"### {package}"
        yield "\n".join(f"- `{text.replace('`', chr(39))}`" for text in texts)


def _said(phrase: str) -> str:
    return phrase


_BUILDERS: Mapping[str, Callable[[Say], str]] = {
    "reference_cli": reference_cli,
    "reference_config": reference_config,
    "troubleshooting": troubleshooting,
}
PAGES: Mapping[str, Callable[[], str]] = {
    f"{name}{ending}": partial(build, say)
    for name, build in _BUILDERS.items()
    for ending, say in ((".md", _said), (".zh-CN.md", CHINESE.__getitem__))
}
MARKS: Mapping[str, Callable[[Say], str]] = {"<!-- old keys -->": old_keys}
"""In a page, what is put in place of a comment."""


# hooks of MkDocs ------------------------------------------------------------------------------------------------------

HOMES = {"index.md": "README.md", "index.zh-CN.md": "README.zh-CN.md"}
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def on_config(config: Any) -> Any:
    """A page that the navigation does not name stands at its end, so that none is lost."""
    named = json.dumps(config.nav)
    for page in pages():
        if page.parent.name == "docs" and f'"{page.name}"' not in named and page.name != "promises.md":
            section = "中文" if page.name.endswith(".zh-CN.md") else "Reference"
            next(part[section] for part in config.nav if section in part).append(page.name)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the home pages (README), the pages above, and the files of the repository that a page links to."""
    from mkdocs.structure.files import File

    for name, build in PAGES.items():
        files.append(File.generated(config, name, content=build()))
    for name, source in HOMES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    linked = {target for page in pages() for target in outside(page)}
    for target in sorted(linked):
        files.append(File.generated(config, f"files/{_flat(target)}", content=(ROOT / target).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links as they are on the site, and generated parts in place of their marks."""
    source = HOMES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    say = CHINESE.__getitem__ if source.endswith(".zh-CN.md") else _said
    for mark, build in MARKS.items():
        markdown = markdown.replace(mark, build(say) if mark in markdown else "")
    return _LINK.sub(lambda found: found[1] + link_on_site(source, found[2]) + found[3], markdown)


def pages() -> list[Path]:
    """The README and the pages of docs/, in both languages."""
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]


def outside(page: Path) -> Iterator[str]:
    """Files of the repository, not of docs/, that `page` links to."""
    for _, target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        found = _target(page, target)
        if (
            found is not None
            and found.is_file()
            and found.relative_to(ROOT).parts[0] != "docs"
            and found not in pages()
        ):
            yield str(found.relative_to(ROOT))


def link_on_site(source: str, target: str) -> str:
    """`target` as a page of the site links to it, whose source is `source`."""
    found = _target(ROOT / source, target)
    if found is None:
        return target
    homes = {ROOT / path: home for home, path in HOMES.items()}
    if found in homes:
        return homes[found]
    inside = found.relative_to(ROOT)
    return str(inside.relative_to("docs")) if inside.parts[0] == "docs" else f"files/{_flat(str(inside))}"


def _target(page: Path, target: str) -> Path | None:
    if re.match(r"[a-z]+:", target) or target in PAGES or target.startswith("#"):
        return None
    found = (page.parent / target).resolve()
    return found if found.is_relative_to(ROOT) else None


def _flat(path: str) -> str:
    """MkDocs would render .md, and hide names with a dot in front."""
    return path.lstrip(".") + (".txt" if path.endswith(".md") else "")


if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
