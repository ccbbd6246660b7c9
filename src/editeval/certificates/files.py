"""Where certificates are: `<output_dir>/certificates/<judging id>.json`, and beside each the answers it rests on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from editeval.certificates.certificate import SCHEMA_VERSION
from editeval.certificates.thresholds import SUITE
from editeval.errors import MachineError
from editeval.images import write_atomic

FOLDER = "certificates"


def path_of(output_dir: Path, judging_id: str) -> Path:
    """Where the certificate of this judging is, or would be."""
    return output_dir / FOLDER / f"{judging_id}.json"


def certificate_of(output_dir: Path, judging_id: str) -> dict[str, Any] | None:
    """The certificate of a judging; None if there is none, or only one of another suite, which says nothing any more.

    Raises MachineError for a file that is no certificate.
    """
    path = path_of(output_dir, judging_id)
    try:
        content = json.loads(path.read_bytes())
        schema_version, suite, key = content["schema_version"], content["suite"], content["key"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError(f"{path}: not a certificate: {error}; delete it, or make it anew") from error
    is_current = (schema_version, suite, key) == (SCHEMA_VERSION, SUITE, judging_id)
    return dict(content) if is_current else None


def write(output_dir: Path, certificate: Mapping[str, Any], answers: Iterable[Mapping[str, Any]]) -> Path:
    """The path of the certificate, which is now on disk; the answers, one line each, are in the .jsonl beside it."""
    path = path_of(output_dir, str(certificate["key"]))
    lines = "".join(json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n" for answer in answers)
    text = json.dumps(certificate, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path.with_suffix(".jsonl"), lines.encode("utf-8", "backslashreplace"))
        write_atomic(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
