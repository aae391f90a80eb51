"""Checkpoints: nothing absent, partial, damaged or unsafe becomes weights."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pianobench import CheckpointError
from pianobench.checkpoints import digest_weights, fill_weights, find_checkpoint
from pianobench.errors import CheckpointAbsentError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"width": 3}')
    return tmp_path


def tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class Code:
    """An object whose unpickling runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_folder_gives_its_configuration_and_its_tensors(folder: Path) -> None:
    save_file(tensors(), folder / "model.safetensors")
    checkpoint = find_checkpoint(str(folder))
    assert checkpoint.config == {"width": 3}
    assert checkpoint.source == "folder"
    read = checkpoint.tensors()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors().items())


def test_weights_in_several_files_are_joined(folder: Path) -> None:
    places = {}
    for number, (name, tensor) in enumerate(tensors().items()):
        places[name] = f"model-{number}.safetensors"
        save_file({name: tensor}, folder / places[name])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert find_checkpoint(str(folder)).tensors().keys() == tensors().keys()
    (folder / "model-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks model-1\.safetensors, which .* lists"):
        find_checkpoint(str(folder)).tensors()


def test_a_pickle_of_plain_tensors_is_read_where_there_is_nothing_safer(folder: Path) -> None:
    torch.save(tensors(), folder / "pytorch_model.bin")
    read = find_checkpoint(str(folder)).tensors()
    assert torch.equal(read["weight"], tensors()["weight"])
    save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
    assert list(find_checkpoint(str(folder)).tensors()) == ["weight"]


def test_a_pickle_with_code_in_it_is_refused_and_not_run(folder: Path) -> None:
    marker = folder / "ran"
    torch.save({"weight": torch.ones(1), "code": Code(marker)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        find_checkpoint(str(folder)).tensors()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Code(marker)))
    with pytest.raises(CheckpointError, match="refused"):
        find_checkpoint(str(folder)).tensors()
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 7, 40, -1])
def test_truncated_weights_are_refused(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    save_file(tensors(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        find_checkpoint(str(folder)).tensors()


def test_a_checkpoint_without_weights_or_configuration_says_so(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no weights"):
        find_checkpoint(str(folder)).tensors()
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        find_checkpoint(str(empty))
    (empty / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"Cannot read .*config\.json"):
        find_checkpoint(str(empty))
    (empty / "config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="a JSON list"):
        find_checkpoint(str(empty))


@pytest.mark.parametrize("name", ["./absent", "/absent/folder", "absent", "a/b/c"])
def test_a_name_that_is_neither_a_folder_nor_a_model_is_refused(name: str) -> None:
    with pytest.raises(CheckpointAbsentError, match="neither a folder nor of the form org/model"):
        find_checkpoint(name)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("RevisionNotFoundError", "has no revision 'v9'"),
        ("RepositoryNotFoundError", "There is no model 'org/model'"),
        ("LocalEntryNotFoundError", "the hub cannot be reached"),
        ("OSError", "cannot be downloaded"),
    ],
)
def test_a_model_that_cannot_be_downloaded_is_one_clear_paragraph(
    monkeypatch: pytest.MonkeyPatch, raised: str, said: str
) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    from huggingface_hub import errors

    def fail(repository: str, file: str, revision: str | None) -> str:
        if raised == "OSError":
            raise OSError(28, "No space left on device")
        # Their constructors differ between versions of the library and want an HTTP response.
        kind = getattr(errors, raised)
        raise kind.__new__(kind)

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    find_checkpoint.cache_clear()
    with pytest.raises(CheckpointAbsentError, match=said) as caught:
        find_checkpoint("org/model@v9")
    assert "\n" not in str(caught.value)


def test_a_name_the_hub_cannot_have_is_one_clear_paragraph() -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    with pytest.raises(CheckpointAbsentError, match="cannot be one of a model on the hub"):
        find_checkpoint("a b/c d")


def test_an_index_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="lists no weights"):
        find_checkpoint(str(folder)).tensors()


def test_a_model_on_the_hub_is_known_by_its_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    snapshot = tmp_path / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    save_file(tensors(), snapshot / "model.safetensors")
    asked = []

    def download(repository: str, file: str, revision: str | None) -> str:
        asked.append((repository, revision))
        if not (snapshot / file).exists():
            raise hub.errors.EntryNotFoundError(file)
        return str(snapshot / file)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    find_checkpoint.cache_clear()
    checkpoint = find_checkpoint("org/model@main")
    assert checkpoint.source == "org/model@0123abcd"
    assert checkpoint.tensors().keys() == tensors().keys()
    assert asked[0] == ("org/model", "main")
    assert set(asked[1:]) == {("org/model", "0123abcd")}


def test_what_was_downloaded_is_used_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    snapshot = tmp_path / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")

    def cached(repository: str, file: str, revision: str | None) -> str:
        if not (snapshot / file).exists():
            kind = hub.errors.LocalEntryNotFoundError
            raise kind.__new__(kind)
        return str(snapshot / file)

    monkeypatch.setattr(hub, "hf_hub_download", cached)
    find_checkpoint.cache_clear()
    with pytest.raises(CheckpointAbsentError, match="the hub cannot be reached"):
        find_checkpoint("org/model").tensors()
    torch.save(tensors(), snapshot / "pytorch_model.bin")
    assert find_checkpoint("org/model").tensors().keys() == tensors().keys()


def test_filling_takes_half_precision_and_ignores_what_it_is_told_to() -> None:
    layer = torch.nn.Linear(3, 2)
    given = {name: tensor.half() for name, tensor in tensors().items()}
    fill_weights(layer, given | {"decoder.weight": torch.ones(1)}, "x", ("decoder.",))
    assert layer.weight.dtype == torch.float32
    assert torch.equal(layer.weight, tensors()["weight"])


def test_every_fault_of_a_checkpoint_is_named_at_once() -> None:
    given = {"weight": torch.ones(3, 3), "other": torch.ones(1)}
    with pytest.raises(CheckpointError) as caught:
        fill_weights(torch.nn.Linear(3, 2), given, "x")
    message = str(caught.value)
    assert "lacks bias" in message
    assert "unknown other" in message
    assert "weight has shape (3, 3), expected (2, 3)" in message


def test_the_digest_follows_values_names_and_configuration() -> None:
    layer = torch.nn.Linear(3, 2)
    fill_weights(layer, tensors(), "x")
    first = digest_weights(layer, {"a": 1})
    assert digest_weights(layer, {"a": 2}) != first
    with torch.no_grad():
        layer.bias[0] += 1
    assert digest_weights(layer, {"a": 1}) != first
