"""Trackio: kept on this machine; with `host` (a Space, owner/name) also there. `TRACKIO_DIR` says where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editeval.trackers.tracking import Ending, TrackedRun


class TrackioService:
    def begin(self, run: TrackedRun) -> None:
        import trackio

        self._trackio: Any = trackio
        space = None if run.how.offline else run.how.host or None
        self._run: Any = trackio.init(
            project=run.how.project,
            name=f"{run.name}-{run.id[:6]}",
            space_id=space,
            config={name: str(value) for name, value in run.config.items()},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, "outcomes": step})

    def end(self, ending: Ending | None) -> None:
        if ending is not None:
            self._run.log(dict(ending.figures))
            pictures = [(sample, sample.thumbnail()) for sample in ending.samples]
            for sample, picture in pictures:
                if picture is not None:
                    scores = ", ".join(f"{name} {value}" for name, value in sample.scores.items())
                    caption = f"{sample.id}: {sample.instruction} ({scores})"
                    self._run.log({"samples": self._trackio.Image(picture, caption=caption)})
        self._run.finish()
