"""`editeval doctor`: a planted bad combination is named, with its remedy; nothing is imported or asked for."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from editeval.cli import doctor
from editeval.machine import gpus, host, hub, known_issues, versions

HEAVY = ("torch", "transformers", "diffusers", "vllm", "ray", "numpy", "PIL", "pydantic", "rich", "scipy")
GOOD = {
    "python": "3.12.12",
    "sqlite": "3.51.3",
    "diffusers": "0.43.0",
    "transformers": "5.2.0",
    "huggingface-hub": "1.33.0",
    "torch": "2.15.0+cu130",
    "pillow": "13.0.0",
    "ray": "2.60.0",
}
PLANTED = {
    "qwen-image-edit-positions": ({"diffusers": "0.42.1", "transformers": "5.23.0"}, "corrected"),
    "qwen-image-edit-positions-served": ({"vllm-omni": "0.30.0", "transformers": "5.14.1"}, "broken"),
    "transformers-4-with-new-diffusers": ({"diffusers": "0.42.1", "transformers": "4.57.1"}, "broken"),
    "huggingface-hub-too-old": ({"diffusers": "0.42.1", "huggingface-hub": "0.36.0"}, "broken"),
    "huggingface-hub-too-new": ({"transformers": "4.57.1", "huggingface-hub": "1.33.0"}, "broken"),
    "torch-load-runs-code": ({"torch": "2.5.1+cu124"}, "broken"),
    "torch-slow-conv3d": ({"torch": "2.9.1"}, "advice"),
    "vllm-pins": ({"vllm": "0.33.0", "torch": "2.15.0"}, "broken"),
    "vllm-omni-pins": ({"vllm-omni": "0.30.0", "transformers": "5.15.0"}, "broken"),
    "sglang-pins": ({"sglang": "0.5.23", "diffusers": "0.42.1"}, "broken"),
    "vllm-known-attacks": ({"vllm": "0.18.1"}, "advice"),
    "ray-dashboard-attack": ({"ray": "2.51.2"}, "advice"),
    "pillow-bombs": ({"pillow": "12.1.1"}, "corrected"),
    "python-tarfile": ({"python": "3.11.7"}, "advice"),
    "sqlite-wal-reset": ({"sqlite": "3.40.1"}, "corrected"),
    "torch-without-cuda": ({"torch-cpu-build": "1", "gpus": "2"}, "advice"),
    "driver-too-old-for-torch": ({"torch-cuda": "13.0", "driver": "570.86.15"}, "broken"),
    "gpu-in-mig-mode": ({"mig": "1"}, "advice"),
}


def names(problems: list[known_issues.KnownIssue]) -> list[str]:
    return [problem.name for problem in problems]


# -- the table ---------------------------------------------------------------------------------------------------------


def test_every_rule_is_planted_here() -> None:
    assert set(PLANTED) == {rule.name for rule in known_issues.RULES}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_combination_is_named_with_its_versions_and_remedy(name: str) -> None:
    planted, severity = PLANTED[name]
    problem = next(p for p in known_issues.problems(GOOD | planted) if p.name == name)
    assert problem.severity == severity
    assert all(f"{package} {version}" in problem.found for package, version in planted.items())
    assert problem.remedy and problem.line().startswith(f"{name} (")


def test_a_sound_machine_has_no_problems() -> None:
    assert known_issues.problems(GOOD) == []
    assert (
        known_issues.problems(GOOD | {"vllm": "0.32.0", "torch": "2.13.0", "transformers": "5.19.0", "mig": "0"}) == []
    )
    vllm = {"vllm": "0.33.0", "torch": "2.14.0+cu130", "transformers": "5.20.2", "diffusers": "0.43.0"}
    assert known_issues.problems(GOOD | vllm) == []


def test_the_worst_comes_first() -> None:
    found = known_issues.problems(GOOD | {"python": "3.11.7", "sqlite": "3.40.1", "torch": "2.5.1"})
    assert [p.severity for p in found] == ["broken", "corrected", "advice"]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["qwen_image_edit", "reference"], ["transformers-4-with-new-diffusers", "huggingface-hub-too-new"]),
        (["qwen_image_edit_plus"], ["transformers-4-with-new-diffusers", "huggingface-hub-too-new"]),
        (["transformers_vlm"], ["huggingface-hub-too-new"]),
        (["classical", "reference"], []),
        (["openai_images"], []),
        (["vllm_vlm"], ["vllm-pins"]),
        (["my_code.qwen_image_edit_tuned"], ["transformers-4-with-new-diffusers", "huggingface-hub-too-new"]),
    ],
)
def test_a_run_hears_only_of_what_its_plugins_use(types: list[str], expected: list[str]) -> None:
    bad = {"diffusers": "0.42.1", "transformers": "4.57.1", "vllm": "0.33.0", "sglang": "0.5.23"}
    found = known_issues.problems(GOOD | bad, types)
    assert names([p for p in found if p.severity == "broken"]) == expected


def test_an_unknown_severity_or_condition_cannot_be_in_the_table() -> None:
    for rule in known_issues.RULES:
        assert rule.severity in known_issues.SEVERITIES and rule.what and rule.remedy
        for condition in rule.when:
            versions.matches(condition, {})


# -- conditions on versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "version", "holds"),
    [
        ("a<=0.42.1", "0.42.1", True),
        ("a<=0.42.1", "0.42.2", False),
        ("a<0.42", "0.9.0", True),
        ("a<3.11.13", "3.11.7", True),
        ("a<2.6", "2.14.0+cu130", False),
        ("a>=5.3", "5.3.0rc1", True),
        ("a>=5.3", "5.3", True),
        ("a==2.9", "2.9.1", True),
        ("a==2.9", "2.90", False),
        ("a!=2.14.0", "2.14.0+cpu", False),
        ("a!=2.14.0", "2.14.1", True),
        ("a==2.14.0", "2.14", True),
        ("a>1,a<2", "1.5", True),
        ("a>1,a<2", "2.5", False),
        ("a>1", "unknown", False),
        ("b>1", "2", False),
    ],
)
def test_a_condition_compares_numbers_not_text(condition: str, version: str, holds: bool) -> None:
    assert versions.matches(condition, {"a": version}) == (("a",) if holds else ())


@pytest.mark.parametrize("condition", ["a", "a~=1", "a>=", "a>=x", "", "a >= 1"])
def test_a_condition_that_means_nothing_is_an_error(condition: str) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        versions.matches(condition, {})


# -- the machine -------------------------------------------------------------------------------------------------------


def driver(folder: Path, script: str) -> dict[str, str]:
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return {"PATH": str(folder)}


def test_checkpoints_in_the_cache_have_sizes_and_unfinished_ones_are_marked(tmp_path: Path) -> None:
    for name, blob, size in (("models--a--big", "x", 3 << 20), ("models--b--part", "y.incomplete", 1 << 20)):
        (tmp_path / name / "blobs").mkdir(parents=True)
        (tmp_path / name / "snapshots" / "abc").mkdir(parents=True)
        with (tmp_path / name / "blobs" / blob).open("wb") as file:
            file.truncate(size * 1024)
    (tmp_path / "datasets--c--d").mkdir()
    (tmp_path / "models--e--empty").mkdir()
    assert hub.checkpoints(tmp_path) == [
        hub.CheckpointFolder("a/big", 3.0, 1, True),
        hub.CheckpointFolder("b/part", 1.0, 1, False),
        hub.CheckpointFolder("e/empty", 0.0, 0, False),
    ]
    assert hub.checkpoints(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(environ: dict[str, str], folder: str) -> None:
    assert hub.cache_folder(environ) == Path(folder)


def test_environments_made_for_stages_are_listed_and_half_built_ones_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("0123456789abcdef", "fedcba9876543210"):
        (tmp_path / "editeval" / "environments" / name).mkdir(parents=True)
    mark = {"requirements": ["torch==2.13.0", "vllm"], "built_at": 5.0}
    (tmp_path / "editeval" / "environments" / "0123456789abcdef" / "editeval.json").write_text(json.dumps(mark))
    doctor.doctor(Namespace(output_dir=tmp_path, json=False))
    text = capsys.readouterr().out
    assert "0123456789abcdef  torch==2.13.0, vllm" in text and "fedcba9876543210  HALF-BUILT" in text
    doctor.doctor(Namespace(output_dir=tmp_path, json=True))
    listed = json.loads(capsys.readouterr().out)["environments"]
    assert [(e["requirements"], e["complete"]) for e in listed] == [(["torch==2.13.0", "vllm"], True), ([], False)]


def test_free_space_is_that_of_the_folder_to_come(tmp_path: Path) -> None:
    disk = host.disk(tmp_path / "not" / "yet")
    assert disk is not None and 0 < disk.free_gib <= disk.total_gib


# -- the command -------------------------------------------------------------------------------------------------------


def plant(folder: Path, packages: dict[str, str]) -> Path:
    """Packages that are installed as far as metadata tell."""
    for name, version in packages.items():
        place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def run(folder: Path, code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"HF_HUB_CACHE": str(folder / "cache"), "PATH": "/nowhere"}
    environ["PYTHONPATH"] = os.pathsep.join([*map(str, paths), str(Path(doctor.__file__).parents[2])])
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


CODE = (
    "import sys; from argparse import Namespace; from editeval.cli.doctor import doctor; "
    "code = doctor(Namespace(output_dir='out', json={json}))\n"
)


def test_an_installed_bad_combination_is_found_and_exits_with_2(tmp_path: Path) -> None:
    site = plant(tmp_path / "site", {"diffusers": "0.42.1", "transformers": "4.57.1", "huggingface-hub": "0.36.0"})
    done = run(tmp_path, CODE.format(json=False) + "sys.exit(code)", site)
    assert done.returncode == 2, done.stderr
    assert "[BROKEN] transformers-4-with-new-diffusers: transformers 4.57.1, diffusers 0.42.1" in done.stdout
    assert "-> pip install 'transformers>=5.0'" in done.stdout
    assert "gpu          none: no nvidia-smi on the PATH" in done.stdout


def test_what_editeval_corrects_is_named_and_exits_with_0(tmp_path: Path) -> None:
    site = plant(tmp_path / "site", {"diffusers": "0.42.1", "transformers": "5.23.0", "huggingface-hub": "1.33.0"})
    done = run(tmp_path, CODE.format(json=True) + "sys.exit(code)", site)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["versions"]["transformers"] == "5.23.0" and report["gpus"] == []
    positions = next(p for p in report["problems"] if p["name"] == "qwen-image-edit-positions")
    assert positions["severity"] == "corrected" and "diffusers 0.42.1" in positions["found"]


def cpu_s() -> float:
    """What the processes that this one has started and waited for have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_it_is_cheap_and_imports_no_library(tmp_path: Path) -> None:
    code = CODE.format(json=False) + f"sys.stderr.write(repr(sorted(set(sys.modules) & set({HEAVY!r}))))"
    seconds = []
    for _ in range(3):
        before = cpu_s()
        done = run(tmp_path, code)
        seconds.append(cpu_s() - before)
        assert done.stderr == "[]"
    assert min(seconds) < 1.5, f"doctor takes {min(seconds):.2f} s of CPU"


@pytest.mark.parametrize(
    ("torch", "driver_version", "expected"),
    [
        ("2.13.0+cu130", "570.86.15", ["driver-too-old-for-torch"]),
        ("2.13.0+cu130", "580.95.05", []),
        ("2.13.0+cu126", "570.86.15", []),
        ("2.13.0+cu126", "520.61.05", ["driver-too-old-for-torch"]),
        ("2.13.0+cpu", "580.95.05", ["torch-without-cuda"]),
        ("2.13.0", "450.0", []),
    ],
)
def test_a_torch_that_does_not_fit_the_driver_is_named(
    torch: str, driver_version: str, expected: list[str], tmp_path: Path
) -> None:
    found, _ = gpus.gpus(
        driver(tmp_path, f"echo '0, GPU-a, NVIDIA H200, 143771, 0, 143771, {driver_version}, Disabled'")
    )
    facts = GOOD | {"torch": torch} | versions.build_of(torch) | gpus.facts(found)
    assert names(known_issues.problems(facts)) == expected


def test_a_split_gpu_is_seen(tmp_path: Path) -> None:
    environ = driver(tmp_path, "echo '0, GPU-a, NVIDIA H200, 143771, 0, 143771, 580.95.05, Enabled'")
    found = doctor.diagnose(tmp_path, environ | {"HF_HUB_CACHE": str(tmp_path)})
    assert "gpu-in-mig-mode" in names(found.problems) and found.gpus[0].is_split


# -- what a run makes of it --------------------------------------------------------------------------------------------

CONFIG = """
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: %s, params: {device_ids: [cpu]}}
evaluation: {output_dir: out}
"""


def start(folder: Path, editor: str, site: Path) -> subprocess.CompletedProcess[str]:
    (folder / "run.yaml").write_text(CONFIG % editor)
    return run(folder, "import sys; from editeval.cli.main import main; sys.exit(main(['run', 'run.yaml']))", site)


def test_a_run_refuses_a_combination_that_editeval_cannot_correct(tmp_path: Path) -> None:
    site = plant(tmp_path / "site", {"diffusers": "0.42.1", "transformers": "4.57.1", "huggingface-hub": "1.33.0"})
    done = start(tmp_path, "qwen_image_edit", site)
    assert done.returncode == 2
    beginning = "editeval: transformers-4-with-new-diffusers (transformers 4.57.1, diffusers 0.42.1): "
    (line,) = [said for said in done.stderr.splitlines() if said.startswith(beginning)]
    assert "Traceback" not in done.stderr
    assert "pip install 'transformers>=5.0'" in line
    assert not (tmp_path / "out").exists(), "nothing was begun"


def test_a_run_whose_plug_ins_are_not_concerned_goes_on(tmp_path: Path) -> None:
    site = plant(tmp_path / "site", {"diffusers": "0.42.1", "transformers": "4.57.1", "huggingface-hub": "1.33.0"})
    done = start(tmp_path, "identity", site)
    assert done.returncode == 0, done.stderr
