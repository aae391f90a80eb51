"""MERT: the same states as its published code, and no checkpoint but a whole one of MERT."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="transformers is not installed")

import torch
from safetensors.numpy import load_file, save_file
from seeded_weights import seeded_weights

from pianobench import CheckpointError, DependencyError
from pianobench.forward import encode_waveform
from pianobench.policy import choose_policy
from pianobench.testing.audio_encoders import PROMISES, Trial
from pianobench.testing.checks import check_after_first
from pianobench_mert import Mert
from pianobench_mert.configuration import PUBLISHED, Configuration
from pianobench_mert.network import build, rename

PARITY = Path(__file__).parents[1] / "parity"
SIZES = {"95m": "m-a-p/MERT-v1-95M", "330m": "m-a-p/MERT-v1-330M"}
TINY = {size: PARITY / f"mert_{size}_tiny" for size in SIZES}
# Sums in another order; on the processor that made the fixtures the states are equal bit for bit.
RELATIVE = 1e-5

Tensors = dict[str, np.ndarray]


def states_of(encode: Any, waveforms: np.ndarray) -> list[np.ndarray]:
    with torch.inference_mode():
        return [state.numpy() for state in encode(torch.from_numpy(waveforms))]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.1, 0.1, shape).astype(np.float32)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A copy of the small checkpoint, to be broken."""
    folder = tmp_path / "mert"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(TINY["95m"] / name, folder / name)
    return folder


def digest_of(folder: Path) -> str:
    return str(Mert(checkpoint=str(folder)).load("cpu").weights_digest)


def change_weights(folder: Path, change: Callable[[Tensors], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def change_config(folder: Path, **changes: Any) -> None:
    """Set keys of config.json; None takes one out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


@pytest.mark.parametrize("size", SIZES)
def test_a_small_checkpoint_gives_the_states_of_the_published_code(size: str) -> None:
    expected = load_file(TINY[size] / "states.safetensors")
    encoder = Mert(checkpoint=str(TINY[size]))
    states = states_of(encoder.load("cpu"), expected["waveforms"])
    assert len(states) == encoder.layers + 1 == 4
    for layer, state in enumerate(states):
        true = expected[f"state.{layer}"]
        assert state.shape == true.shape
        assert np.abs(state - true).max() <= RELATIVE * np.abs(true).max()


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_full_architecture_gives_every_state_of_the_published_code(
    size: str, tmp_path: Path
) -> None:
    expected = load_file(PARITY / f"mert_{size}_full" / "states.safetensors")
    shutil.copyfile(PARITY / f"mert_{size}_config.json", tmp_path / "config.json")
    weights = seeded_weights(published_tensors(size))
    probe = weights["feature_projection.projection.weight"].ravel()[: len(expected["probe"])]
    assert np.array_equal(probe, expected["probe"])
    save_file(weights, tmp_path / "model.safetensors")
    states = states_of(Mert(checkpoint=str(tmp_path)).load("cpu"), expected["waveforms"])
    assert len(states) == len(expected["values"])
    for layer, state in enumerate(states):
        assert state.shape == tuple(expected["shape"])
        chosen = state.ravel()[expected["indices"][layer]]
        apart = np.abs(chosen - expected["values"][layer]).max()
        assert apart <= RELATIVE * expected["max_abs"][layer]
        assert np.linalg.norm(state) == pytest.approx(expected["norm"][layer], rel=RELATIVE)


def published_tensors(size: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a published checkpoint by name."""
    lines = (PARITY / f"mert_{size}_full" / "keys.txt").read_text().splitlines()
    rows = (line.split("\t") for line in lines)
    return {name: tuple(map(int, shape.split(","))) for name, shape, _ in rows}


@pytest.mark.parametrize(("size", "tensors"), [("95m", 211), ("330m", 403)])
def test_every_tensor_of_a_published_checkpoint_has_its_place_but_the_mask(
    size: str, tensors: int
) -> None:
    published = published_tensors(size)
    with torch.device("meta"):
        network = build(PUBLISHED[SIZES[size]])
        given = rename({name: torch.empty(shape) for name, shape in published.items()})
    assert len(given) == tensors
    del given["masked_spec_embed"]
    expected = network.state_dict()
    assert {k: v.shape for k, v in given.items()} == {k: v.shape for k, v in expected.items()}


@pytest.mark.parametrize("size", SIZES)
def test_the_architectures_known_without_a_file_are_the_published_ones(size: str) -> None:
    published = json.loads((PARITY / f"mert_{size}_config.json").read_text())
    assert PUBLISHED[SIZES[size]] == Configuration.read(published, "published")


@pytest.mark.parametrize("model_type", ["music_hubert", "hubert", "mert_model"])
def test_the_model_may_go_by_any_of_its_names(checkpoint: Path, model_type: str) -> None:
    change_config(checkpoint, model_type=model_type)
    loaded = Mert(checkpoint=str(checkpoint)).load("cpu")
    assert loaded.weights_digest == digest_of(TINY["95m"])
    assert loaded.source == "folder"


def test_both_namings_of_a_weight_norm_are_the_same_model(checkpoint: Path) -> None:
    conv = "encoder.pos_conv_embed.conv"

    def rename_as_torch_does_now(tensors: Tensors) -> None:
        for number, letter in enumerate("gv"):
            moved = tensors.pop(f"{conv}.weight_{letter}")
            tensors[f"{conv}.parametrizations.weight.original{number}"] = moved

    before = digest_of(checkpoint)
    change_weights(checkpoint, rename_as_torch_does_now)
    assert digest_of(checkpoint) == before


def test_a_pickle_of_plain_tensors_is_the_same_model(checkpoint: Path) -> None:
    before = digest_of(checkpoint)
    (checkpoint / "model.safetensors").unlink()
    shutil.copyfile(TINY["95m"] / "pytorch_model.bin", checkpoint / "pytorch_model.bin")
    assert digest_of(checkpoint) == before


class Code:
    """An object whose unpickling writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_with_code_is_refused_and_its_code_not_run(checkpoint: Path) -> None:
    tensors = {
        k: torch.from_numpy(v) for k, v in load_file(checkpoint / "model.safetensors").items()
    }
    (checkpoint / "model.safetensors").unlink()
    marker = checkpoint / "ran"
    torch.save(tensors | {"extra": Code(marker)}, checkpoint / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        Mert(checkpoint=str(checkpoint)).load("cpu")
    assert not marker.exists()


LAYER = "encoder.layers.1.feed_forward.output_dense"


def remove_key(tensors: Tensors) -> None:
    del tensors[f"{LAYER}.weight"]


def add_key(tensors: Tensors) -> None:
    tensors["encoder.layers.7.layer_norm.bias"] = np.zeros(48, np.float32)


def change_shape(tensors: Tensors) -> None:
    tensors[f"{LAYER}.bias"] = tensors[f"{LAYER}.bias"][:-1].copy()


def put_nan(tensors: Tensors) -> None:
    tensors[f"{LAYER}.bias"] = tensors[f"{LAYER}.bias"] * np.float32(np.nan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_key, f"it lacks {LAYER}.weight"),
        (add_key, "it holds unknown encoder.layers.7.layer_norm.bias"),
        (change_shape, rf"{LAYER}.bias has shape \(47,\), expected \(48,\)"),
        (put_nan, f"not finite: {LAYER}.bias"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_what_is_wrong(
    checkpoint: Path, change: Callable[[Tensors], None], said: str
) -> None:
    change_weights(checkpoint, change)
    with pytest.raises(CheckpointError, match=said):
        Mert(checkpoint=str(checkpoint)).load("cpu")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "wav2vec2"}, "of type 'wav2vec2'"),
        ({"model_type": None}, "of type None"),
        ({"deepnorm": True}, "deepnorm is True"),
        ({"feature_extractor_cqt": True}, "feature_extractor_cqt is True"),
        ({"conv_pos_batch_norm": True}, "conv_pos_batch_norm is True"),
        ({"sample_rate": 16_000}, "sample_rate is 16000"),
        ({"sample_rate": None, "hidden_act": None}, "lacks sample_rate, hidden_act"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, r"strides \(5, 2, 2, 2, 2, 2, 1\)"),
        ({"conv_dim": [32] * 6}, "6 widths to 7 convolutions"),
        ({"num_attention_heads": 5}, "width 48 is not a multiple of num_attention_heads, 5"),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    checkpoint: Path, changes: dict[str, Any], said: str
) -> None:
    change_config(checkpoint, **changes)
    with pytest.raises(CheckpointError, match=said) as caught:
        _ = Mert(checkpoint=str(checkpoint)).layers
    assert str(checkpoint) in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_configuration_that_leaves_out_what_mert_never_uses_is_read(checkpoint: Path) -> None:
    change_config(checkpoint, deepnorm=None, feature_extractor_cqt=None, feat_proj_layer_norm=None)
    assert digest_of(checkpoint) == digest_of(TINY["95m"])


def test_the_digest_follows_the_weights_and_the_configuration(checkpoint: Path) -> None:
    def nudge(tensors: Tensors) -> None:
        tensors[f"{LAYER}.bias"] = tensors[f"{LAYER}.bias"] + np.float32(1e-3)

    change_weights(checkpoint, nudge)
    other = checkpoint.with_name("other")
    shutil.copytree(checkpoint, other)
    change_config(other, layer_norm_eps=1e-6)
    assert len({digest_of(folder) for folder in (TINY["95m"], checkpoint, other)}) == 3


def last_layer_and_states(size: str) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """The network, what its last layer returns, and the last state."""
    loaded = Mert(checkpoint=str(TINY[size])).load("cpu")
    returned: list[Any] = []
    network = loaded._network
    network.encoder.layers[-1].register_forward_hook(lambda *call: returned.append(call[-1]))
    with torch.inference_mode():
        last = loaded(torch.from_numpy(noise(1, 4_800)))[-1]
    # Older transformers wrap what a layer returns in a tuple.
    (output,) = returned
    return network, output[0] if isinstance(output, tuple) else output, last


def test_the_last_state_of_the_larger_model_passes_the_final_layer_norm() -> None:
    network, output, last = last_layer_and_states("330m")
    norm = network.encoder.layer_norm
    centred = output - output.mean(-1, keepdim=True)
    expected = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(last, expected * norm.weight + norm.bias)
    assert (last - output).abs().max() > 0.1


def test_the_last_state_of_the_smaller_model_is_what_its_last_layer_returns() -> None:
    _, output, last = last_layer_and_states("95m")
    assert torch.equal(last, output)


def test_relaxed_attention_is_attention() -> None:
    attention = Mert(checkpoint=str(TINY["330m"])).load("cpu")._network.encoder.layers[0].attention
    # Wide enough for weights from 0 to 1.
    x = 10 * torch.from_numpy(np.random.default_rng(1).normal(size=(1, 20, 48))).float()
    heads = 4

    def by_head(projection: Any) -> torch.Tensor:
        return projection(x).view(1, 20, heads, -1).transpose(1, 2).double()

    query, key, value = map(by_head, (attention.q_proj, attention.k_proj, attention.v_proj))
    relaxed = query @ key.mT / (48 // heads) ** 0.5 / 32
    exponentials = ((relaxed - relaxed.amax(-1, keepdim=True)) * 32).exp()
    weights = exponentials / exponentials.sum(-1, keepdim=True)
    assert weights.max() > 0.9
    mixed = (weights @ value).transpose(1, 2).reshape(1, 20, 48).float()
    with torch.inference_mode():
        torch.testing.assert_close(attention(x)[0], attention.out_proj(mixed), rtol=0, atol=1e-4)


def test_attention_relax_is_no_part_of_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "mert"
    shutil.copytree(TINY["330m"], folder)
    change_config(folder, attention_relax=-1.0)
    without = Mert(checkpoint=str(folder)).load("cpu")
    assert without.weights_digest == digest_of(TINY["330m"])


def test_each_waveform_is_standardised_by_itself() -> None:
    loaded = Mert(checkpoint=str(TINY["95m"])).load("cpu")
    waveform = noise(1, 4_800)
    louder = np.concatenate([waveform, 4 * waveform + 0.25])
    # 1e-7 is added to a variance of 0.0033, so that loudness hardly matters.
    for plain, changed in zip(states_of(loaded, waveform), states_of(loaded, louder), strict=True):
        np.testing.assert_allclose(changed[0], plain[0], atol=1e-5)
        np.testing.assert_allclose(changed[1], plain[0], atol=1e-3)


def test_equal_lengths_in_a_batch_are_encoded_as_alone() -> None:
    loaded = Mert(checkpoint=str(TINY["330m"])).load("cpu")
    batch = noise(3, 9_600)
    together = states_of(loaded, batch)
    for i, waveform in enumerate(batch):
        for layer, state in enumerate(states_of(loaded, waveform[None])):
            assert np.abs(together[layer][i] - state[0]).max() <= RELATIVE * np.abs(state).max()


def test_frames_come_75_a_second_from_400_samples_on() -> None:
    encoder = Mert(checkpoint=str(TINY["95m"]))
    loaded = encoder.load("cpu")
    assert loaded.frame_rate_hz == encoder.sample_rate / encoder.hop_samples == 75
    for samples, frames in ((400, 1), (719, 1), (720, 2), (24_000, 74), (240_000, 749)):
        assert [state.shape[1] for state in states_of(loaded, noise(1, samples))] == [frames] * 4
    with pytest.raises(RuntimeError):
        loaded(torch.zeros(1, encoder.minimum_samples - 1))


@pytest.mark.parametrize("size", SIZES)
def test_it_keeps_the_contract_of_audio_encoders(size: str) -> None:
    checks = check_after_first(PROMISES, Trial(Mert(checkpoint=str(TINY[size]))))
    assert [str(check) for check in checks if not check.passed] == []


def test_half_precision_is_near() -> None:
    encoder = Mert(checkpoint=str(TINY["330m"]))
    loaded = encoder.load("cpu")
    full, half = (
        encode_waveform(encoder, loaded, noise(9_600), choose_policy(encoder, precision=precision))
        for precision in (None, "bfloat16")
    )
    for one, other in zip(full.layers, half.layers, strict=True):
        assert 1e-4 < np.abs(one - other).max() / np.abs(one).max() < 0.1


@pytest.mark.parametrize(("size", "layers"), [("95m", 12), ("330m", 24)])
def test_an_untrained_control_of_a_published_model_needs_no_download(
    size: str, layers: int
) -> None:
    assert Mert(checkpoint=SIZES[size], weights="random").layers == layers
    assert Mert(checkpoint=f"{SIZES[size]}@main", weights="random").layers == layers


def test_random_weights_follow_their_seed_and_need_no_weights_file(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()

    def load(seed: int) -> Any:
        encoder = Mert(checkpoint=str(checkpoint), weights="random", weights_seed=seed)
        return encoder.load("cpu")

    before = torch.get_rng_state()
    digest_of(TINY["95m"])
    assert load(0).weights_digest == load(0).weights_digest != load(1).weights_digest
    assert torch.equal(torch.get_rng_state(), before)
    assert load(1).source == "random, seed 1"


def test_random_weights_are_the_same_whatever_the_version_of_transformers() -> None:
    tensors = random_tensors()
    drawn = {
        "encoder.layers.0.attention.k_proj.weight": -0.022517,
        "encoder.layers.2.feed_forward.output_dense.weight": 0.022027,
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1": 0.102174,
        "feature_extractor.conv_layers.6.conv.weight": -0.014301,
        "feature_projection.projection.weight": 0.026628,
    }
    first = {name: float(tensors[name].flatten()[0]) for name in drawn}
    assert first == pytest.approx(drawn, rel=1e-3)


def test_random_weights_spread_as_at_the_start_of_training() -> None:
    tensors = random_tensors()
    drawn = {name for name, tensor in tensors.items() if tensor.std() > 0}
    for name, tensor in tensors.items():
        if name.endswith("norm.weight"):
            assert (tensor == 1).all()
        elif name.endswith("bias"):
            assert (tensor == 0).all()
        else:
            assert name in drawn
    spread = {name: float(tensor.std()) for name, tensor in tensors.items()}
    assert spread["encoder.layers.0.attention.k_proj.weight"] == pytest.approx(0.02, rel=0.05)
    convolution = spread["feature_extractor.conv_layers.3.conv.weight"]
    assert convolution == pytest.approx((2 / (32 * 3)) ** 0.5, rel=0.05)
    # Its two tensors together: (16 samples * 48 channels) in, 12 of the channels for each out.
    position = spread["encoder.pos_conv_embed.conv.parametrizations.weight.original1"]
    assert position == pytest.approx(2 / (16 * 48) ** 0.5, rel=0.05)


def random_tensors() -> dict[str, torch.Tensor]:
    loaded = Mert(checkpoint=str(TINY["95m"]), weights="random").load("cpu")
    tensors: dict[str, torch.Tensor] = loaded._network.state_dict()
    return tensors


def test_without_transformers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyError, match=r'pip install "pianobench\[models\]"'):
        Mert(weights="random").load("cpu")
