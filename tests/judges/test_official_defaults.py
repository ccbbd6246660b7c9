"""By default a judge asks as the authors did: but for words and data nothing differs, with any protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from editeval.judges.chat.official_use import official_use
from editeval.judges.openai_chat import OpenaiChatParams
from editeval.judges.parsing.prompt_files import PromptSource, text_digest
from editeval.judges.protocols import protocol as protocols
from editeval.run.official import BenchmarkUsed, differences

PUBLISHED = [name for name in protocols.PROTOCOLS if protocols.class_of(name).settings]
OF_BENCHMARKS = [name for name in PUBLISHED if protocols.class_of(name).benchmark]
"""The others are of judges, which may be asked about any data."""
OWN_WORDS = "words (own wording)"
DATA = "data (another version)"
OLDER = {"re_edit": {"num_samples": 1, "temperature": 0.0, "max_new_tokens": 128, "output": "plain"}}
"""Settings to be said with our own words, where a protocol is older than the rule; its pictures are still shrunk."""

DEPARTS = {
    "gedit_v2": [
        "order of images (both instead of one)",
        "judge of visual_consistency (theirs: PVC-Judge, see protocol pvc_judge)",
        "mean (a win rate instead of an Elo of 17 models)",
    ],
    "pvc_judge": ["order of images (both instead of one)", "mean (a win rate instead of an Elo of 17 models)"],
    "unified_reward_pairs": ["order of images (both instead of one)"],
}
"""What no setting can change."""


def differs(protocol: str, **params: Any) -> list[str]:
    cls = protocols.class_of(protocol)
    assert cls.settings is not None
    also = {"against": "other"} if cls.is_pairwise else {}
    asked = OpenaiChatParams(protocol=protocol, base_url="http://x", model=cls.settings.judges[0], **params, **also)
    use = official_use(asked)
    assert use is not None and use.benchmark in ("", cls.benchmark)
    return list(differences(use, BenchmarkUsed(use.benchmark, differs=("another version",)), None))


def authors_clone(folder: Path, source: PromptSource) -> dict[str, str]:
    """Files with a made-up text under every name that is looked for; the texts as they are read."""
    elsewhere = {constant: (file, name) for constant, file, name in source.elsewhere}
    files: dict[str, list[str]] = {}
    for constant in source.hashes:
        file, name = elsewhere.get(constant, (source.files[0], constant))
        files.setdefault(file, []).append(name)
    for file, names in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_python(names) if path.suffix == ".py" else json.dumps(_nested(names)))  # YAML has JSON
    return source.read(folder)


def _python(names: list[str]) -> str:
    lines = []
    for name in names:
        function, _, rest = name.partition(".")
        variable, _, number = rest.partition(".")
        if not rest:
            lines.append(f"{name} = 'Text of {name}'")
        elif number:
            numbers = {int(other.rpartition(".")[2]): other for other in names if other.startswith(f"{function}.")}
            texts = [f"Text of {numbers[i]}" if i in numbers else None for i in range(max(numbers) + 1)]
            lines.append(f"def {function}():\n    {variable} = {texts!r}")
        else:
            lines.append(f"def {function}():\n    {variable} += 'Text of {name}'")
    return "\n".join(dict.fromkeys(lines))


def _nested(names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        place = found
        *way, last = name.split(".")
        for key in way:
            place = place.setdefault(key, {})
        place[last] = f"Text of {name}"
    return found


def known(words: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: (text_digest(text),) for name, text in words.items()}


@pytest.mark.parametrize("protocol", PUBLISHED)
def test_only_words_and_data_differ_by_default_and_one_character_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    own = differs(protocol, **OLDER.get(protocol, {}))
    shrunk = ["preparation (pictures are shrunk to 1024 pixels)"] if protocol in OLDER else []
    further = [*DEPARTS.get(protocol, []), *([DATA] if protocol in OF_BENCHMARKS else [])]
    assert own == [OWN_WORDS, *shrunk, *further]
    source = protocols.class_of(protocol).prompt_source
    assert source is not None
    words = authors_clone(tmp_path, source)
    assert words.keys() == source.hashes.keys()
    monkeypatch.setattr(protocols.class_of(protocol), "prompt_source", replace(source, hashes=known(words)))
    assert differs(protocol, prompts_from=str(tmp_path)) == further
    last = list(words)[-1]
    changed = differs(protocol, words={**words, last: words[last] + "."})
    assert changed[1:] == further and changed[0].startswith(f"words (constant {last} of ")


def test_every_published_benchmark_is_among_them() -> None:
    assert len(OF_BENCHMARKS) == 11


def test_our_own_re_edit_asks_as_it_always_did_and_says_in_what_it_differs() -> None:
    assert differs("re_edit") == [
        OWN_WORDS,
        "temperature (0.7 instead of 0)",
        "max_new_tokens (256 instead of 128)",
        "num_samples (4 instead of 1)",
        "output (the form of replies is forced)",
        "preparation (pictures are shrunk to 1024 pixels)",
        DATA,
    ]


def test_a_form_that_the_authors_force_must_be_forced() -> None:
    says = "output (the form of replies is not forced)"
    assert differs("complex_edit", output="plain") == [OWN_WORDS, says, DATA]
