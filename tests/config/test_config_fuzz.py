"""Whatever is in the file, reading it gives a Config or one ConfigError, a line for each mistake."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from config_fakes.minimal import MINIMAL
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.config.legacy import NO_EFFECT, STAGE_KEYS
from editeval.config.load import Overrides, load_config
from editeval.config.schema import SECTIONS
from editeval.config.values import EXECUTION
from editeval.errors import ConfigError

WORDS = sorted(
    {part for key in NO_EFFECT for part in key.split(".")}
    | {*SECTIONS, *EXECUTION, *STAGE_KEYS["reward_model"], "data", "path", "type", "class_path", "params", "execution"}
    | {"categories", "metrics", "limit", "samples", "output_dir", "log_file", "level", "fields", "物理", "<<"}
    | {"system_prompt", "user_prompt_template"}
)
VALUES = ["identity", "config_fakes.editor", "config_fakes.judge", "config_fakes.bench", "json_records", "dynamic"]
VALUES += ["bounded_drift", "mean", "cpu", "cuda:0", "0-3", "auto", "x{y}", "../x", "qwen3_vl", "example_model", ""]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 9),
    st.floats(),
    st.sampled_from(VALUES),
    st.text(max_size=8),
    st.dates(),
    st.binary(max_size=4),
)
trees = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(WORDS), below, max_size=5),
    max_leaves=12,
)
BASE = yaml.safe_load(MINIMAL)


def _attempt(data: bytes, overrides: Overrides, environ: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(data)
        try:
            config = load_config(path, overrides, environ, allow_code=True)
        except ConfigError as error:
            assert all(line.isprintable() for line in str(error).split("\n")), str(error)
        else:
            assert all(warning.isprintable() for warning in config.warnings)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_random_bytes_never_escape_as_another_error(data: bytes) -> None:
    _attempt(data, Overrides(), {})
    _attempt(MINIMAL.encode() + data, Overrides(), {})


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), trees), min_size=1, max_size=4),
    st.booleans(),
)
def test_random_trees_never_escape_as_another_error(changes: list[tuple[list[str], Any]], whole: bool) -> None:
    tree: Any = {} if whole else {section: dict(below) for section, below in BASE.items()}
    for path, value in changes:
        place = tree
        for part in path[:-1]:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[path[-1]] = value
    _attempt(yaml.dump(tree, allow_unicode=True).encode(), Overrides(), {})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.one_of(st.text(max_size=12), scalars.map(str), st.sampled_from(["[", "{a: 1}", "&a [*a]", "!!x y", "12:30"])),
)
def test_random_overrides_never_escape_as_another_error(path: list[str], value: str) -> None:
    _attempt(MINIMAL.encode(), Overrides(sets=(f"{'.'.join(path)}={value}",)), {})
    _attempt(MINIMAL.encode(), Overrides(device_ids=(value,), output_dir=value, samples=(value,)), {})
    _attempt(MINIMAL.encode(), Overrides(), {f"EDITEVAL_{'__'.join(path).upper()}": value})
