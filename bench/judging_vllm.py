"""The part of the judging bench that runs on vLLM: the engine of the judge vllm_vlm, with `load_format: dummy`."""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import judging_models
from editeval.judges.chat.messages import NUM_TOKENS
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import Call
from editeval.judges.vllm_vlm import VllmEngine, VllmVlmJudge, VllmVlmParams
from judging_models import timed


class Vllm:
    """One loaded model. Every timed batch starts with empty caches."""

    def __init__(self, options: argparse.Namespace, name: str) -> None:
        import vllm

        self.reply_tokens = options.reply_tokens
        draw = functools.partial(vllm.SamplingParams, ignore_eos=True)  # every written reply has exactly its limit
        package = SimpleNamespace(LLM=vllm.LLM, SamplingParams=draw, sampling_params=vllm.sampling_params)
        folder = judging_models.snapshot(name, Path(tempfile.mkdtemp(prefix="judging-")))
        engine: dict[str, Any] = {"load_format": "dummy", "max_num_seqs": 3 * max(options.batches)}
        engine |= {"mm_processor_cache_gb": 0}
        engine |= {"enforce_eager": True} if options.tiny else {}
        given = {"dtype": "float32" if options.tiny else "bfloat16", "max_model_len": 4096 if options.tiny else 8192}
        params = VllmVlmParams(str(folder), engine=engine, max_new_tokens=options.reply_tokens, **given)  # type: ignore[arg-type]
        self.judge = VllmVlmJudge(params, package)
        start = time.perf_counter()
        self.judge.load(["cpu" if options.tiny else "cuda:0"])
        self.made_s = time.perf_counter() - start
        self.requests = judging_models.requests(max(options.batches), options.side)

    def measure(self, batches: Sequence[int]) -> dict[str, Any]:
        """The part, as the table wants it."""
        rows = [self.row(batch) for batch in batches]
        notes = [
            f"ready after {self.made_s:.1f} s; reading and preparing the pictures is included in every number",
            "caches are emptied before every batch; what the three questions of a judgement share is computed once",
        ]
        self.judge.unload()
        return {"rows": rows, "notes": notes}

    def row(self, batch: int) -> dict[str, Any]:
        """Whole judgements, one question by its label, the same one in writing."""
        label, written = (
            SamplingParams("labels", NUM_TOKENS, is_expected=True),
            SamplingParams("rationale", self.reply_tokens),
        )
        return {
            "batch": batch,
            "judgements_s": batch / timed(lambda: self._run(batch, 3, label)),
            "prompts_s": batch / timed(lambda: self._run(batch, 1, label)),
            "replies_s": batch / timed(lambda: self._run(batch, 1, written)),
        }

    def _run(self, batch: int, num_questions: int, sampling: SamplingParams) -> None:
        runner = self.judge.runner
        assert runner is not None and isinstance(runner.backend, VllmEngine)
        engine = runner.backend
        engine._llm.reset_prefix_cache()
        for cache in ("reset_mm_cache", "reset_encoder_cache"):
            getattr(engine._llm.llm_engine, cache)()
        calls = []
        for request in self.requests[:batch]:
            for question, _, prompt in runner.plan(request).asked[:num_questions]:
                calls.append(Call((0, question.name, 0), request.key, prompt, sampling))
        replies = engine.complete(calls)
        problems = [reply.message for reply in replies if reply.problem]
        if problems:
            raise SystemExit(problems[0])
