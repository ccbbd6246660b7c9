"""SwanLab. `SWANLAB_API_KEY` is its own; with `offline: true` it keeps a log below the output folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editeval.trackers.tracking import Ending, TrackedRun


class SwanlabService:
    def begin(self, run: TrackedRun) -> None:
        import swanlab

        self._swanlab: Any = swanlab
        run.folder.mkdir(parents=True, exist_ok=True)
        more = {} if run.how.offline else {"id": run.id, "resume": "allow"}
        self._run: Any = swanlab.init(
            project=run.how.project,
            name=run.name,
            config={name: str(value) for name, value in run.config.items()},
            log_dir=str(run.folder),
            mode="offline" if run.how.offline else None,
            **more,
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, "outcomes": step})

    def end(self, ending: Ending | None) -> None:
        if ending is not None:
            self._run.log(dict(ending.figures))
            pictures = [(sample, sample.thumbnail()) for sample in ending.samples]
            images = [
                self._swanlab.Image(picture, caption=f"{sample.id}: {sample.instruction} {dict(sample.scores)}")
                for sample, picture in pictures
                if picture is not None
            ]
            if images:
                self._run.log({"samples": images})
        self._swanlab.finish()
