"""What users get wrong, and what they are told: one line each that says where, what, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BASE = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}}
reward_model: {type: reference, params: {device_ids: [cpu]}}
"""


def nothing(folder: Path) -> None:
    """The folder is as it should be."""


@dataclass(frozen=True)
class Mistake:
    """What is typed, what lies in the folder, and words that the answer must have."""

    command: str
    words: tuple[str, ...]
    prepare: Callable[[Path], None] = nothing


def yaml(old: str, new: str) -> Callable[[Path], None]:
    """`base.yaml` with `new` in place of `old`; everything with an empty `old`."""

    def write(folder: Path) -> None:
        text = BASE.replace(old, new, 1) if old else new
        (folder / "base.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))

    return write


def file(name: str, content: bytes = b"") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def folder_of(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).mkdir()

    return make


def records(content: str) -> Callable[[Path], None]:
    """`data/manifest.jsonl` with this content."""

    def write(folder: Path) -> None:
        (folder / "data").mkdir()
        (folder / "data" / "manifest.jsonl").write_text(content, encoding="utf-8")

    return write


def _run(*sets: str) -> str:
    return "run base.yaml " + " ".join(f"--set {s}" for s in sets)


OPENAI = "diffusion_model.type=openai_images"
VLM = ("reward_model.type=transformers_vlm", "reward_model.params.protocol=pointwise")
FOLDER = ("benchmark.type=image_folder", "benchmark.params.path=data")

MISTAKES: dict[str, Mistake] = {
    # keys
    "section misspelt": Mistake(
        "run base.yaml",
        ("base.yaml:2: difusion_model: unknown key", "did you mean 'diffusion_model'?"),
        yaml("diffusion_model", "difusion_model"),
    ),
    "key of a section misspelt": Mistake(
        "run base.yaml",
        ("base.yaml:2: diffusion_model.typ: unknown key", "'type'"),
        yaml("{type: identity", "{typ: identity"),
    ),
    "parameter misspelt": Mistake(
        "run base.yaml",
        ("base.yaml:1: benchmark.params.num_per_categry: unknown key", "'num_per_category'"),
        yaml("num_per_category", "num_per_categry"),
    ),
    "execution key misspelt": Mistake(
        _run("diffusion_model.execution.polcy=dynamic"),
        ("--set: diffusion_model.execution.polcy: unknown key", "'policy'"),
    ),
    "wrong type": Mistake(
        "run base.yaml",
        ("base.yaml:1: benchmark.params.size: must be an integer, got '64'", "without quotes"),
        yaml("size: 64", "size: '64'"),
    ),
    "number for a list": Mistake(_run("benchmark.categories=5"), ("--set: benchmark.categories: must be", "got 5")),
    "policy misspelt": Mistake(
        _run("diffusion_model.execution.policy=dynamc"),
        ("--set: diffusion_model.execution.policy", "did you mean 'dynamic'?"),
    ),
    "negative time limit": Mistake(
        _run("diffusion_model.execution.timeout_s=-1"),
        ("--set: diffusion_model.execution.timeout_s: must be greater than 0, got -1",),
    ),
    "section missing": Mistake(
        "run base.yaml",
        ("base.yaml: diffusion_model: missing; give it at least a type",),
        yaml("diffusion_model: {type: identity, params: {device_ids: [cpu]}}\n", ""),
    ),
    # the file
    "no such file": Mistake(
        "run absent.yaml", ("absent.yaml: cannot be read: No such file", "give the path of a YAML file")
    ),
    "a folder for a file": Mistake(
        "run folder", ("folder: cannot be read: Is a directory", "give the path of a YAML file"), folder_of("folder")
    ),
    "an empty file": Mistake(
        "run base.yaml", ("base.yaml:1: must be a mapping of sections", "got an empty file"), yaml("", "")
    ),
    "a tab": Mistake(
        "run base.yaml",
        ("base.yaml:2: not YAML", "indent with spaces, not tabs"),
        yaml("", "benchmark:\n\ttype: procedural\n"),
    ),
    "a key twice": Mistake(
        "run base.yaml",
        ("base.yaml:4: benchmark: given twice, first in line 1; keep one",),
        yaml("", BASE + "benchmark: {type: procedural}\n"),
    ),
    "an alias bomb": Mistake(
        "run base.yaml",
        ("base.yaml:", "values once aliases are followed"),
        yaml(
            "",
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(8)),
        ),
    ),
    "a huge file": Mistake(
        "run base.yaml", ("base.yaml: larger than 10 MB; is it a configuration?",), yaml("", "a: " + "x" * 10_000_001)
    ),
    "Python in YAML": Mistake(
        "run base.yaml",
        ("base.yaml:1: benchmark", "the tag", "is not accepted; write plain values"),
        yaml("{type: procedural, params: {num_per_category: 1, size: 64}}", "!!python/object/apply:os.system ['true']"),
    ),
    "not UTF-8": Mistake(
        "run base.yaml", ("base.yaml:1: not UTF-8 text; save the file as UTF-8",), yaml("procedural", "\udcff\udcfe")
    ),
    "a picture for a file": Mistake(
        "run base.yaml", ("base.yaml:1: not UTF-8 text",), file("base.yaml", b"\x89PNG\r\n\x1a\n\x00")
    ),
    # --set, flags, names
    "--set without a value": Mistake(
        _run("diffusion_model.type"), ("--set: must be section.key=value, got 'diffusion_model.type'",)
    ),
    "--set of an unknown section": Mistake(_run("model.type=identity"), ("--set: model: unknown key",)),
    "flag misspelt": Mistake("run base.yaml --limt 3", ("unrecognized arguments: --limt", "did you mean --limit?")),
    "text for a number": Mistake("run base.yaml --limit few", ("argument --limit: invalid int value: 'few'", "--help")),
    "limit of nothing": Mistake("run base.yaml --limit 0", ("--limit", "must be greater than or equal to 1, got 0")),
    "command misspelt": Mistake("rnu base.yaml", ("invalid choice: 'rnu'", "did you mean run?")),
    "no such run": Mistake(
        "status small-123", ("run 'small-123': no run directory of this name", "outputs has none: `editeval run`")
    ),
    "a folder that is no run": Mistake(
        "report folder", ("run 'folder': no run directory of this name",), folder_of("folder")
    ),
    "unknown variable": Mistake("run base.yaml", ("EDITEVAL_SEDE: unknown variable; did you mean EDITEVAL_SEED?",)),
    # types, models, devices
    "editor misspelt": Mistake(
        _run("diffusion_model.type=identiti"), ("diffusion_model.type: no type 'identiti'; did you mean 'identity'?",)
    ),
    "benchmark misspelt": Mistake(
        _run("benchmark.type=procedual"), ("benchmark.type: no type 'procedual'; did you mean 'procedural'?",)
    ),
    "code without consent": Mistake(
        _run("diffusion_model.type=my.editor"), ("'my.editor' is code from outside editeval", "add --allow-code")
    ),
    "code that is not there": Mistake(
        _run("diffusion_model.type=my.editor") + " --allow-code", ("no module 'my.editor' on the Python path",)
    ),
    "no such device": Mistake("run base.yaml --device-ids 7", ("no cuda:7 on this machine", "device_ids: [cpu]")),
    "device twice": Mistake("run base.yaml --device-ids 0 0", ("cuda:0 is listed twice; a GPU holds one worker",)),
    "no such checkpoint": Mistake(
        _run("diffusion_model.type=qwen_image_edit", "diffusion_model.params.model_name=./absent"),
        ("diffusion_model.params.model_name: ./absent: nothing there; give a checkpoint folder",),
    ),
    "a checkpoint that is none": Mistake(
        _run("diffusion_model.type=qwen_image_edit", "diffusion_model.params.model_name=./folder"),
        ("./folder: no model_index.json in it",),
        folder_of("folder"),
    ),
    "no such judge's checkpoint": Mistake(
        _run(*VLM, "reward_model.params.model_name=./absent"),
        ("reward_model.params.model_name: './absent' is not a folder; check the path",),
    ),
    "a judge's checkpoint that is none": Mistake(
        _run(*VLM, "reward_model.params.model_name=./folder"),
        ("'./folder' has no config.json in it",),
        folder_of("folder"),
    ),
    "judge without prompts": Mistake(
        _run("reward_model.type=qwen3_vl"), ("base.yaml: prompts: no prompt for 'physical'", "it has: none")
    ),
    "placeholder misspelt": Mistake(
        "run base.yaml",
        ("unknown placeholder {edit_instuction}", "did you mean {edit_instruction}?"),
        yaml("", BASE + "prompts:\n  physical: {system_prompt: x, user_prompt_template: 'do {edit_instuction}'}\n"),
    ),
    # servers
    "key's variable not set": Mistake(
        _run(OPENAI, "diffusion_model.params.api_key_env=NOT_SET_KEY"),
        ("the environment variable NOT_SET_KEY is not set; export it",),
    ),
    "no server": Mistake(
        _run(OPENAI, "diffusion_model.params.base_url=http://127.0.0.1:9/v1"),
        ("http://127.0.0.1:9/v1 cannot be reached: Connection refused; start the server, or fix base_url",),
    ),
    "vllm is not here": Mistake(
        _run("reward_model.type=vllm_vlm", "reward_model.params.device_ids=[cpu]"),
        ("reward_model.type: vllm_vlm needs the package vllm, which", "lacks; install it there"),
    ),
    "vllm without its checkpoint": Mistake(
        _run("reward_model.type=vllm_vlm", "reward_model.params.model_name=/no/such/model"),
        ("reward_model.params.model_name: '/no/such/model' is not a folder; check the path",),
    ),
    "no server for the judge": Mistake(
        _run(
            "reward_model.type=openai_chat",
            "reward_model.params.base_url=http://127.0.0.1:9/v1",
            "reward_model.params.protocol=pointwise",
        ),
        ("http://127.0.0.1:9/v1 cannot be reached: Connection refused",),
    ),
    "an address that is none": Mistake(
        _run(OPENAI, "diffusion_model.params.base_url=localhost:8000"),
        ("base_url: must be an http or https address, got 'localhost:8000'",),
    ),
    # data
    "no such data": Mistake(
        _run("benchmark.type=image_folder", "benchmark.params.path=absent"), ("benchmark.params.path", "absent")
    ),
    "data without a list": Mistake(_run(*FOLDER), ("data", "manifest"), folder_of("data")),
    "empty data": Mistake(_run(*FOLDER), ("manifest.jsonl", "no "), records("")),
    "a broken line of data": Mistake(
        _run(*FOLDER), ("manifest.jsonl:2",), records('{"image": "a.png", "instruction": "x"}\n{"image"\n')
    ),
    "an id twice": Mistake(
        _run(*FOLDER), ("ids must be unique", "'a'"), records('{"id": "a", "image": "a.png", "instruction": "x"}\n' * 2)
    ),
    "an id twice but for its case": Mistake(
        _run(*FOLDER),
        ("ids must be unique", "'a' / 'A'"),
        records(
            '{"id": "a", "image": "a.png", "instruction": "x"}\n{"id": "A", "image": "a.png", "instruction": "x"}\n'
        ),
    ),
    "a filter that leaves nothing": Mistake(
        "run base.yaml --categories weather", ("no sample of 'weather'; it has: physical",)
    ),
    "a sample that is not there": Mistake(
        "run base.yaml --sample nothing/*", ("--sample nothing/*: matches none of 5 ids",)
    ),
    "target without targets": Mistake(
        _run(*FOLDER, "diffusion_model.type=target"),
        ("returns the exact target", "has none"),
        records('{"id": "a", "image": "a.png", "instruction": "x"}\n'),
    ),
    # places
    "output_dir is a file": Mistake(
        "run base.yaml --output-dir out", ("out/logs", "--output-dir", "a place you can write to"), file("out")
    ),
    "output_dir cannot be made": Mistake(
        "run base.yaml --output-dir /proc/nowhere", ("/proc/nowhere", "a place you can write to")
    ),
    # retry, simulate
    "reason misspelt": Mistake("retry --only tiemout", ("run 'latest': no run directory of this name",)),
    "durations that are none": Mistake(
        "simulate --durations 2,x", ("--durations: seconds separated by commas, got '2,x'",)
    ),
}
