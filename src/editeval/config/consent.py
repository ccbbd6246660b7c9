"""One consent for everything that a configuration can run, and for where it writes and sends keys.

What stands in a file may be a stranger's; what the user types (a flag, `--set`, a variable, an argument in Python) is
the user's own word. Consent is `--allow-code`, EDITEVAL_ALLOW_CODE=1, or the user's trust of the folder: a yes on a
terminal, remembered in `trusted.json` for exactly what was listed. docs/security.md says what each input may cause.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from editeval import plugins
from editeval.config import trust
from editeval.config.yaml_tree import FILE, Node, deciding, plain
from editeval.errors import ConfigError, MistakesError
from editeval.machine import interpreters
from editeval.text import one_line, stem_of

KEYS_OF_HOSTS: Mapping[str, tuple[str, ...]] = {
    "api.openai.com": ("OPENAI_API_KEY",),
    "api.anthropic.com": ("ANTHROPIC_API_KEY",),
    "generativelanguage.googleapis.com": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "openrouter.ai": ("OPENROUTER_API_KEY",),
    "router.huggingface.co": ("HF_TOKEN",),
    "api.together.xyz": ("TOGETHER_API_KEY",),
    "api.fireworks.ai": ("FIREWORKS_API_KEY",),
    "api.mistral.ai": ("MISTRAL_API_KEY",),
    "api.groq.com": ("GROQ_API_KEY",),
    "api.x.ai": ("XAI_API_KEY",),
    "api.deepseek.com": ("DEEPSEEK_API_KEY",),
    "integrate.api.nvidia.com": ("NVIDIA_API_KEY",),
    "dashscope.aliyuncs.com": ("DASHSCOPE_API_KEY",),
    "dashscope-intl.aliyuncs.com": ("DASHSCOPE_API_KEY",),
    "api.siliconflow.cn": ("SILICONFLOW_API_KEY",),
    "open.bigmodel.cn": ("ZHIPUAI_API_KEY",),
}
"""Where the key in a variable of this name belongs; there it goes without a question."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Files of weights whose reading can run code."""
Verb = Literal["executes", "reads", "writes", "contacts"]
VERBS = get_args(Verb)


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a configuration causes outside of its own results."""

    verb: Verb
    key: str  # dotted, in today's spelling
    subject: str  # what is executed, read, written or contacted
    where: str = ""  # file:line: the key as it was written
    why: str = ""  # why it needs consent; empty: it needs none

    @property
    def name(self) -> str:
        """By which it is trusted: another program, file or address is another one."""
        return f"{self.verb} {self.key}: {self.subject}"


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration before it is resolved: plain values in today's spelling, and who gave them."""

    values: Mapping[str, object]
    path: Path  # of the file, or the run's name: code is looked for beside it, and the log has its name
    folder: Path  # of the file, or of the run
    where: Mapping[str, str] = field(default_factory=dict)  # dotted key -> file:line: the key as it was written
    own: Collection[str] = ()  # dotted keys that the user typed
    is_of_stranger: bool = False  # of a run that this user did not make here: no interpreter that it names is safe

    def at(self, key: str) -> object:
        """The value of the dotted `key`; None if there is none."""
        value: object = self.values
        for part in key.split("."):
            value = _mapping(value).get(part)
        return value


def consent(effects: Sequence[Effect], folder: Path, allow_code: bool = False) -> bool:
    """True if there is consent to every one of `effects`; False if none of them needs it. Else raises ConfigError.

    effects     of a configuration or of a run's manifest: `effects_of` lists them
    folder      of the file, or the run directory: what the user trusts is remembered for its real path
    allow_code  the user has said --allow-code or EDITEVAL_ALLOW_CODE=1

    On a terminal the user is asked once, for all of them together. The error has one line for each, which says what to
    type. The result is what `Config.allow_code` is to be. Call it before anything of the configuration is used.
    """
    asked = [effect for effect in effects if effect.why]
    if allow_code or not asked:
        return allow_code
    known_all = trust.trusted()
    place = os.path.realpath(folder)
    known = known_all.get(place, [])
    new = [effect for effect in asked if effect.name not in known]
    if not new:
        return True
    absent = {effect.name: plugins.absent(effect.subject) for effect in new if effect.key.endswith(".type")}
    if not any(absent.values()) and _says_yes(new, place):
        trust.remember({**known_all, place: sorted({*known, *(effect.name for effect in new)})})
        return True
    told = {effect: absent.get(effect.name) or f"{effect.why}; {plugins.ADVICE}" for effect in new}
    errors = [ConfigError(f"{effect.where or effect.key}: {what}") for effect, what in told.items()]
    raise errors[0] if len(errors) == 1 else MistakesError(errors)


def effects_of(settings: Settings) -> list[Effect]:
    """What these settings execute, read, write and contact. Imports and runs nothing of theirs."""
    found = [*_type("benchmark", settings), *_results(settings)]
    data = _path(settings.at("benchmark.params.path"))
    is_local = data is not None and settings.at("benchmark.type") != "hub_dataset"  # whose `path` is in the data set
    if isinstance(repo := settings.at("benchmark.params.repo"), str) and repo and not is_local:
        found.append(_effect(settings, "contacts", f"the Hugging Face Hub for {repo}", "", "benchmark.params.repo"))
        data = None
    for key, place in (("path", data), ("images", _path(settings.at("benchmark.params.images")))):
        found += [_effect(settings, "reads", str(place), "", f"benchmark.params.{key}")] if place else []
    for section in _sections(settings):
        params, execution = (_mapping(settings.at(f"{section}.{name}")) for name in ("params", "execution"))
        found += [*_type(section, settings), *_execution(section, execution, settings)]
        found += [*_model(section, params, settings), *_servers(section, params, settings)]
        named = {f"{section}.params.{key}": params.get(key) for key in ("prompts_from", "against")}
        found += [_effect(settings, "reads", str(place), "", key) for key, place in named.items() if place]
    return [*found, *_tracking(settings)]


def settings_of(tree: Node, path: Path, folder: Path, found_in: Path | None) -> Settings:
    """What the merged `tree` says. `found_in`: the folder of its file or its run; None: it is the caller's own word."""
    nodes = dict(_nodes(tree))
    where = {key: f"{node.where}: {node.key or key}" for key, node in nodes.items()}
    typed = {key for key, node in nodes.items() if deciding(node).rank > FILE}
    given = (
        {key for key, node in nodes.items() if not deciding(node).origin.startswith("file ")}
        if found_in is None
        else set()
    )
    values = {name: plain(node) for name, node in tree.children.items()}
    return Settings(values, path, folder, where, typed | given, found_in not in (None, path.parent))


def _nodes(node: Node, key: str = "") -> Iterator[tuple[str, Node]]:
    for name, below in node.children.items():
        dotted = f"{key}.{name}".lstrip(".")
        yield dotted, below
        yield from _nodes(below, dotted)


def _sections(settings: Settings) -> list[str]:
    several = _mapping(settings.values.get("reward_models"))
    return ["diffusion_model", "reward_model", *(f"reward_models.{name}" for name in several)]


def _effect(settings: Settings, verb: Verb, subject: str, why: str, *keys: str) -> Effect:
    """Of the first of `keys`; needs no consent where the user typed all of them that are given."""
    given = [key for key in keys if key in settings.where] or [keys[0]]
    where = settings.where.get(given[0], given[0])
    return Effect(verb, keys[0], subject, where, "" if all(key in settings.own for key in given) else why)


def _type(section: str, settings: Settings) -> Iterator[Effect]:
    name, key = settings.at(f"{section}.type"), f"{section}.type"
    if isinstance(name, str) and plugins.is_foreign(name):
        subject = plugins.absolute(name, settings.path.parent)
        # typed or not: a name does not say that it means a file of somebody else's
        yield Effect("executes", key, subject, settings.where.get(key, key), plugins.stranger(subject))


_OF_METRICS = {"clip_model": "clip_", "dino_model": "dino"}  # metrics that a model is loaded for
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")


def _execution(section: str, execution: Mapping[str, object], settings: Settings) -> Iterator[Effect]:
    python, address = execution.get("python"), execution.get("ray_address")
    is_remote = execution.get("backend") == "ray"
    if isinstance(python, str) and _path(python) is not None:
        is_safe = not settings.is_of_stranger and interpreters.is_installed(
            python, _strange_folders(settings), not is_remote
        )
        why = "" if is_safe else f"runs {python!r}, which is no interpreter installed apart from configuration and data"
        yield _effect(settings, "executes", interpreters.resolved(python), why, f"{section}.execution.python")
    if execution.get("requirements"):
        packages = ", ".join(map(str, _list(execution["requirements"])))
        why = f"installs packages, whose build scripts run: {packages}"
        yield _effect(settings, "executes", f"pip install {packages}", why, f"{section}.execution.requirements")
    if isinstance(address, str) and is_remote:
        is_here = address.rpartition(":")[0] in ("localhost", "127.0.0.1")
        why = "" if is_here else f"joins the Ray cluster {address}, whose machines run each other's code"
        yield _effect(settings, "contacts", f"Ray cluster {address}", why, f"{section}.execution.ray_address")


def _model(section: str, params: Mapping[str, object], settings: Settings) -> Iterator[Effect]:
    model, revision, folder, adapter, lora = map(params.get, ("model_name", "revision", "folder", "adapter", "lora"))
    if isinstance(folder, str) and folder:  # with edits made elsewhere
        yield _effect(settings, "reads", folder, "", f"{section}.params.folder")
    if params.get("trust_remote_code") not in (None, False):
        keys = [f"{section}.params.{name}" for name in ("trust_remote_code", "model_name", "revision")]
        subject = f"Python of the checkpoint {model}, revision {revision}"
        yield _effect(settings, "executes", subject, f"runs {subject}", *keys)
    metrics = [str(metric) for metric in _list(params.get("metrics"))]
    used = {name: any(metric.startswith(word) for metric in metrics) for name, word in _OF_METRICS.items()}
    others = [(name, params.get(name)) for name in ("base_model", *used) if used.get(name, True) or not metrics]
    named = [("model_name", model), *others, ("adapter", adapter)]
    named += [("lora", _mapping(one).get("path")) for one in _list(lora)]
    for name, model in [(name, model) for name, model in named if isinstance(model, str) and model]:
        pickle, key, path = _pickle_of(model), f"{section}.params.{name}", _path(model)
        is_here = path is not None and path.exists()
        is_read = is_here or not _HUB_ID.fullmatch(model)
        subject = model if is_read else f"the Hugging Face Hub for {model}"
        yield _effect(settings, "reads" if is_read else "contacts", subject, "", key)
        if pickle:
            why = f"reads {pickle}, a pickle, which can run code; convert the weights to safetensors"
            yield _effect(settings, "executes", pickle, why, key)


def _servers(section: str, params: Mapping[str, object], settings: Settings) -> Iterator[Effect]:
    variable = params.get("api_key_env")
    given = [(key, url) for key in ("base_url", "base_urls") for url in _list(params.get(key)) if url]
    for key, url in given:
        from editeval.http.client import parse_url  # with http and ssl: 40 ms that most commands do not need

        try:
            server = parse_url(key, str(url))
        except ConfigError:  # it is refused where the parameters are checked
            continue
        is_known = server.port == 443 and variable in KEYS_OF_HOSTS.get(server.host, ())
        is_agreed = not variable or server.is_loopback or is_known
        why = "" if is_agreed else f"sends the key in {variable} to {server.url}"
        subject = f"{server.url} with the key in {variable}" if variable else server.url
        keys = [f"{section}.params.{name}" for name in (key, "api_key_env")]
        yield _effect(settings, "contacts", subject, why, *keys)


def _tracking(settings: Settings) -> Iterator[Effect]:
    """Settings, scores and small pictures go to a service; its library has the key, for the service's own host."""
    kind, host = settings.at("tracking.type"), settings.at("tracking.host")
    if not isinstance(kind, str) or settings.at("tracking.offline") is True:
        return
    from editeval.http.client import parse_url

    what = f"{kind} at {host}" if host else kind
    try:
        is_here = bool(host) and parse_url("tracking.host", str(host)).is_loopback
    except ConfigError:  # a Space; anything else is refused where the section is checked
        is_here = False
    why = f"sends settings, scores and pictures, and your key of {kind}, to {host}" if host and not is_here else ""
    yield _effect(settings, "contacts", what, why, "tracking.host", "tracking.type")


def _results(settings: Settings) -> Iterator[Effect]:
    """The output folder and the log file; consent is for those that are not where such things usually are."""
    key = "evaluation.output_dir" if settings.at("evaluation.output_dir") is not None else "evaluation.results_dir"
    output = _path(settings.at(key) or "outputs")
    if output is None:
        return
    places = [Path.cwd(), settings.folder]
    why = "" if _is_usual(output, places) else f"writes to {output}, outside the current folder and the configuration's"
    yield _effect(settings, "writes", os.path.realpath(output), why, key)
    for link in (path for path in _entries(output) if path.is_symlink() and not _is_usual(path, [*places, output])):
        if link.name.startswith((f"{stem_of(settings.path.stem)}-", "certificates")):
            yield _effect(settings, "writes", os.path.realpath(link), f"writes through the link {link}", key)
    folder = _path(settings.at("logging.log_dir") or output / "logs")
    file = _path(settings.at("logging.log_file") or (folder or output) / f"{settings.path.stem}.log")
    if file is not None:
        is_usual = file.suffix == ".log" and _is_usual(file, [*places, output])
        why = "" if is_usual else f"appends to {file}, which is no .log file beneath the output folder"
        odd = odd_file(output / "logs") or odd_file(file)
        why = why or (f"writes logs to {output / 'logs'}, where {odd} is a link or no ordinary file" if odd else "")
        yield _effect(settings, "writes", os.path.realpath(file), why, "logging.log_file", "logging.log_dir")


def _is_usual(path: Path, places: Sequence[Path]) -> bool:
    """Whether `path`, its links followed, is beneath one of `places`, in no hidden folder there."""
    real = Path(os.path.realpath(path))
    inside = [real.relative_to(base) for base in map(os.path.realpath, places) if real.is_relative_to(base)]
    return any(not any(part.startswith(".") for part in way.parts) for way in inside)


def odd_file(place: Path) -> str:
    """The name of `place`, or of what is in it, if that is a link or neither a file nor a folder; else empty."""
    found = [place, *_entries(place)] if os.path.lexists(place) else []
    return next((path.name for path in found if path.is_symlink() or not (path.is_file() or path.is_dir())), "")


def _strange_folders(settings: Settings) -> list[Path]:
    """Folders that may be a stranger's: of the configuration, of the data and of checkpoints."""
    names = ("model_name", "base_model", "clip_model", "dino_model", "adapter", "folder")
    keys = (f"{one}.params.{name}" for one in _sections(settings) for name in names)
    named = map(settings.at, ("benchmark.params.path", *keys))
    found = [path for path in map(_path, named) if path is not None and path.exists()]
    return [settings.folder, *(path if path.is_dir() else path.parent for path in found)]


def _pickle_of(model: object) -> str:
    """The first file of the local checkpoint `model` that is a pickle with no safetensors beside it; else empty."""
    path = _path(model)
    if path is None or not path.exists():
        return ""
    folders = [path, *(below for below in _entries(path) if below.is_dir())]
    listed = [[path]] if path.is_file() else [_entries(folder) for folder in folders]
    for files in listed:
        pickles = [file for file in files if file.suffix in PICKLES]
        if pickles and not any(file.suffix == ".safetensors" for file in files):
            return str(pickles[0])
    return ""


def _entries(folder: Path) -> list[Path]:
    """What is in it, by name; nothing if it is no folder, or one that cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _path(value: object) -> Path | None:
    """A path; None for what is none, which is refused elsewhere."""
    try:
        text = str(value) if isinstance(value, str | Path) else ""  # blanks are part of a name
        return Path(text).expanduser() if text and "\0" not in text else None
    except RuntimeError:  # ~ of a user that there is not
        return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _says_yes(effects: Sequence[Effect], place: str) -> bool:
    """What somebody at a terminal answers; no without one."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for effect in effects:
        sys.stderr.write(f"{one_line(effect.where or effect.key)}: {one_line(effect.why)}\n")
    sys.stderr.write(f"Allow this, now and in future, for {one_line(place)}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
