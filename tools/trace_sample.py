"""How far one sample travels: files, functions and calls from file to file of a run with one sample, in one process.

    python tools/trace_sample.py [--files]

The run is the embedded default with the editor `identity`, the judge `reference` and one sample; workers are
threads. Only functions under src/editeval count; modules that are merely imported do not.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import replace
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SRC = str(ROOT / "src" / "editeval") + os.sep


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module of ours is being imported: what it calls meanwhile is no step of the sample."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(SRC):
            return True
        frame = frame.f_back
    return False


class Trace:
    """What ran: functions by file, and calls whose caller is another file of the package."""

    def __init__(self) -> None:
        self.functions: set[CodeType] = set()
        self.crossings: Counter[tuple[str, str]] = Counter()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(SRC) or not code.co_flags & CO_OPTIMIZED:
            return  # the body of a module or of a class is no function
        if _is_importing(frame):
            return
        self.functions.add(code)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(SRC):
            caller = caller.f_back  # through the standard library: the file of ours that asked for it
        if caller is not None and caller.f_code.co_filename != code.co_filename:
            self.crossings[caller.f_code.co_filename, code.co_filename] += 1

    @property
    def files(self) -> Counter[str]:
        """Functions that ran, by file."""
        return Counter(code.co_filename.removeprefix(SRC) for code in self.functions)


def run(trace: Trace, folder: Path) -> None:
    """One sample from the configuration to the report."""
    import editeval
    from editeval.config.load import Overrides, load_config

    logging.getLogger("editeval").setLevel(logging.ERROR)
    overrides = {
        "diffusion_model.type": "identity",
        "diffusion_model.params": {"device_ids": ["cpu"]},
        "diffusion_model.execution": {"backend": "inprocess"},
        "reward_model.execution": {"backend": "inprocess"},
        "reward_model.params.device_ids": ["cpu"],
        "evaluation.output_dir": str(folder),
        "logging.console_output": False,
    }
    sets = tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        config = load_config(ROOT / "config.yaml", Overrides(sets=sets))
        editeval.evaluate(replace(config, limit=1))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--files", action="store_true", help="also list the files, with the number of functions that ran"
    )
    arguments = parser.parse_args()
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder:
        run(trace, Path(folder))
    files = trace.files
    scenes = sum(name.startswith("benchmarks/scenes/") for name in files)
    print(f"{len(files)} files ({len(files) - scenes} without the drawn scenes)")
    print(f"{len(trace.functions)} functions")
    print(f"{sum(trace.crossings.values())} calls from one file to another")
    for name, count in sorted(files.items()) if arguments.files else ():
        print(f"{count:5} {name}")


if __name__ == "__main__":
    main()
