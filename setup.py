"""Puts the ready configurations of the root into the wheel, as data of the package; all else is in pyproject.toml.

`editeval.config.ready` finds them there, and in the checkout where editeval runs from one: one file each, no copies.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
READY = [ROOT / "config.yaml", ROOT / "config_multi_gpu.yaml", *sorted((ROOT / "configs").rglob("*.yaml"))]


class BuildWithReadyFiles(build_py):
    def _ready(self) -> dict[str, str]:
        """Source -> place, of each ready file; an editable installation reads the checkout."""
        if self.editable_mode:
            return {}
        folder = Path(self.build_lib, "editeval", "ready")
        return {str(path): str(folder / path.relative_to(ROOT)) for path in READY}

    def run(self) -> None:
        super().run()
        for path, place in self._ready().items():
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self._ready().values()]


setup(cmdclass={"build_py": BuildWithReadyFiles})
