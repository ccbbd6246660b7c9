"""A model's content as a digest: what counts, what does not, and how little is read of what is large."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from editeval.errors import MachineError
from editeval.machine import digest
from editeval.machine.digest import digest_of, looks_like_a_model

GIB = 1 << 30


def safetensors(path: Path, num_tensors: int, tensor_bytes: int) -> int:
    """A sparse file with a true header; returns where its data begin."""
    names = {
        f"block.{n}.weight": {
            "dtype": "BF16",
            "shape": [tensor_bytes // 2],
            "data_offsets": [n * tensor_bytes, (n + 1) * tensor_bytes],
        }
        for n in range(num_tensors)
    }
    header = json.dumps(names).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + num_tensors * tensor_bytes)
    return 8 + len(header)


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def checkpoint(folder: Path) -> Path:
    (folder / "transformer").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "X"}')
    (folder / "transformer" / "config.json").write_text("{}")
    safetensors(folder / "transformer" / "diffusion.safetensors", 4, 8 << 20)
    return folder


def test_sixty_gib_cost_a_few_mib_of_reading(tmp_path: Path) -> None:
    for shard in range(12):
        safetensors(tmp_path / f"model-{shard:05}-of-00012.safetensors", 160, 32 << 20)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) >= 60 * GIB
    first = digest_of(tmp_path)
    assert first.num_bytes_read < 32 << 20
    begin = safetensors(tmp_path / "model-00007-of-00012.safetensors", 160, 32 << 20)
    assert digest_of(tmp_path).text == first.text
    put(tmp_path / "model-00007-of-00012.safetensors", begin + 31 * (32 << 20), b"\x01" * (32 << 20))
    second = digest_of(tmp_path)
    assert second.text != first.text, "one tensor of 1920 was trained"
    assert [name for name in first.files if first.files[name] != second.files[name]] == [
        "model-00007-of-00012.safetensors"
    ]


def test_weights_of_another_format_are_sampled_from_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with path.open("wb") as file:
        file.truncate(2 * GIB)
    first = digest_of(path)
    assert first.num_bytes_read < 32 << 20
    for offset in (0, 2 * GIB - 1):
        put(path, offset, b"\x01")
        assert digest_of(path).text != first.text, offset
        put(path, offset, b"\x00")
    assert digest_of(path).text == first.text
    put(path, GIB, os.urandom(1 << 20))
    assert digest_of(path).text != first.text


def test_a_safetensors_file_with_a_broken_header_is_any_large_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for head in (b"\xff" * 8, (9).to_bytes(8, "little") + b"not json!", (2).to_bytes(8, "little") + b"[]"):
        with path.open("wb") as file:
            file.write(head)
            file.truncate(GIB)
        first = digest_of(path)
        put(path, GIB // 2, os.urandom(1 << 20))
        assert digest_of(path).text != first.text and first.num_bytes_read < 32 << 20


def test_where_a_model_is_does_not_count_and_links_are_followed(tmp_path: Path) -> None:
    real = checkpoint(tmp_path / "real")
    moved = tmp_path / "a" / "b"
    moved.mkdir(parents=True)
    (moved / "transformer").mkdir()
    for path in real.rglob("*.*"):
        (moved / path.relative_to(real)).symlink_to(path)  # as the cache of the Hub keeps snapshots
    (tmp_path / "link").symlink_to(real)
    assert digest_of(real).text == digest_of(moved).text == digest_of(tmp_path / "link").text


def test_a_weights_file_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"weights")
    (tmp_path / "b.gguf").write_bytes(b"weights")
    assert digest_of(tmp_path / "a.gguf").text == digest_of(tmp_path / "b.gguf").text


@pytest.mark.parametrize("change", ["config", "weights", "name", "more", "less", "header"])
def test_every_change_that_a_model_can_feel_counts(tmp_path: Path, change: str) -> None:
    folder = checkpoint(tmp_path / "model")
    before = digest_of(folder).text
    weights = folder / "transformer" / "diffusion.safetensors"
    if change == "config":
        (folder / "transformer" / "config.json").write_text('{"x": 1}')
    elif change == "weights":
        put(weights, weights.stat().st_size - (4 << 20) - 2048, b"\x01" * 4096)
    elif change == "header":
        put(weights, 20, b"B")
    elif change == "name":
        weights.rename(weights.with_name("other.safetensors"))
    elif change == "more":
        (folder / "adapter.safetensors").write_bytes(b"\x00")
    else:
        (folder / "model_index.json").unlink()
    assert digest_of(folder).text != before


def test_a_model_card_caches_and_version_control_do_not_count(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    before = digest_of(folder).text
    (folder / "README.md").write_text("a card")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "x.lock").touch()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert digest_of(folder).text == before


def test_a_folder_that_holds_itself_ends_and_a_lost_link_is_no_error(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    (folder / "again").symlink_to(folder)
    (folder / "lost.safetensors").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    files = digest_of(folder).files
    assert files["lost.safetensors"] == "missing" and files["pipe"] == "no file"


def test_a_folder_of_countless_files_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(
        MachineError, match=r'more than 3 files, too many for a model; .*\{"identity": False\}'
    ) as caught:
        digest_of(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_looks_like_a_model_has_weights_or_a_configuration_near_its_top(tmp_path: Path) -> None:
    assert looks_like_a_model(checkpoint(tmp_path / "model"))
    scratch = tmp_path / "scratch"
    (scratch / "a" / "b").mkdir(parents=True)
    (scratch / "a" / "b" / "deep.safetensors").touch()
    (scratch / "notes.txt").touch()
    assert not looks_like_a_model(scratch)


def test_no_more_blocks_are_read_than_the_page_says(tmp_path: Path) -> None:
    header = safetensors(tmp_path / "model.safetensors", 7000, 8192)
    assert 3000 * 4096 < digest_of(tmp_path).num_bytes_read - header <= 6000 * 4096


def test_a_folder_that_is_deleted_meanwhile_is_an_empty_one(tmp_path: Path) -> None:
    class Leaving(type(tmp_path)):  # type: ignore[misc]
        """A folder that goes as soon as it was seen."""

        def is_dir(self) -> bool:
            was_there = bool(super().is_dir())
            if was_there:
                self.rmdir()
            return was_there

    (tmp_path / "model").mkdir()
    (tmp_path / "empty").mkdir()
    assert digest_of(Leaving(tmp_path / "model")) == digest_of(tmp_path / "empty")
