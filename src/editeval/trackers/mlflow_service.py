"""MLflow. Without `host` and `MLFLOW_TRACKING_URI` it keeps a database below the output folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from editeval.trackers.tracking import Ending, TrackedRun

_TAG = "editeval.run"
_MAX_PARAM = 500  # characters


class MlflowService:
    def begin(self, run: TrackedRun) -> None:
        import mlflow

        run.folder.mkdir(parents=True, exist_ok=True)
        own = f"sqlite:///{run.folder.absolute() / 'mlflow.db'}"
        where = own if run.how.offline else run.how.host or os.environ.get("MLFLOW_TRACKING_URI") or own
        self._client: Any = mlflow.MlflowClient(where)
        found = self._client.get_experiment_by_name(run.how.project)
        artifacts = (run.folder.absolute() / "mlflow-artifacts").as_uri() if where == own else None
        experiment = found.experiment_id if found else self._client.create_experiment(run.how.project, artifacts)
        earlier = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{run.id}'", max_results=1)
        if earlier:
            self._id = earlier[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        self._id = self._client.create_run(experiment, tags={_TAG: run.id}, run_name=run.name).info.run_id
        for name, value in run.config.items():
            self._client.log_param(self._id, name, str(value)[:_MAX_PARAM])

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def end(self, ending: Ending | None) -> None:
        if ending is None:
            self._client.set_terminated(self._id, "KILLED")
            return
        for name, value in ending.figures.items():
            self._client.log_metric(self._id, name, value)
        for name, text in ending.facts.items():
            self._client.set_tag(self._id, name, text)
        columns: dict[str, list[object]] = {}
        for number, sample in enumerate(ending.samples):
            picture, file = sample.thumbnail(), f"edits/{number:02}.png"
            if picture is not None:
                self._client.log_image(self._id, picture, file)
            row = {"id": sample.id, "category": sample.category, "instruction": sample.instruction, "edit": file}
            for name, cell in {**row, **sample.scores}.items():
                columns.setdefault(name, []).append(cell)
        if columns:
            self._client.log_dict(self._id, {"columns": columns}, "samples.json")
        self._client.set_terminated(self._id)
