"""A table of several runs compares only what can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from editeval.cli.main import main

CONFIG = """\
benchmark: {{type: procedural, params: {{num_per_category: 1, size: {size}}}}}
diffusion_model: {{type: identity, params: {{device_ids: [cpu]}}, execution: {{backend: inprocess}}}}
reward_model:
  type: reference
  params: {{device_ids: [cpu], forgiven_tone: {tone}}}
  execution: {{backend: inprocess}}
evaluation: {{output_dir: out}}
logging: {{console_output: false}}
"""


def test_runs_of_different_benchmarks_are_refused_and_other_judgings_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def cli(*arguments: str) -> tuple[object, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    runs = {}
    for name, size, tone in (("one", 64, 15), ("larger", 96, 15), ("strict", 64, 0)):
        Path(f"{name}.yaml").write_text(CONFIG.format(size=size, tone=tone), encoding="utf-8")
        cli("run", f"{name}.yaml")
        runs[name] = str(next(path for path in Path("out").glob(f"{name}-*")))
    code, out, err = cli("export", runs["one"], runs["larger"], "--to", "tex", "--output", "-")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "are runs of different benchmarks" in err
    code, out, _ = cli("export", runs["one"], runs["strict"], "--to", "tex", "--output", "-")
    assert code == 0 and "judged differently" in out and "textbf" not in out
