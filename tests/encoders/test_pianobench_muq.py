"""MuQ: the same states as the original package, and no checkpoint but a whole one of MuQ."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from seeded_weights import seeded_weights

from pianobench import CheckpointError
from pianobench.checkpoints import fill_weights
from pianobench.forward import encode_waveform
from pianobench.policy import choose_policy
from pianobench_muq import _FOR_TRAINING, Muq
from pianobench_muq.configuration import Configuration
from pianobench_muq.network import Network

PARITY = Path(__file__).parents[1] / "parity"
TINY = PARITY / "muq_tiny"
# Sums in another order; the stem and the spectrogram are equal bit for bit.
RELATIVE = 1e-5


def states_of(encode: Any, waveforms: np.ndarray) -> list[np.ndarray]:
    with torch.inference_mode():
        return [state.numpy() for state in encode(torch.from_numpy(waveforms))]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A copy of the small checkpoint, to be broken."""
    folder = tmp_path / "muq"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(TINY / name, folder / name)
    return folder


def change_weights(folder: Path, change: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_a_small_checkpoint_gives_the_states_of_the_original_package() -> None:
    expected = load_file(TINY / "states.safetensors")
    states = states_of(Muq(checkpoint=str(TINY)).load("cpu"), expected["waveforms"])
    assert len(states) == 4
    for layer, state in enumerate(states):
        true = expected[f"state.{layer}"]
        assert state.shape == true.shape
        assert np.abs(state - true).max() <= RELATIVE * np.abs(true).max()


@pytest.mark.slow
def test_the_full_architecture_gives_all_13_states_of_the_original_package() -> None:
    expected = load_file(PARITY / "muq_full" / "states.safetensors")
    published = json.loads((PARITY / "muq_config.json").read_text())
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in Network(Configuration()).state_dict().items()}
    network = Network(Configuration.read(published, "published"))
    tensors = {name: torch.from_numpy(v) for name, v in seeded_weights(shapes).items()}
    probe = tensors["model.conv.linear.weight"].flatten()[: len(expected["probe"])]
    assert np.array_equal(probe.numpy(), expected["probe"])
    fill_weights(network, tensors, "full")
    states = states_of(network.eval(), expected["waveforms"])
    assert len(states) == 13
    for layer, state in enumerate(states):
        assert state.shape == tuple(expected["shape"])
        chosen = state.ravel()[expected["indices"][layer]]
        apart = np.abs(chosen - expected["values"][layer]).max()
        assert apart <= RELATIVE * expected["max_abs"][layer]
        assert np.linalg.norm(state) == pytest.approx(expected["norm"][layer], rel=RELATIVE)


@pytest.mark.parametrize("listing", ["keys.txt", "keys_mel_rvq.txt"])
def test_every_tensor_of_a_published_checkpoint_is_used_or_known_to_serve_training(
    listing: str,
) -> None:
    lines = (PARITY / "muq_full" / listing).read_text().splitlines()
    published = {name: shape for name, shape, _ in (line.split("\t") for line in lines)}
    with torch.device("meta"):
        expected = Network(Configuration()).state_dict()
    for name, tensor in expected.items():
        assert published[name] == ",".join(map(str, tensor.shape))
    assert all(n in expected or n.startswith(_FOR_TRAINING) for n in published)
    used = sum(t.numel() for t in expected.values() if t.is_floating_point())
    assert used == pytest.approx(316.3e6, rel=1e-3)


def test_a_checkpoint_makes_a_round_trip_through_a_folder_laid_out_as_on_the_hub(
    checkpoint: Path,
) -> None:
    loaded = Muq(checkpoint=str(checkpoint)).load("cpu")
    again = Muq(checkpoint=str(TINY)).load("cpu")
    waveforms = load_file(TINY / "states.safetensors")["waveforms"]
    for one, other in zip(states_of(loaded, waveforms), states_of(again, waveforms), strict=True):
        assert np.array_equal(one, other)
    assert loaded.weights_digest == again.weights_digest
    assert loaded.source == "folder"


def test_the_digest_follows_the_weights_and_the_configuration(checkpoint: Path) -> None:
    first = Muq(checkpoint=str(TINY)).load("cpu").weights_digest

    def nudge(tensors: dict[str, np.ndarray]) -> None:
        tensors["model.conv.linear.bias"] = tensors["model.conv.linear.bias"] + np.float32(1e-3)

    change_weights(checkpoint, nudge)
    assert Muq(checkpoint=str(checkpoint)).load("cpu").weights_digest != first
    other = checkpoint.with_name("other")
    shutil.copytree(TINY, other)
    config = json.loads((other / "config.json").read_text())
    config["w2v2_config"]["rotary_embedding_base"] = 500
    (other / "config.json").write_text(json.dumps(config))
    assert Muq(checkpoint=str(other)).load("cpu").weights_digest != first


def test_random_weights_follow_their_seed_and_need_no_weights_file(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    folder = str(checkpoint)

    def digest(seed: int) -> str:
        encoder = Muq(checkpoint=folder, weights="random", weights_seed=seed)
        return str(encoder.load("cpu").weights_digest)

    before = torch.get_rng_state()
    assert digest(0) == digest(0) != digest(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_untrained_control_of_the_published_model_needs_no_download() -> None:
    encoder = Muq(weights="random")
    assert encoder.layers == 12
    published = json.loads((PARITY / "muq_config.json").read_text())
    assert Configuration() == Configuration.read(published, "published")


def test_frames_come_25_a_second_from_1025_samples_on() -> None:
    loaded = Muq(checkpoint=str(TINY)).load("cpu")
    random = np.random.default_rng(0)
    for samples in (1_025, 4_800, 24_000, 24_960, 30_001):
        waveform = random.uniform(-0.1, 0.1, (1, samples)).astype(np.float32)
        frames = states_of(loaded, waveform)[0].shape[1]
        assert frames == math.ceil((samples // 240) / 4)
    with pytest.raises(RuntimeError):
        list(loaded(torch.zeros(1, 1_024)))


def test_equal_lengths_in_a_batch_are_encoded_as_alone() -> None:
    loaded = Muq(checkpoint=str(TINY)).load("cpu")
    batch = np.random.default_rng(0).uniform(-0.1, 0.1, (3, 9_600)).astype(np.float32)
    together = states_of(loaded, batch)
    for i, waveform in enumerate(batch):
        for layer, state in enumerate(states_of(loaded, waveform[None])):
            scale = np.abs(state).max()
            assert np.abs(together[layer][i] - state[0]).max() <= 1e-5 * scale


def test_states_after_the_last_layer_asked_for_are_not_computed() -> None:
    encoder = Muq(checkpoint=str(TINY))
    loaded = encoder.load("cpu")
    run: list[int] = []
    for number, layer in enumerate(loaded._network.model["conformer"].layers, start=1):
        layer.register_forward_hook(lambda *_, number=number: run.append(number))
    waveform = np.random.default_rng(0).uniform(-0.1, 0.1, 24_000).astype(np.float32)
    states = encode_waveform(encoder, loaded, waveform, choose_policy(encoder), last_layer=1)
    assert len(states.layers) == 2
    assert run == [1]


def test_half_precision_is_near_and_declared(checkpoint: Path) -> None:
    encoder = Muq(checkpoint=str(TINY))
    loaded = encoder.load("cpu")
    waveform = load_file(TINY / "states.safetensors")["waveforms"][0]
    full = encode_waveform(encoder, loaded, waveform, choose_policy(encoder))
    half = encode_waveform(encoder, loaded, waveform, choose_policy(encoder, precision="bfloat16"))
    apart = max(
        float(np.abs(a - b).max() / np.abs(a).max())
        for a, b in zip(full.layers, half.layers, strict=True)
    )
    assert 1e-4 < apart < 0.2


def remove_key(tensors: dict[str, np.ndarray]) -> None:
    del tensors["model.conformer.layers.1.ffn1.intermediate_dense.weight"]


def add_key(tensors: dict[str, np.ndarray]) -> None:
    tensors["model.conformer.layers.9.ffn1.intermediate_dense.weight"] = np.zeros(3, np.float32)


def change_shape(tensors: dict[str, np.ndarray]) -> None:
    tensors["model.conv.linear.bias"] = tensors["model.conv.linear.bias"][:-1].copy()


def put_nan(tensors: dict[str, np.ndarray]) -> None:
    tensors["model.conv.linear.bias"] = tensors["model.conv.linear.bias"] * np.nan


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_key, "it lacks model.conformer.layers.1.ffn1.intermediate_dense.weight"),
        (add_key, "it holds unknown model.conformer.layers.9"),
        (change_shape, "model.conv.linear.bias has shape"),
        (put_nan, "not finite: model.conv.linear.bias"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_what_is_wrong(
    checkpoint: Path, change: Any, said: str
) -> None:
    change_weights(checkpoint, change)
    with pytest.raises(CheckpointError, match=said):
        Muq(checkpoint=str(checkpoint)).load("cpu")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("encoder_depth", None, "lacks encoder_depth"),
        ("label_rate", 75, "label_rate is 75"),
        ("encoder_dim", 60, "width 60 is not a multiple"),
        ("w2v2_config", 3, "w2v2_config"),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    checkpoint: Path, key: str, value: Any, said: str
) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    if value is None:
        del config[key]
    else:
        config[key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=said):
        _ = Muq(checkpoint=str(checkpoint)).layers
