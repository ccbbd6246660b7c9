"""A table of several runs compares only what can be compared."""

from __future__ import annotations

from pathlib import Path

from command_line import cli

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


def test_runs_of_different_benchmarks_are_refused_and_other_judgings_are_told_apart(tmp_path: Path) -> None:
    runs = {}
    for name, size, tone in (("one", 64, 15), ("larger", 96, 15), ("strict", 64, 0)):
        (tmp_path / f"{name}.yaml").write_text(CONFIG.format(size=size, tone=tone), encoding="utf-8")
        assert cli("run", f"{name}.yaml", cwd=tmp_path).returncode == 0
        (runs[name],) = map(str, (tmp_path / "out").glob(f"{name}-*"))
    table = ("--to", "tex", "--output", "-")
    done = cli("export", runs["one"], runs["larger"], *table, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "are runs of different benchmarks" in done.stderr
    done = cli("export", runs["one"], runs["strict"], *table, cwd=tmp_path)
    assert done.returncode == 0 and "judged differently" in done.stdout and "textbf" not in done.stdout
