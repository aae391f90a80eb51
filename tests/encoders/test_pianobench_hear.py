"""Small modules written to the HEAR API."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from pianobench import DependencyError, EncodingError, UsageError
from pianobench.errors import CheckpointAbsentError, PluginError
from pianobench.forward import encode_waveform
from pianobench.policy import choose_policy
from pianobench.testing.audio_encoders import PROMISES, Trial
from pianobench.testing.checks import check_after_first
from pianobench_hear import Hear

# Frames of 25 ms, centred; the weights are read from a file where one is given.
MODULE = """
import torch

class Model(torch.nn.Module):
    sample_rate = 16000
    scene_embedding_size = 6
    timestamp_embedding_size = 6

    def __init__(self):
        super().__init__()
        self.frames = torch.nn.Conv1d(1, 6, 400, stride=400)
        self.dropout = torch.nn.Dropout()

    def forward(self, audio):
        return self.dropout(self.frames(audio[:, None])).transpose(1, 2)

def load_model(model_file_path=""):
    torch.manual_seed(5)
    model = Model()
    if model_file_path:
        model.load_state_dict(torch.load(model_file_path, weights_only=True))
    return model

def get_timestamp_embeddings(audio, model):
    embeddings = model(audio)
    at = 12.5 + 25.0 * torch.arange(embeddings.shape[1])
    return embeddings, at.expand(len(audio), -1)

def get_scene_embeddings(audio, model):
    return get_timestamp_embeddings(audio, model)[0].mean(dim=1)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Install a module of a name of its own, with pieces of its text replaced."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def install(*changes: tuple[str, str]) -> str:
        text = MODULE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        names.append(f"heard_{tmp_path.name}_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(text)
        return names[-1]

    yield install
    for name in names:
        sys.modules.pop(name, None)


def noise(seconds: float, waveforms: int = 1) -> Any:
    random = np.random.default_rng(2)
    samples = random.uniform(-0.3, 0.3, (waveforms, round(16_000 * seconds)))
    return torch.from_numpy(samples.astype(np.float32))


def test_the_state_is_the_module_s_timestamp_embeddings(module: Callable[..., str]) -> None:
    name = module()
    encoder = Hear(module=name)
    assert (encoder.layers, encoder.sample_rate, encoder.minimum_samples) == (0, 16_000, 8000)
    loaded = encoder.load("cpu")
    api = sys.modules[name]
    with torch.inference_mode():
        (state,) = loaded(noise(1.0, 2))
        expected = api.get_timestamp_embeddings(noise(1.0, 2), api.load_model().eval())[0]
    assert torch.equal(state, expected)
    assert state.shape == (2, 40, 6)


def test_it_keeps_the_contract(module: Callable[..., str]) -> None:
    checks = check_after_first(PROMISES, Trial(Hear(module=module())))
    assert [str(check) for check in checks if not check.passed] == []


def test_it_travels_to_other_processes(module: Callable[..., str]) -> None:
    encoder = Hear(module=module(), shortest_s=0.1)
    assert pickle.loads(pickle.dumps(encoder)).minimum_samples == 1600


def test_frames_are_where_the_timestamps_say(module: Callable[..., str]) -> None:
    encoder = Hear(module=module())
    loaded = encoder.load("cpu")
    assert loaded.frame_rate_hz == pytest.approx(40.0)
    # 15 s make two pieces of 10 and 5 s.
    states = encode_waveform(encoder, loaded, noise(15.0)[0].numpy(), choose_policy(encoder))
    assert states.times_s == pytest.approx(0.0125 + 0.025 * np.arange(600))


@pytest.mark.parametrize(
    "timestamps",
    [
        "25.0 * torch.arange(embeddings.shape[1]) ** 1.5",  # not even
        "25e-3 * torch.arange(embeddings.shape[1])",  # seconds
        "torch.zeros(embeddings.shape[1])",  # all the same
    ],
)
def test_frames_are_spread_where_timestamps_cannot_be_right(
    timestamps: str, module: Callable[..., str]
) -> None:
    encoder = Hear(module=module(("12.5 + 25.0 * torch.arange(embeddings.shape[1])", timestamps)))
    loaded = encoder.load("cpu")
    assert loaded.frame_rate_hz is None
    states = encode_waveform(encoder, loaded, noise(2.0)[0].numpy(), choose_policy(encoder))
    assert states.times_s == pytest.approx(0.0125 + 0.025 * np.arange(80))


def test_rounded_timestamps_are_even_enough(module: Callable[..., str]) -> None:
    name = module(("at = 12.5 + 25.0", "at = 12.5 + 24.7"), ("at.expand", "at.round().expand"))
    assert Hear(module=name).load("cpu").frame_rate_hz == pytest.approx(1000 / 24.7, rel=1e-3)


def test_one_vector_for_the_whole_is_one_frame(module: Callable[..., str]) -> None:
    name = module(("embeddings = model(audio)", "embeddings = model(audio).mean(1, keepdim=True)"))
    encoder = Hear(module=name)
    loaded = encoder.load("cpu")
    states = encode_waveform(encoder, loaded, noise(15.0)[0].numpy(), choose_policy(encoder))
    assert states.times_s == pytest.approx([5.0, 12.5])


def test_weights_are_read_from_the_file(module: Callable[..., str], tmp_path: Path) -> None:
    name = module()
    plain = Hear(module=name).load("cpu")
    model = sys.modules[name].load_model()
    with torch.no_grad():
        model.frames.weight.mul_(2)
        model.frames.bias.mul_(2)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    doubled = Hear(module=name, model_file=str(tmp_path / "weights.pt")).load("cpu")
    with torch.inference_mode():
        assert torch.allclose(2 * plain(noise(1.0))[0], doubled(noise(1.0))[0])


def test_random_weights_follow_the_seed(module: Callable[..., str]) -> None:
    name = module()
    with torch.inference_mode():
        trained, one, again, other = (
            Hear(module=name, weights=weights, weights_seed=seed).load("cpu")(noise(1.0))[0]
            for weights, seed in [("pretrained", 0), ("random", 1), ("random", 1), ("random", 2)]
        )
    assert torch.equal(one, again)
    assert not torch.equal(one, trained)
    assert not torch.equal(one, other)


def test_random_weights_of_what_is_no_torch_module_are_refused(
    module: Callable[..., str],
) -> None:
    name = module(("return model\n", "return Other(model)\n"), ("import torch", OTHER))
    assert Hear(module=name).load("cpu")(noise(1.0))[0].shape == (1, 40, 6)
    with pytest.raises(UsageError, match="is a Other, not a torch module"):
        Hear(module=name, weights="random").load("cpu")
    with pytest.raises(UsageError, match="cannot be moved to 'cuda'"):
        Hear(module=name).load("cuda")


OTHER = """import torch

class Other:
    sample_rate = 16000
    scene_embedding_size = timestamp_embedding_size = 6
    def __init__(self, model):
        self.model = model.eval()
    def __call__(self, audio):
        return self.model(audio)
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "embeddings = model(audio)",
            "embeddings = model(audio)[:, :, :5]",
            r"size is 6. It breaks",
        ),
        ("at.expand(len(audio), -1)", "at", r"timestamps of shape \(160,\)"),
        ("at.expand(len(audio), -1)", "at.expand(len(audio), -1)[:, 1:]", r"shape \(1, 159\)"),
        ("embeddings = model(audio)", "embeddings = model(audio).mean(0)", "breaks the HEAR API"),
        ("return embeddings, at", "return embeddings.detach().numpy(), at", "modules of torch"),
    ],
)
def test_a_module_that_breaks_the_api_is_refused(
    old: str, new: str, said: str, module: Callable[..., str]
) -> None:
    with pytest.raises(EncodingError, match=said):
        Hear(module=module((old, new))).load("cpu")


def test_what_is_no_module_of_the_api_is_refused(module: Callable[..., str]) -> None:
    with pytest.raises(CheckpointAbsentError, match="after a colon"):
        Hear().load("cpu")
    with pytest.raises(DependencyError, match=r"'nobody_has_this' .* cannot be imported"):
        _ = Hear(module="nobody_has_this").sample_rate
    with pytest.raises(UsageError, match="no load_model and no get_timestamp_embeddings"):
        Hear(module="json").load("cpu")
    with pytest.raises(UsageError, match="no whole number 'sample_rate'"):
        Hear(module=module(("sample_rate = 16000", "rate = 16000"))).load("cpu")


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        (
            "import torch\n",
            "import torch:\n",
            PluginError,
            "module 'heard_.*' of the HEAR API cannot be imported: SyntaxError: ",
        ),
        ("import torch\n", "1 / 0\n", PluginError, "cannot be imported: ZeroDivisionError: div"),
        (
            "torch.manual_seed(5)",
            "raise ValueError('two\\n  lines')",
            PluginError,
            r"'heard_.*' cannot load .* model_file '': ValueError: two lines\. Correct the module",
        ),
        (
            "torch.manual_seed(5)",
            "import nobody_has_this",
            DependencyError,
            "cannot load .*: No module named 'nobody_has_this'. Install",
        ),
        (
            "torch.manual_seed(5)",
            "from pianobench import UsageError; raise UsageError('as it is')",
            UsageError,
            "^as it is$",
        ),
    ],
)
def test_what_the_module_raises_is_told_in_one_paragraph(
    old: str, new: str, error: type[Exception], said: str, module: Callable[..., str]
) -> None:
    encoder = Hear(module=module((old, new)))
    with pytest.raises(error, match=said):
        _ = encoder.sample_rate
    with pytest.raises(error, match=said):
        encoder.load("cpu")
