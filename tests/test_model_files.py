"""Networks on disk: what comes back predicts the same, and nothing else is taken for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pianobench import NetworkHead
from pianobench.errors import ResultError, StoreError
from pianobench.layer_vectors import LayerVectors
from pianobench.model_files import read_network, save_network
from pianobench.training import TrainedNetwork, train_network

torch = pytest.importorskip("torch", reason="torch is not installed")


class Normed(NetworkHead):
    """Has buffers beside its parameters, one of them a whole number."""

    name: ClassVar[str] = "normed"
    hidden: int = 6

    def network(self, width: int, dimensions: int) -> Any:
        nn = torch.nn
        layers = nn.Linear(width, self.hidden), nn.BatchNorm1d(self.hidden)
        return nn.Sequential(*layers, nn.Linear(self.hidden, dimensions))


HEAD = Normed(epochs=3, learning_rate=0.01)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal([0, 5, -3, 0.1], [1, 10, 0.1, 0], size=(60, 4))


@pytest.fixture(scope="module")
def network(x: np.ndarray) -> TrainedNetwork:
    y = x[:, :2] * 0.1 + 0.5
    return train_network(HEAD, x, y, np.repeat(np.arange(12).astype(str), 5), 0)


@pytest.fixture
def path(tmp_path: Path, network: TrainedNetwork, x: np.ndarray) -> Path:
    return save_network(tmp_path / "models", "op. 2/1", 7, HEAD, network, x)


def test_a_network_that_was_read_predicts_the_same_bits(
    path: Path, network: TrainedNetwork, x: np.ndarray
) -> None:
    read = read_network(path, HEAD, x[:1])
    np.testing.assert_array_equal(read.predict(x), network.predict(x))
    assert read.selected == network.selected


def test_beside_it_lies_what_it_is(path: Path, network: TrainedNetwork) -> None:
    assert path.name == "op. 2%2F1-seed7.safetensors"
    said = json.loads(path.with_suffix(".json").read_text())
    assert said == {
        "head": {"name": "normed", "options": HEAD.options},
        "inputs": {"features": 4},
        "fold": "op. 2/1",
        "seed": 7,
        "selected": dict(network.selected),
    }


def test_another_head_other_inputs_and_other_files_are_refused(path: Path, x: np.ndarray) -> None:
    with pytest.raises(ResultError, match=r"was trained by the head .*'epochs': 3.* not by"):
        read_network(path, Normed(epochs=4, learning_rate=0.01), x)
    with pytest.raises(
        ResultError, match=r"not take these inputs: .*'features': 4.* given .*'features': 3"
    ):
        read_network(path, HEAD, x[:, :3])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ResultError, match="damaged"):
        read_network(path, HEAD, x)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(ResultError, match=r"which says what .* is: 'head'"):
        read_network(path, HEAD, x)


def test_weights_of_other_layers_are_refused(
    tmp_path: Path, network: TrainedNetwork, x: np.ndarray
) -> None:
    path = save_network(tmp_path, "1", 0, HEAD, network, LayerVectors(x, (1, 2)))
    with pytest.raises(ResultError, match=r"trained on .*\[1, 2\].* given .*\[1, 3\]"):
        read_network(path, HEAD, LayerVectors(x, (1, 3)))


def test_folds_of_like_names_have_files_of_their_own(
    tmp_path: Path, network: TrainedNetwork, x: np.ndarray
) -> None:
    folds = ("a/b", "a_b", "a%2Fb")
    assert len({save_network(tmp_path, fold, 0, HEAD, network, x) for fold in folds}) == 3


def test_words_that_cannot_be_written_are_an_error_of_the_store(
    tmp_path: Path, network: TrainedNetwork, x: np.ndarray
) -> None:
    (tmp_path / "1-seed0.json").mkdir()
    with pytest.raises(StoreError, match=r"Cannot write .*1-seed0.json"):
        save_network(tmp_path, "1", 0, HEAD, network, x)
