"""Weights & Biases. `WANDB_API_KEY` and `WANDB_BASE_URL` are its own; with `offline: true` nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editeval.trackers.tracking import Ending, TrackedRun


class WandbService:
    def begin(self, run: TrackedRun) -> None:
        import wandb

        self._wandb: Any = wandb
        run.folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
        if run.how.host:
            settings.base_url = run.how.host
        self._run: Any = wandb.init(
            project=run.how.project,
            name=run.name,
            id=run.id,
            resume=None if run.how.offline else "allow",
            config=dict(run.config),
            dir=str(run.folder),
            mode="offline" if run.how.offline else None,
            settings=settings,
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, "outcomes": step})  # its own steps go on when a run is continued

    def end(self, ending: Ending | None) -> None:
        if ending is None:
            self._run.finish(exit_code=1)
            return
        self._run.summary.update({**ending.figures, **ending.facts})
        names = list(ending.samples[0].scores) if ending.samples else []
        table = self._wandb.Table(columns=["id", "category", "instruction", "edit", *names])
        for sample in ending.samples:
            picture = sample.thumbnail()
            image = None if picture is None else self._wandb.Image(picture)
            row = [sample.id, sample.category, sample.instruction, image]
            table.add_data(*row, *(sample.scores[name] for name in names))
        if ending.samples:
            self._run.log({"samples": table})
        self._run.finish()
