"""Small files written for X-ARES."""

from __future__ import annotations

from collections.abc import Callable
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
from pianobench_xares import Xares

FILE = """
import torch

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.frames = torch.nn.Conv1d(1, 6, 640, stride=640)

    def forward(self, audio):
        return self.frames(audio[:, None]).transpose(1, 2)

class SmallEncoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sampling_rate = 16_000
        self.output_dim = 6
        self.hop_size_in_ms = 40
        torch.manual_seed(5)
        self.model = Block()

    def forward(self, audio):
        if audio.ndim == 1:
            audio = audio.unsqueeze(0)
        with torch.inference_mode():
            return self.model(audio)
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Write an encoder file, with pieces of its text replaced."""

    def write(*changes: tuple[str, str]) -> str:
        text = FILE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"encoder{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        return str(path)

    return write


def noise(seconds: float, waveforms: int = 1) -> Any:
    random = np.random.default_rng(2)
    samples = random.uniform(-0.3, 0.3, (waveforms, round(16_000 * seconds)))
    return torch.from_numpy(samples.astype(np.float32))


def test_the_state_is_what_forward_returns(written: Callable[..., str]) -> None:
    encoder = Xares(file=written())
    facts = (encoder.layers, encoder.sample_rate, encoder.hop_samples, encoder.chunk_s)
    assert facts == (0, 16_000, 640, 10.0)
    loaded = encoder.load("cpu")
    (state,) = loaded(noise(1.0, 2))
    torch.manual_seed(5)
    frames = torch.nn.Conv1d(1, 6, 640, stride=640)
    with torch.no_grad():
        expected = frames(noise(1.0, 2)[:, None]).transpose(1, 2)
    assert torch.allclose(state, expected, atol=1e-6)
    assert loaded.frame_rate_hz == 25.0


def test_it_keeps_the_contract(written: Callable[..., str]) -> None:
    checks = check_after_first(PROMISES, Trial(Xares(file=written())))
    assert [str(check) for check in checks if not check.passed] == []


def test_frames_come_every_hop(written: Callable[..., str]) -> None:
    encoder = Xares(file=written())
    states = encode_waveform(
        encoder, encoder.load("cpu"), noise(15.0)[0].numpy(), choose_policy(encoder)
    )
    assert states.times_s == pytest.approx(0.02 + 0.04 * np.arange(375))


def test_chunks_hold_whole_frames(written: Callable[..., str]) -> None:
    encoder = Xares(file=written(("hop_size_in_ms = 40", "hop_size_in_ms = 60"), ("640", "960")))
    assert encoder.chunk_s == pytest.approx(9.96)
    assert choose_policy(encoder).chunk_samples == 166 * 960
    odd = Xares(file=written(("hop_size_in_ms = 40", "hop_size_in_ms = 40.03")))
    assert odd.hop_samples == 1


def test_attributes_may_be_the_class_s_or_inherited(written: Callable[..., str]) -> None:
    declared = written(
        ("        self.sampling_rate = 16_000\n", ""),
        (
            "class SmallEncoder(torch.nn.Module):\n",
            "class SmallEncoder(torch.nn.Module):\n    sampling_rate = 16_000\n",
        ),
    )
    assert Xares(file=declared).load("cpu")(noise(1.0))[0].shape == (1, 25, 6)
    inherited = Path(written())
    inherited.write_text(inherited.read_text() + "\nclass MyEncoder(SmallEncoder):\n    pass\n")
    assert type(Xares(file=str(inherited)).load("cpu")._encoder).__name__ == "MyEncoder"


def test_a_width_that_is_not_the_declared_one_is_refused(written: Callable[..., str]) -> None:
    with pytest.raises(
        EncodingError, match=r"returned \(1, 50, 6\) for 1 waveforms; .*\(1, frames, 7\)"
    ):
        Xares(file=written(("output_dim = 6", "output_dim = 7"))).load("cpu")
    with pytest.raises(EncodingError, match=r"returned tuple for 1"):
        Xares(file=written(("self.model(audio)", "(self.model(audio),)"))).load("cpu")
    with pytest.raises(EncodingError, match=r"returned \(50, 6\) for 1"):
        Xares(file=written(("self.model(audio)", "self.model(audio)[0]"))).load("cpu")


def test_a_hop_that_is_not_the_declared_one_is_refused(written: Callable[..., str]) -> None:
    with pytest.raises(EncodingError, match=r"hop of 20 ms, but makes 50 frames of 2 s and 100"):
        Xares(file=written(("hop_size_in_ms = 40", "hop_size_in_ms = 20"))).load("cpu")


def test_one_vector_for_the_whole_is_one_frame(written: Callable[..., str]) -> None:
    file = written(("self.model(audio)", "self.model(audio).mean(1, keepdim=True)"))
    encoder = Xares(file=file)
    states = encode_waveform(
        encoder, encoder.load("cpu"), noise(15.0)[0].numpy(), choose_policy(encoder)
    )
    assert states.times_s == pytest.approx([5.0, 12.5])


def test_random_weights_follow_the_seed(written: Callable[..., str]) -> None:
    file = written()
    trained, one, again, other = (
        Xares(file=file, weights=weights, weights_seed=seed).load("cpu")(noise(1.0))[0]
        for weights, seed in [("pretrained", 0), ("random", 1), ("random", 1), ("random", 2)]
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, trained)
    assert not torch.equal(one, other)


def test_what_is_no_encoder_file_is_refused(written: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointAbsentError, match="after a colon"):
        Xares().load("cpu")
    with pytest.raises(CheckpointAbsentError, match="There is no file"):
        _ = Xares(file=str(tmp_path / "absent.py")).sample_rate
    with pytest.raises(UsageError, match=r"found: none\. Keep one"):
        Xares(file=written(("self.output_dim = 6", "pass"))).load("cpu")
    two = Path(written())
    two.write_text(two.read_text() + FILE.replace("SmallEncoder", "OtherEncoder"))
    with pytest.raises(UsageError, match=r"found: OtherEncoder, SmallEncoder\. Keep one"):
        Xares(file=str(two)).load("cpu")
    with pytest.raises(DependencyError, match="No module named 'nobody_has_this'"):
        Xares(file=written(("import torch\n", "import torch\nimport nobody_has_this\n"))).load(
            "cpu"
        )
    (tmp_path / "encoder.txt").write_text(FILE)
    with pytest.raises(UsageError, match="is no Python file"):
        Xares(file=str(tmp_path / "encoder.txt")).load("cpu")
    plain = FILE.replace("(torch.nn.Module)", "").replace("super().__init__()", "pass")
    (tmp_path / "plain.py").write_text(plain)
    with pytest.raises(UsageError, match=r"SmallEncoder of .* is no torch module"):
        Xares(file=str(tmp_path / "plain.py")).load("cpu")


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("import torch\n", "import torch:\n", PluginError, r"\.py cannot be run: SyntaxError: "),
        ("import torch\n", "1 / 0\n", PluginError, "cannot be run: ZeroDivisionError: division"),
        (
            "torch.manual_seed(5)",
            "raise ValueError('two\\n  lines')",
            PluginError,
            r"SmallEncoder of .*\.py' cannot be made: ValueError: two lines\. Correct the file",
        ),
        (
            "torch.manual_seed(5)",
            "import nobody_has_this",
            DependencyError,
            "cannot be made: No module named 'nobody_has_this'. Install what",
        ),
        (
            "torch.manual_seed(5)",
            "from pianobench import UsageError; raise UsageError('as it is')",
            UsageError,
            "^as it is$",
        ),
    ],
)
def test_what_the_file_raises_is_told_in_one_paragraph(
    old: str, new: str, error: type[Exception], said: str, written: Callable[..., str]
) -> None:
    encoder = Xares(file=written((old, new)))
    with pytest.raises(error, match=said):
        _ = encoder.sample_rate
    with pytest.raises(error, match=said):
        encoder.load("cpu")
