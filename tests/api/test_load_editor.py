"""editeval from Python: `load_editor`, `batch_edit`, `evaluate`."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import editeval
from editeval.api import BatchEditor, load_editor
from editeval.config.load import load_mapping
from editeval.errors import ConfigError, EditBatchError, MachineError
from editeval.execution.ray import cluster
from editeval.images import encode_png
from fakes.fake_editor import FakeParams
from fakes.image_server import ImageServer

YAML = """\
benchmark:
  type: procedural
  params: {num_per_category: 1, size: 64}
diffusion_model:
  type: fakes.fake_editor
  params: {device_ids: [cpu], seed: 7, seconds: 0.001}
reward_model:
  type: reference
  params: {device_ids: [cpu]}
logging: {console_output: false}
"""
Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def consent_and_an_empty_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("EDITEVAL_ALLOW_CODE", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.INFO, logger="editeval")

    def said() -> list[str]:
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    return said


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchEditor]:
    """One editor on two CPU workers for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("editor")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("EDITEVAL_ALLOW_CODE", "1")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
        made = load_editor(
            "fakes.fake_editor", device_ids=["cpu", "cpu"], seed=100, refuse=["1"], slow={"0": 0.1}, seconds=0.001
        )
    with made:
        yield made


def picture(colour: str, size: tuple[int, int] = (12, 8)) -> Image.Image:
    return Image.new("RGB", size, colour)


def seeds(images: list[Image.Image | None]) -> list[int | None]:
    """What the fake editor writes into the first pixel."""
    return [i and i.getpixel((0, 0))[0] + 256 * i.getpixel((0, 0))[1] for i in images]


def test_images_come_back_in_input_order_from_pil_bytes_and_paths(editor: BatchEditor, tmp_path: Path) -> None:
    path = tmp_path / "lime.png"
    picture("lime", (9, 9)).save(path)
    images = [picture("red", (5, 4)), picture("navy"), encode_png(picture("blue", (6, 4))), path, str(path)]
    texts = ["a", "never", "ccc", "dddd", "eeeee"]
    found = editor.batch_edit(images, texts, on_error="none")
    assert [i and i.size for i in found] == [(5, 4), None, (6, 4), (9, 9), (9, 9)]
    assert [i and i.getpixel((3, 3)) for i in found] == [
        (255, 0, 0),
        None,
        (0, 0, 255),
        (0, 255, 0),
        (0, 255, 0),
    ]
    assert [i and i.getpixel((0, 0))[2] for i in found] == [1, None, 3, 4, 5], "each with its own instruction"


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"])
def test_pictures_of_every_mode_are_taken(editor: BatchEditor, mode: str) -> None:
    image = Image.new("L", (6, 5), 255).convert("RGB").convert(mode) if mode != "LAB" else Image.new("LAB", (6, 5))
    (found,) = editor.batch_edit([image], ["x"])
    assert found is not None and (found.mode, found.size) == ("RGB", (6, 5))


def test_the_seed_is_the_base_seed_plus_the_position(editor: BatchEditor) -> None:
    images, texts = [picture("red")] * 4, ["x"] * 4
    assert seeds(editor.batch_edit(images, texts, on_error="none")) == [100, None, 102, 103]
    assert seeds(editor.batch_edit(images, texts, on_error="none", seed=42)) == [42, None, 44, 45]
    assert seeds(editor.batch_edit(images, texts, on_error="none", seed=2**31 - 1)) == [65535, None, 1, 2]
    assert seeds(editor.batch_edit(images, texts, False, "none", seed=0)) == [0, None, 2, 3]


@pytest.mark.parametrize("seed", [-1, 1.5, "42", True, None])
def test_a_seed_that_is_none_is_one_line(editor: BatchEditor, seed: Any) -> None:
    with pytest.raises(ConfigError, match="batch_edit: seed: must be a whole number from 0 on, got "):
        editor.batch_edit([picture("red")], ["x"], seed=seed)


def test_a_failed_edit_raises_after_the_batch_and_carries_every_outcome(editor: BatchEditor) -> None:
    with pytest.raises(EditBatchError, match="1 of 3 edits failed; first: 1: I would rather not") as caught:
        editor.batch_edit([picture("red")] * 3, ["x"] * 3)
    outcomes = caught.value.outcomes
    assert [o.key for o in outcomes] == ["0", "1", "2"]
    assert [o.error.reason if o.error else None for o in outcomes] == [None, "refused", None]
    assert [o.value is None for o in outcomes] == [False, True, False]


def test_a_broken_picture_fails_alone_and_is_never_returned(editor: BatchEditor, tmp_path: Path) -> None:
    images = [b"no picture", picture("red"), tmp_path / "absent.png", picture("red")]
    found = editor.batch_edit(images, ["x"] * 4, on_error="none")
    assert [image is None for image in found] == [True, True, True, False]
    with pytest.raises(EditBatchError) as caught:
        editor.batch_edit(images, ["x"] * 4)
    assert [o.error and o.error.reason for o in caught.value.outcomes] == ["bad_source", "refused", "bad_source", None]


def test_the_keyword_decides_synchronisation_for_one_call(editor: BatchEditor, lines: Lines) -> None:
    images, texts = [picture("red")] * 4, ["x"] * 4
    editor.batch_edit(images, texts, on_error="none")
    default = lines()
    assert default[:2] == [
        "[FakeEditor] Starting batch edit: 4 images on 2 GPUs",
        "  🔄 Batch synchronization: ENABLED ✅",
    ]
    assert [line for line in default if line.startswith("Batch ")] == [
        "Batch 1/2 done, GPUs synced ✓",
        "Batch 2/2 done, GPUs synced ✓",
    ]
    editor.batch_edit(images, texts, enable_batch_sync=False, on_error="none")
    free = lines()
    assert free[1] == "  🔄 Batch synchronization: DISABLED ⚠️"
    assert any(line.startswith("[NO-SYNC] Editing images: 100%") for line in free)
    assert not any(line.startswith("Batch ") for line in free)
    editor.batch_edit(images, texts, on_error="none")
    assert lines()[1] == "  🔄 Batch synchronization: ENABLED ✅", "the next call is as configured again"


def test_nothing_to_edit_is_an_empty_list(editor: BatchEditor) -> None:
    assert editor.batch_edit([], []) == []


@pytest.mark.parametrize(
    ("images", "texts", "options", "words"),
    [
        (["a.png"], [], {}, "batch_edit: 1 images with 0 instructions; one each"),
        ([], [], {"on_error": "source"}, 'batch_edit: on_error must be "raise" or "none", got \'source\''),
        ([b"", 7], ["x", "x"], {}, "batch_edit: image 1: must be a PIL image, bytes or a path, got int"),
        (
            [b""],
            ["x"],
            {"strength": float("nan")},
            "batch_edit: strength: must be a plain value or a list or mapping of them, ",
        ),
        (
            [b""],
            ["x"],
            {"generator": {1, 2}},
            "batch_edit: generator: must be a plain value or a list or mapping of them, ",
        ),
    ],
)
def test_a_wrong_call_is_one_line_and_edits_nothing(
    editor: BatchEditor, lines: Lines, images: list[Any], texts: list[str], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        editor.batch_edit(images, texts, **options)
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)
    assert lines() == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"sede": 1}, "did you mean 'seed'?"),
        ({"device_ids": ["gpu"]}, "must be GPU numbers, 'cuda:N' or 'cpu', got 'gpu'"),
        ({"seconds": "long"}, "seconds"),
        ({"notes": object()}, "notes: must be a plain value"),
    ],
)
def test_a_wrong_keyword_is_one_line(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_editor("fakes.fake_editor", **{"device_ids": ["cpu"], **params})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_type_foreign_code_and_a_missing_gpu_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'identity'"):
        load_editor("identiti")
    with pytest.raises(MachineError, match="device_ids: no cuda:99 on this machine"):
        load_editor("identity", device_ids=[99])
    monkeypatch.delenv("EDITEVAL_ALLOW_CODE")
    with pytest.raises(ConfigError, match="code from outside editeval"):
        load_editor("fakes.fake_editor", device_ids=["cpu"])
    assert list(Path().iterdir()) == []


def test_an_editor_on_several_servers_has_a_worker_for_each() -> None:
    with ImageServer() as first, ImageServer() as second:
        urls = [first.url, second.url]
        with load_editor("openai_images", base_urls=urls, model="tiny-edit", size="96x96") as made:
            assert made.num_workers == 2
            made.batch_edit([picture("red")] * 4, ["x"] * 4)
        assert (len(first.calls), len(second.calls)) == (2, 2)


class TwoGpus:
    """A cluster."""

    address = "head:6379"

    def num_gpus(self, per_worker: int = 1) -> int:
        return 2 // per_worker * per_worker


def test_gpus_that_a_cluster_has_not_are_named_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "connect", lambda address: TwoGpus())
    model = {"type": "identity", "params": {"device_ids": [0, 1, 2, 3]}, "execution": {"backend": "ray"}}
    config = load_mapping({"benchmark": {"type": "procedural"}, "diffusion_model": model}, "here")
    with pytest.raises(MachineError, match=r"no GPU 2, 3: the Ray cluster head:6379 has 2 GPUs"):
        load_editor(config)


def test_the_parameter_disables_synchronisation_and_the_keyword_enables_it(lines: Lines) -> None:
    with load_editor("fakes.fake_editor", device_ids=["cpu", "cpu"], enable_batch_sync=False) as free:
        free.batch_edit([picture("red")] * 2, ["x"] * 2)
        assert "  🔄 Batch synchronization: DISABLED ⚠️" in lines()
        free.batch_edit([picture("red")] * 2, ["x"] * 2, enable_batch_sync=True)
        assert "  🔄 Batch synchronization: ENABLED ✅" in lines()


def test_a_configuration_file_gives_its_editor_and_keywords_win_over_it(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    with load_editor("small.yaml") as made:
        assert (type(made).__name__, made.num_workers) == ("FakeEditor", 1)
        assert seeds(made.batch_edit([picture("red")], ["x"])) == [7]
    odd = "wait... for: it, 'x' \"y\" # \\ 蓝 " + "long " * 40 + "..."
    with load_editor(path, seed=9, device_ids=["cpu", "cpu"], notes="", refuse=["0"], raises=[odd]) as made:
        assert made.num_workers == 2 and made.stage.params.raises == [odd]
        assert seeds(made.batch_edit([picture("red")] * 2, ["x"] * 2, on_error="none")) == [None, 10]


def test_the_old_type_gives_an_object_with_the_old_name(lines: Lines, tmp_path: Path) -> None:
    model = {"type": "multi_gpu_qwen_image_edit", "params": {"device_ids": [0, 1, 2, 3, 4, 5]}}
    config = load_mapping({"benchmark": {"type": "procedural"}, "diffusion_model": model}, "v2", environ={})
    stage = config.diffusion_model
    assert (stage.log_name, stage.execution.policy) == ("MultiGPUQwenImageEdit", "batch_sync")
    on_cpus = replace(stage.execution, device_ids=("cpu",) * 3)
    fake = replace(stage, type="fakes.fake_editor", params=FakeParams(), execution=on_cpus)
    with load_editor(replace(config, diffusion_model=fake, allow_code=True)) as made:
        assert type(made).__name__ == "MultiGPUQwenImageEdit" and isinstance(made, BatchEditor)
        made.batch_edit([picture("red")] * 4, ["x"] * 4)
        names = sorted(path.name for path in made.logs.glob("*worker*"))
    assert [line for line in lines() if line.startswith(("[Multi", "Batch"))] == [
        "[MultiGPUQwenImageEdit] Starting batch edit: 4 images on 3 GPUs",
        "Batch 1/2 done, GPUs synced ✓",
        "Batch 2/2 done, GPUs synced ✓",
    ]
    assert names == [f"MultiGPUQwenImageEdit-edit-worker{i}.log" for i in range(3)]


def test_closing_ends_the_processes(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    made = load_editor("fakes.fake_editor", device_ids=["cpu", "cpu"], notes=notes)
    pids = {path.name.split("-")[1] for path in notes.glob("loaded-*")}
    assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    made.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    made.close()


def test_a_model_that_cannot_be_loaded_is_a_machine_error_with_its_reason() -> None:
    with pytest.raises(MachineError, match=r"worker 0 on cpu: fakes\.fake_editor cannot be loaded: .*no checkpoint"):
        load_editor("fakes.fake_editor", device_ids=["cpu"], cannot_load="no checkpoint")


def test_nothing_is_written_into_the_callers_folder_unless_asked(tmp_path: Path) -> None:
    with load_editor("fakes.fake_editor", device_ids=["cpu"]) as made:
        made.batch_edit([picture("red")], ["x"])
        assert list(made.logs.glob("*-worker0.log"))
    assert not list(tmp_path.iterdir()) and not made.logs.exists()
    path = tmp_path / "small.yaml"
    path.write_text(YAML + f"evaluation: {{output_dir: {tmp_path / 'asked'}}}\n", encoding="utf-8")
    with load_editor(path) as made:
        made.batch_edit([picture("red")], ["x"])
    assert list((tmp_path / "asked" / "logs").glob("FakeEditor-edit-worker0.log"))


def test_the_logs_of_what_failed_stay_and_are_named(tmp_path: Path) -> None:
    made = load_editor("fakes.fake_editor", device_ids=["cpu"], refuse=["0"])
    with made, pytest.raises(EditBatchError, match=f"worker logs: {made.logs}$"):
        made.batch_edit([picture("red")], ["x"])
    assert list(made.logs.glob("*-worker0.log"))
    with pytest.raises(MachineError, match=r"no checkpoint.*; worker logs: ") as error:
        load_editor("fakes.fake_editor", device_ids=["cpu"], cannot_load="no checkpoint")
    logs = Path(str(error.value).rpartition("worker logs: ")[2])
    assert list(logs.glob("*-worker0.log")) and not list(tmp_path.iterdir())


def test_evaluate_takes_a_file_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    overrides = {
        "evaluation.limit": 2,
        "evaluation.output_dir": tmp_path / "there...",
        "diffusion_model.type": "identity",
    }
    result = editeval.evaluate("small.yaml", overrides)
    assert result.exit_code == 0 and result.path.parent == tmp_path / "there..."
    samples = (result.path / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["scores"]["overall"]["value"] for line in samples] == [0.0, 0.0]


def test_wrong_overrides_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(YAML, encoding="utf-8")
    for overrides, words in (
        ({"evaluation.limt": 2}, "did you mean"),
        ({"evaluation.limit": {1, 2}}, "limit"),
        ({"evaluation.output_dir": object()}, "evaluation.output_dir: must be a plain value"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            editeval.evaluate("small.yaml", overrides)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="overrides go with a configuration file, not with a resolved Config"):
        editeval.evaluate(
            load_mapping({"benchmark": {"type": "procedural"}, "diffusion_model": {"type": "identity"}}, "x"),
            {"evaluation.limit": 2},
        )
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        editeval.evaluate("absent.yaml")
