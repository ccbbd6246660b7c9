"""Every combination that is known to be bad, as a table, and which of them are present.

A row says what happens and what to do. Severity:
    broken     it fails or gives wrong results, and editeval cannot put it right: `run` refuses the plug-ins concerned
    corrected  other programs are hit by it; editeval is not
    advice     it works, but slower, or open to a known attack
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from editeval.machine.versions import matches

SEVERITIES = ("broken", "corrected", "advice")

LOCAL = ("qwen_image_edit*", "diffusers_pipeline", "transformers_*")
"""Plug-ins that load a checkpoint with torch in their own process."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One combination. `when`: conditions (see versions.matches), of which any one makes it present."""

    name: str
    severity: str
    when: tuple[str, ...]
    what: str
    remedy: str
    affects: tuple[str, ...] = ("*",)  # patterns of plug-in types; what no plug-in uses (a server) is for doctor only


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """A rule that this machine meets. `found`: the versions that do, such as "diffusers 0.42.1, torch 2.5.1"."""

    name: str
    severity: str
    found: str
    what: str
    remedy: str

    def line(self) -> str:
        """The whole of it in one line."""
        return f"{self.name} ({self.found}): {self.what}; {self.remedy}"


RULES: tuple[Rule, ...] = (
    Rule(
        "qwen-image-edit-positions",
        "corrected",
        ("diffusers<=0.42.1,transformers>=5.3",),
        "the stock Qwen-Image-Edit and LongCat pipelines drop the 3-D positions of the image tokens, so that the "
        "instruction is read wrongly, without any message (diffusers#14194)",
        "nothing to do: editeval's editors pass the positions; a plain diffusers script needs transformers 5.0-5.2",
        ("qwen_image_edit*", "diffusers_pipeline"),
    ),
    Rule(
        "qwen-image-edit-positions-served",
        "broken",
        ("vllm-omni<=0.30,transformers>=5.3",),
        "vLLM-Omni serves Qwen-Image-Edit without the 3-D positions of the image tokens: wrong conditioning",
        "serve it with SGLang, or edit with type qwen_image_edit",
        ("(server) vllm_omni",),
    ),
    Rule(
        "transformers-4-with-new-diffusers",
        "broken",
        ("transformers<5,diffusers>=0.42",),
        "they cannot be imported together: transformers 4 needs huggingface-hub < 1, diffusers 0.42 needs >= 1.32",
        "pip install 'transformers>=5.0'",
        ("qwen_image_edit*", "diffusers_pipeline"),
    ),
    Rule(
        "huggingface-hub-too-old",
        "broken",
        ("diffusers>=0.42,huggingface-hub<1.32", "transformers>=5.23,huggingface-hub<1.31"),
        "the library cannot be imported with this huggingface-hub",
        "pip install 'huggingface-hub>=1.32,<3'",
        LOCAL,
    ),
    Rule(
        "huggingface-hub-too-new",
        "broken",
        ("transformers<5,huggingface-hub>=1",),
        "transformers 4 cannot be imported with huggingface-hub 1 or newer",
        "pip install 'transformers>=5.0'",
        LOCAL,
    ),
    Rule(
        "torch-load-runs-code",
        "broken",
        ("torch<2.6",),
        "loading a checkpoint can run code that is hidden in it, even with weights_only (CVE-2025-32434)",
        "pip install 'torch>=2.6'",
        LOCAL,
    ),
    Rule(
        "torch-slow-conv3d",
        "advice",
        ("torch==2.9",),
        "the vision part of Qwen-VL models is 10 to 20 times slower (pytorch#174051)",
        "pip install 'torch>=2.10'",
        LOCAL,
    ),
    Rule(
        "vllm-pins",
        "broken",
        (
            "vllm==0.33,torch!=2.14.0",
            "vllm==0.33,transformers<5.16.1",
            "vllm==0.33,transformers>=5.21",
            "vllm==0.32,torch!=2.13.0",
            "vllm==0.31,torch!=2.13.0",
        ),
        "this vLLM was built for other versions of torch and transformers",
        "give vLLM a Python environment of its own: pip install vllm there, and let it choose",
        ("*vllm*",),
    ),
    Rule(
        "vllm-omni-pins",
        "broken",
        (
            "vllm-omni==0.30,transformers<5.13",
            "vllm-omni==0.30,transformers>=5.15",
            "vllm-omni==0.30,diffusers!=0.40.0",
        ),
        "this vLLM-Omni needs transformers 5.13-5.14 and diffusers 0.40.0",
        "give the server a Python environment of its own and edit with type openai_images",
        ("(server) vllm_omni",),
    ),
    Rule(
        "sglang-pins",
        "broken",
        ("sglang==0.5.23,torch!=2.14.1", "sglang==0.5.23,transformers!=5.19.0", "sglang==0.5.23,diffusers!=0.37.0"),
        "this SGLang needs torch 2.14.1, transformers 5.19.0 and diffusers 0.37.0",
        "give the server a Python environment of its own and edit with type openai_images",
        ("(server) sglang",),
    ),
    Rule(
        "vllm-known-attacks",
        "advice",
        ("vllm<0.19",),
        "a checkpoint can run code although trust_remote_code is off (CVE-2026-22807, CVE-2026-27893), and requests "
        "can make the server fetch addresses (CVE-2026-24779, CVE-2026-34753)",
        "pip install 'vllm>=0.19'",
        ("*vllm*",),
    ),
    Rule(
        "ray-dashboard-attack",
        "advice",
        ("ray<2.52",),
        "a web page that is open in a browser on this network can run code through the dashboard (CVE-2025-62593)",
        "pip install 'ray>=2.52'",
        ("*ray*",),
    ),
    Rule(
        "pillow-bombs",
        "corrected",
        ("pillow<12.2",),
        "a small file can fill the memory (CVE-2026-40192)",
        "editeval decodes PNG, JPEG and WebP only, after a look at the header; pip install 'pillow>=12.2' nevertheless",
    ),
    Rule(
        "python-tarfile",
        "advice",
        (
            "python>=3.11,python<3.11.13",
            "python>=3.12,python<3.12.11",
            "python>=3.13,python<3.13.4",
        ),
        "unpacking a prepared archive can write outside its folder in spite of the filter (CVE-2025-4517)",
        "unpack data sets from strangers with another Python, or update this one",
    ),
    Rule(
        "sqlite-wal-reset",
        "corrected",
        ("sqlite>=3.7,sqlite<3.51.3",),
        "two connections that write or checkpoint at the same moment can damage a database in WAL mode",
        "editeval has one writer per run and every reader is read-only; let no other program write to a ledger",
    ),
    Rule(
        "torch-without-cuda",
        "advice",
        ("torch-cpu-build>=1,gpus>=1",),
        "this torch was built for the CPU: the GPUs of this machine cannot be used",
        "pip install the torch that fits the driver: https://pytorch.org/get-started/locally/",
        LOCAL,
    ),
    Rule(
        "driver-too-old-for-torch",
        "broken",
        ("torch-cuda==13,driver<580", "torch-cuda==12,driver<525"),
        "this torch was built for a CUDA that needs a newer driver: it sees no GPU",
        "update the driver, or pip install a torch for an older CUDA",
        ("(gpu)",),  # for doctor; a run finds it by its device, and one on CPUs does not care
    ),
    Rule(
        "gpu-in-mig-mode",
        "advice",
        ("mig>=1",),
        "a GPU is split (MIG), and a GPU's number means its first slice only",
        "name the slices: CUDA_VISIBLE_DEVICES=MIG-...,MIG-... and device_ids: [0, 1, ...]",
    ),
)


def problems(
    versions: Mapping[str, str], types: Iterable[str] | None = None, rules: Sequence[Rule] = RULES
) -> list[KnownIssue]:
    """Every rule that `versions` (name -> version) meet, worst first.

    `types`: only what concerns plug-ins of these types (the YAML word, or a module's dotted name). A run that uses them
    must not start if one of them is `broken`.
    """
    names = None if types is None else [name.rpartition(".")[2] for name in types]
    found = []
    for rule in rules:
        if names is not None and not any(fnmatch.fnmatchcase(n, pattern) for n in names for pattern in rule.affects):
            continue
        met = dict.fromkeys(name for condition in rule.when for name in matches(condition, versions))
        if met:
            shown = ", ".join(f"{name} {versions[name]}" for name in met)
            found.append(KnownIssue(rule.name, rule.severity, shown, rule.what, rule.remedy))
    return sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))
