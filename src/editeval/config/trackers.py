"""The section `tracking`, and `--track`: which services keep the run as one of their experiments."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args, get_type_hints

from editeval.config.resolution import Resolution
from editeval.config.schema import Tracking
from editeval.config.values import build, field_names
from editeval.config.yaml_tree import Node, problem
from editeval.errors import ConfigError

SERVICES: tuple[str, ...] = get_args(get_type_hints(Tracking)["type"])


def tracking(node: Node | None, record: Resolution) -> tuple[Tracking, ...]:
    """What the section says; nothing if there is none, or if it is not sound."""
    if node is None or node.value is None:
        return ()
    section = record.mapping(node)
    if not node.is_map:
        return ()
    names = field_names(Tracking)
    record.close("tracking", section, names)
    kept = {name: below for name, below in section.children.items() if name in names}
    found = build(Tracking, replace(section, value=kept), "tracking", record.problems, record.meant)
    if not isinstance(found, Tracking):
        return ()
    with record.problems.collect():
        if not found.project.strip():
            raise problem(section.children["project"], "must not be empty; leave it out for `editeval`")
    with record.problems.collect():
        _check_host(found, section)
    for name in names:
        record.keep(f"tracking.{name}", getattr(found, name), kept.get(name))
    return (found,)


def _check_host(found: Tracking, section: Node) -> None:
    if not found.host:
        return
    node = section.children["host"]
    if found.type == "swanlab":
        raise problem(node, "swanlab takes its server from its own login (`swanlab login --host`); remove it")
    if found.type == "trackio":
        if found.host.count("/") != 1 or ":" in found.host:
            raise problem(node, f"must be a Space, owner/name, got {found.host!r}")
        return
    from editeval.http.client import parse_url  # with http and ssl: 25 ms that most commands do not need

    server = parse_url(f"{node.where}: {node.key}", found.host)
    if found.type == "wandb" and server.scheme == "http" and not server.is_loopback:
        raise problem(node, f"{found.host} would get the key of wandb unencrypted; use https")


def with_flags(trackers: Sequence[Tracking], flags: Sequence[str]) -> tuple[Tracking, ...]:
    """The services of a file and those of `--track`: of one that is in both, the flag's project and the file's host.

    Raises ConfigError for a service that the flags name twice: its library keeps one run at a time.
    """
    services: dict[str, Tracking] = {how.type: how for how in trackers}
    named: set[str] = set()
    for text in flags:
        kind, project = _of_flag(text)
        if kind in named:
            raise ConfigError(f"--track: {kind} is named twice; name each service once")
        named.add(kind)
        how = services.get(kind) or Tracking(kind)  # type: ignore[arg-type]
        services[kind] = replace(how, project=project) if project else how
    return tuple(services.values())


def _of_flag(text: str) -> tuple[str, str]:
    """Service and project of `wandb` or `wandb:my-project`. Raises ConfigError."""
    kind, colon, project = text.partition(":")
    if kind not in SERVICES:
        close = difflib.get_close_matches(kind, SERVICES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"--track: must be {', '.join(SERVICES)}, such as wandb:my-project, got {text!r}{hint}")
    if colon and not project.strip():
        raise ConfigError(f"--track: {text!r} has no project after the colon; write {kind}, or {kind}:my-project")
    return kind, project
