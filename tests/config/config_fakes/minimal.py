"""The smallest complete configuration, and the type of the `load` fixture."""

from __future__ import annotations

from collections.abc import Callable

from editeval.config.schema import Config

MINIMAL = """\
benchmark: {type: config_fakes.bench, params: {path: data.json}}
diffusion_model: {type: config_fakes.editor}
reward_model: {type: config_fakes.judge}
"""
Load = Callable[..., Config]
