"""What Python code uses without a run: `load_editor` and its `batch_edit`, `judge` edits at hand."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from editeval import plugins
from editeval.config.load import Overrides, load_config, load_mapping, load_with
from editeval.config.schema import Config, Logging, Stage
from editeval.errors import ConfigError, EditBatchError, MachineError, UserError
from editeval.execution.pool import BudgetLedger, Pool
from editeval.execution.pool_events import PoolEvent
from editeval.execution.progress import EditLog
from editeval.images import BytesImage, FileImage, decode, encode_png
from editeval.machine import gpus
from editeval.run import pipeline
from editeval.run.plan import worker_spec
from editeval.run.prepare import check_machine, check_stages
from editeval.run.stage import launcher, pool_spec, say
from editeval.run.stage_devices import device_warnings, stage_devices
from editeval.store.fingerprints import judge_request
from editeval.types import Editor, EditRequest, Judge, JudgeRequest, Outcome, Sample, Score

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("editeval")
_PNG_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")


def load_editor(config: Config | str | Path, **params: Any) -> BatchEditor:
    """An editor with its models loaded on all its devices, ready for `batch_edit`.

    `config` is a configuration file (its diffusion_model is used), a Config, or a type such as
    "multi_gpu_qwen_image_edit"; `params` are those of the YAML section `diffusion_model.params`.
    Logs go where the configuration says; without that nothing is written into your folder (see BatchEditor.logs).
    Raises ConfigError or MachineError. Use it as a context manager, or call `close`: that frees the devices.
    """
    check_plain("", params)
    if isinstance(config, str) and not config.endswith((".yaml", ".yml")):
        model = {"type": config, "params": params}
        loaded = load_mapping({"benchmark": {"type": "procedural"}, "diffusion_model": model}, "load_editor")
    else:
        loaded = _config(config, {f"diffusion_model.params.{key}": value for key, value in params.items()})
    stage = loaded.diffusion_model
    cls = plugins.load("editors", stage.type, loaded.allow_code)
    name = stage.log_name or cls.__name__
    named: type[BatchEditor] = type(name, (BatchEditor,), {"__doc__": BatchEditor.__doc__})
    return named(loaded, cls)


class BatchEditor:
    """Edits lists of images on several devices. The class carries the name of the editor it runs.

    `logs` is the folder that its workers write to.
    """

    _remove_logs: weakref.finalize[..., object] | None = None  # of a temporary folder

    def __init__(self, config: Config, editor: type[Editor]) -> None:
        stage = config.diffusion_model
        gpus.forget()
        for lacking in device_warnings(config, [stage]):
            raise MachineError(lacking)
        groups = stage_devices(stage, editor)
        spec = pool_spec(worker_spec(stage, config.allow_code), groups, stage.execution)
        self.logs, self._logging = self._places(config)
        self.stage: Stage = stage
        self.num_workers = len(groups)
        self._pool = Pool(spec, launcher(self.logs, f"{type(self).__name__}-edit", stage.execution), self._on_event)
        self._budget = BudgetLedger()
        self._edit_log: EditLog | None = None  # of the latest `batch_edit`
        try:
            self._pool.__enter__()
        except UserError as error:
            self._keep_logs()
            raise type(error)(f"{error}; worker logs: {self.logs}") from error

    def _places(self, config: Config) -> tuple[Path, Logging]:
        """Where workers write, and where the lines of the log contract go.

        Nothing is written into the caller's folder unless the configuration names a place: without one, it is a
        temporary folder that goes with this object, and stays if anything failed.
        """
        names = "evaluation.output_dir", "logging.log_file"
        output, file = (config.origins.get(name, "default") != "default" for name in names)
        if output:
            return config.evaluation.output_dir / "logs", config.logging
        folder = Path(tempfile.mkdtemp(prefix="editeval-logs-"))
        self._remove_logs = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder, config.logging if file else replace(config.logging, log_file=folder / "editor.log")

    def _keep_logs(self) -> None:
        if self._remove_logs is not None:
            self._remove_logs.detach()

    def _on_event(self, notice: PoolEvent) -> None:
        if notice.kind == "pay":
            self._pool.answer(notice, self._budget.settle(notice.data["bill"]))
        else:
            if notice.kind == "ready":
                log.info("Worker %d on %s ready", notice.data["worker"], notice.data["device"])
            elif notice.kind == "worker_lost":
                log.warning("Worker %d on %s: %s", notice.data["worker"], notice.data["device"], notice.data["how"])
            if self._edit_log is not None:
                self._edit_log.on_event(notice)

    def batch_edit(
        self,
        images: Sequence[Image | bytes | str | Path],
        instructions: Sequence[str],
        enable_batch_sync: bool | None = None,
        on_error: str = "raise",
        **overrides: Any,
    ) -> list[Image | None]:
        """The edited images, in input order.

        `enable_batch_sync` wins over the configuration. The i-th image has the seed `seed` + i (from the configuration,
        or given here), as v2 had it; other `overrides` are handed to the editor. When an edit fails, EditBatchError is
        raised after the batch, carrying every outcome; with on_error="none" its place holds None. Never the source.
        """
        if len(images) != len(instructions):
            raise ConfigError(f"batch_edit: {len(images)} images with {len(instructions)} instructions; one each")
        base_seed = overrides.pop("seed", self.stage.seed)
        _check_arguments(instructions, enable_batch_sync, on_error, base_seed)
        check_plain("batch_edit: ", overrides)
        sources = [_source(i, image) for i, image in enumerate(images)]
        policy = self.stage.execution.policy
        if enable_batch_sync is not None:
            policy = "batch_sync" if enable_batch_sync else "round_robin"

        def build(key: str) -> EditRequest:
            i = int(key)
            return EditRequest(key, (sources[i](),), instructions[i], (base_seed + i) % 2**31, overrides)

        keys = [str(i) for i in range(len(images))]
        edit_log = self._edit_log = EditLog(type(self).__name__, [keys], self.num_workers, policy, say)
        with _heard(self._logging):
            edit_log.begin()
            outcomes: dict[str, Outcome[Any]] = {}
            for outcome in self._pool.run(keys, build, policy):
                outcomes[outcome.key] = outcome
                edit_log.add(outcome)
        ordered = [outcomes[key] for key in keys]
        if any(o.error for o in ordered):
            self._keep_logs()
            if on_error == "raise":
                raise EditBatchError(ordered, self.logs)
        return [None if o.value is None else decode(o.value.png) for o in ordered]

    def close(self) -> None:
        """End the workers; their devices are free."""
        self._pool.close()
        if self._remove_logs is not None:
            self._remove_logs()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_OF_AN_EDIT = ("target", "mask", "references", "reference_text", "metadata", "category")


def judge(
    source: Any,
    edited: Any,
    instruction: str | Sequence[str],
    judge: Config | str | Path = "openai_chat",
    protocol: str | None = None,
    **params: Any,
) -> Any:
    """The scores of an edit, one `Score` per metric on its own scale; of lists of edits, a list of such lists.

    Pictures are paths, PIL images or bytes; a sample with several source images has a list of them. `judge` is a type,
    a configuration file or a Config, whose first judge is asked; `params` are those of the judge. Besides, and one each
    where there are lists: `target` and `mask` (of the judge "reference"), `references`, `reference_text`, `metadata`
    and `category`, as a benchmark would give them. What cannot be read as a score has no value, and `reason` and `raw`
    say why. Raises ConfigError, ImageError or MachineError. The judge works as in a run, and no file is left behind.
    """
    also = {name: params.pop(name) for name in _OF_AN_EDIT if name in params}
    given = params if protocol is None else {**params, "protocol": protocol}
    is_one = isinstance(instruction, str)
    columns: dict[str, Any] = {"source": source, "edited": edited, "instruction": instruction, **also}
    rows = [columns] if is_one else _rows(columns)
    config = _judging(judge, given)
    stage = config.reward_model
    if stage is None:
        raise ConfigError(f"judge: {config.path}: has no reward_model; name the judge")
    cls: type[Judge] = plugins.load("judges", stage.type, config.allow_code)
    asked = [_asked(number, row, cls.uses_prompts_of(stage.params), config) for number, row in enumerate(rows)]
    found = _scores(config, stage, cls, asked) if asked else []
    return found[0] if is_one else found


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping per edit. Raises ConfigError unless all lists are equally long."""
    for name, column in columns.items():
        if isinstance(column, str | bytes | Mapping) or not isinstance(column, Sequence):
            raise ConfigError(f"judge: {name}: must be a list, as instruction is, got {type(column).__name__}")
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ConfigError(f"judge: lists of different lengths: {', '.join(f'{n} {size}' for n, size in sizes.items())}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _judging(judge: Config | str | Path, params: Mapping[str, Any]) -> Config:
    check_plain("", params)
    above = {f"reward_model.params.{key}": value for key, value in params.items()}
    if isinstance(judge, Config):
        return _config(judge, above)
    tree = {name: {"type": kind} for name, kind in (("benchmark", "procedural"), ("diffusion_model", "identity"))}
    if isinstance(judge, str) and not judge.endswith((".yaml", ".yml")):
        return load_mapping({**tree, "reward_model": {"type": judge, "params": params}}, "judge")
    return load_with(tree, "judge", Path(judge), Overrides(values=above))  # a file with nothing but a judge is enough


def _asked(number: int, row: Mapping[str, Any], uses_prompts: bool, config: Config) -> JudgeRequest:
    """The request about one edit. Raises ConfigError and ImageError."""

    def read(name: str, picture: object) -> bytes:
        return _source(number, picture, f"judge: {name}")()

    several = row["source"] if isinstance(row["source"], list | tuple) else [row["source"]]
    sources = tuple(BytesImage(read("source", one)) for one in several)
    if not sources or not isinstance(row["instruction"], str):
        raise ConfigError(f"judge: edit {number}: needs a source image and an instruction that is a text")
    target, mask = (row.get(name) for name in ("target", "mask"))
    sample = Sample(
        id=str(number),
        category=row.get("category") or "",
        images=sources,
        instruction=row["instruction"],
        target=None if target is None else BytesImage(read("target", target)),
        mask=None if mask is None else BytesImage(read("mask", mask)),
        metadata=row.get("metadata") or {},
        references=tuple(BytesImage(read("references", one)) for one in row.get("references") or ()),
        reference_text=row.get("reference_text") or "",
    )
    prompt = config.prompt_of(sample.category)
    if prompt is None and uses_prompts:
        raise ConfigError(f"judge: edit {number}: no prompt for the category {sample.category!r}; give a `protocol`")
    return judge_request(sample, [image.read() for image in sources], read("edited", row["edited"]), prompt)


def _scores(config: Config, stage: Stage, cls: type[Judge], asked: Sequence[JudgeRequest]) -> list[list[Score]]:
    """One list per request, of workers that live as long as this call."""
    gpus.forget()
    check_machine(config, [stage])
    check_stages(config, [stage])
    size = stage.execution.batch_size
    batches = {str(at): tuple(asked[at : at + size]) for at in range(0, len(asked), size)}
    spec = pool_spec(worker_spec(stage, config.allow_code), stage_devices(stage, cls)[: len(batches)], stage.execution)
    budget, found = BudgetLedger(), dict[str, list[Score]]()

    def hear(notice: PoolEvent) -> None:
        if notice.kind == "pay":
            pool.answer(notice, budget.settle(notice.data["bill"]))

    with tempfile.TemporaryDirectory(prefix="editeval-judge-") as folder:
        pool = Pool(spec, launcher(Path(folder), "judge", stage.execution), hear)
        with pool:
            for outcome in pool.run(list(batches), batches.__getitem__, stage.execution.policy):
                found |= {scores[0].sample_id: scores for scores in outcome.value or ()}
                if outcome.error is not None:
                    why, metrics = outcome.error, cls.metrics_of(stage.params)
                    for request in batches[outcome.key]:
                        row = [Score(request.key, stage.type, name, None, why.message, why.reason) for name in metrics]
                        found[request.key] = row
    return [found[request.key] for request in asked]


def _source(position: int, image: object, where: str = "batch_edit: image") -> Callable[[], bytes]:
    """How to get the encoded bytes of an image: when a worker is about to need them, not before."""
    from PIL.Image import Image

    if isinstance(image, bytes):
        return BytesImage(image).read
    if isinstance(image, str | Path):
        return FileImage(Path(image)).read
    if isinstance(image, Image):
        kept = image
        return lambda: encode_png(kept if kept.mode in _PNG_MODES else kept.convert("RGB"))
    raise ConfigError(f"{where} {position}: must be a PIL image, bytes or a path, got {type(image).__name__}")


def _heard(settings: Logging) -> AbstractContextManager[None]:
    """The lines of the log contract reach a log file and the terminal, unless the program has its own logging."""
    return nullcontext() if log.hasHandlers() else pipeline.logs(settings, logging.StreamHandler(sys.stderr))


def _check_arguments(instructions: Sequence[object], enable_batch_sync: object, on_error: object, seed: object) -> None:
    if isinstance(instructions, str) or not all(isinstance(text, str) for text in instructions):
        raise ConfigError(f"batch_edit: instructions must be a list of texts, got {instructions!r}")
    if enable_batch_sync is not None and not isinstance(enable_batch_sync, bool):
        raise ConfigError(f"batch_edit: enable_batch_sync must be True or False, got {enable_batch_sync!r}")
    if on_error not in ("raise", "none"):
        raise ConfigError(f'batch_edit: on_error must be "raise" or "none", got {on_error!r}')
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"batch_edit: seed: must be a whole number from 0 on, got {seed!r}")


def check_plain(where: str, values: Mapping[str, object]) -> None:
    """Raises ConfigError for what no configuration could hold; in a call of `batch_edit`, for paths as well."""
    for key, value in values.items():
        try:
            json.dumps(value, allow_nan=False, default=None if where else os.fspath)
        except (TypeError, ValueError) as error:
            what = "must be a plain value or a list or mapping of them"
            raise ConfigError(f"{where}{key}: {what}, got {value!r}: {error}") from error


def _config(config: Config | str | Path, overrides: Mapping[str, object]) -> Config:
    if isinstance(config, Config):
        if overrides:
            raise ConfigError("overrides go with a configuration file, not with a Config that is already resolved")
        return config
    check_plain("", overrides)
    return load_config(Path(config), Overrides(values=overrides))
