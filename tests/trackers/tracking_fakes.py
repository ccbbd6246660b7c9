"""Modules in place of four tracking libraries, whose calls have the real parameters; they note what they get."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

Calls = list[tuple[str, Any]]


def fake(name: str, calls: Calls, earlier: list[Any] | None = None) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    made = {"wandb": _wandb, "trackio": _trackio, "swanlab": _swanlab, "mlflow": _mlflow}[name]
    for word, value in made(calls, earlier or []).items():
        setattr(module, word, value)
    return module


class _Run:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.summary = SimpleNamespace(update=lambda values: calls.append(("summary", values)))

    def log(self, data: dict[str, Any], step: int | None = None) -> None:
        self.calls.append(("log", data))

    def finish(self, exit_code: int | None = None) -> None:
        self.calls.append(("finish", exit_code))


def _wandb(calls: Calls, earlier: list[Any]) -> dict[str, Any]:
    class Table:
        def __init__(self, columns: list[str]) -> None:
            self.columns, self.rows = columns, list[tuple[Any, ...]]()

        def add_data(self, *data: Any) -> None:
            assert len(data) == len(self.columns)
            self.rows.append(data)

    def init(
        *, project: str, name: str, id: str, resume: str | None, config: Any, dir: str, mode: str | None, settings: Any
    ) -> _Run:
        calls.append(("init", {"project": project, "id": id, "resume": resume, "mode": mode, "config": config}))
        return _Run(calls)

    return {"init": init, "Table": Table, "Image": lambda data: ("image", data.size), "Settings": SimpleNamespace}


def _trackio(calls: Calls, earlier: list[Any]) -> dict[str, Any]:
    def init(
        project: str,
        name: str,
        space_id: str | None,
        config: Any,
        resume: str,
        embed: bool,
        auto_log_gpu: bool,
    ) -> _Run:
        calls.append(("init", {"project": project, "id": name, "resume": resume, "mode": space_id, "config": config}))
        return _Run(calls)

    return {"init": init, "Image": lambda value, caption: ("image", caption)}


def _swanlab(calls: Calls, earlier: list[Any]) -> dict[str, Any]:
    def init(
        *, project: str, name: str, config: Any, log_dir: str, mode: str | None, id: str = "", resume: str = ""
    ) -> _Run:
        calls.append(("init", {"project": project, "id": id, "resume": resume, "mode": mode, "config": config}))
        return _Run(calls)

    return {
        "init": init,
        "Image": lambda data, caption: ("image", caption),
        "finish": lambda: calls.append(("finish", None)),
    }


def _mlflow(calls: Calls, earlier: list[Any]) -> dict[str, Any]:
    class MlflowClient:
        def __init__(self, tracking_uri: str) -> None:
            calls.append(("uri", tracking_uri))

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str, artifact_location: str | None) -> str:
            return "1"

        def search_runs(self, experiment_ids: list[str], filter_string: str, max_results: int) -> list[Any]:
            return earlier

        def create_run(self, experiment_id: str, tags: dict[str, str], run_name: str) -> Any:
            calls.append(("init", {"project": "mine", "id": tags["editeval.run"], "config": {}}))
            found = SimpleNamespace(info=SimpleNamespace(run_id="r1"))
            earlier.append(found)
            return found

        def update_run(self, run_id: str, status: str) -> None:
            calls.append(("resumed", run_id))

        def log_param(self, run_id: str, key: str, value: str) -> None:
            assert len(value) <= 500
            calls[0 if calls[0][0] == "init" else 1][1]["config"][key] = value

        def log_metric(self, run_id: str, key: str, value: float, step: int | None = None) -> None:
            calls.append(("log", {key: value}))

        def set_tag(self, run_id: str, key: str, value: str) -> None:
            calls.append(("summary", {key: value}))

        def log_image(self, run_id: str, image: Any, artifact_file: str) -> None:
            calls.append(("log", {"samples": artifact_file}))

        def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
            calls.append(("log", {"table": dictionary}))

        def set_terminated(self, run_id: str, status: str | None = None) -> None:
            calls.append(("finish", status))

    return {"MlflowClient": MlflowClient}
