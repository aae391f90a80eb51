"""Tiny models of every type, saved and loaded by transformers itself, which is the oracle."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="transformers is not installed")

import torch
import transformers
from safetensors.torch import load_file, save_file

from pianobench import CheckpointError, DependencyError, UsageError
from pianobench.errors import CheckpointAbsentError
from pianobench.forward import encode_waveform
from pianobench.policy import choose_policy
from pianobench.testing.audio_encoders import PROMISES, Trial
from pianobench.testing.checks import check_after_first
from pianobench_hf import HuggingFace

WIDTH = 32
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
SIZE = {"hidden_size": WIDTH, **LAYERS}
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_kernel": (10, 4),
    "conv_stride": (8, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
WAVEFORM = {**SIZE, **CONVOLUTIONS}
BEFORE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
POSITIONS = {"conv_pos_kernel_size": 5, "num_conv_pos_embeddings": 3}
SPEECH = {
    "vocab_size": 20,
    "d_model": WIDTH,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "max_target_positions": 10,
}
TEXT = {"vocab_size": 20, "max_position_embeddings": 16, **SIZE}
HEARING = {
    "patch_embeds_hidden_size": 16,
    "hidden_size": WIDTH,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "num_classes": 2,
}
CODES = {"hidden_size": 16, "num_filters": 4, "codebook_size": 8, "codebook_dim": 16}
STEREO = {
    "audio_channels": 2,
    "normalize": True,
    "chunk_length_s": 1.0,
    "overlap": 0.01,
    "sampling_rate": 48_000,
    "use_causal_conv": False,
    "norm_type": "time_group_norm",
}
SMALL_CODES = {"n_codebooks": 2, "codebook_size": 8, "codebook_dim": 4}
STREAMED = {
    **SIZE,
    "num_filters": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "codebook_size": 8,
    "codebook_dim": 8,
    "vector_quantization_hidden_dimension": 8,
    "num_quantizers": 4,
    "upsample_groups": WIDTH,
}

# Prefix of the classes of the model and its configuration, settings, feature extractor.
Recipe = tuple[str, dict[str, Any], str, dict[str, Any]]
SPEECH_INPUT: tuple[str, dict[str, Any]] = ("Wav2Vec2FeatureExtractor", {"do_normalize": True})
RECIPES: dict[str, Recipe] = {
    "wav2vec2": ("Wav2Vec2", WAVEFORM, "Wav2Vec2FeatureExtractor", {"do_normalize": False}),
    "wav2vec2-before": ("Wav2Vec2", {**WAVEFORM, **BEFORE}, *SPEECH_INPUT),
    "conformer": ("Wav2Vec2Conformer", WAVEFORM, *SPEECH_INPUT),
    "conformer-rotary": (
        "Wav2Vec2Conformer",
        {**WAVEFORM, "position_embeddings_type": "rotary"},
        *SPEECH_INPUT,
    ),
    "bert": (
        "Wav2Vec2Bert",
        {**SIZE, "feature_projection_input_dim": 160},
        "SeamlessM4TFeatureExtractor",
        {},
    ),
    "hubert": ("Hubert", WAVEFORM, *SPEECH_INPUT),
    "hubert-before": ("Hubert", {**WAVEFORM, **BEFORE}, *SPEECH_INPUT),
    "wavlm": ("WavLM", WAVEFORM, *SPEECH_INPUT),
    "wavlm-before": ("WavLM", {**WAVEFORM, **BEFORE}, *SPEECH_INPUT),
    "data2vec": ("Data2VecAudio", {**WAVEFORM, **POSITIONS}, *SPEECH_INPUT),
    "unispeech": ("UniSpeech", WAVEFORM, *SPEECH_INPUT),
    "unispeech-sat": ("UniSpeechSat", WAVEFORM, *SPEECH_INPUT),
    "sew": ("SEW", WAVEFORM, *SPEECH_INPUT),
    "whisper": ("Whisper", SPEECH, "WhisperFeatureExtractor", {}),
    "ast": ("AST", SIZE, "ASTFeatureExtractor", {}),
    "clap": (
        "Clap",
        {"text_config": TEXT, "audio_config": {**HEARING, "enable_fusion": True}},
        "ClapFeatureExtractor",
        {},
    ),
    "clap-unfused": (
        "Clap",
        {"text_config": TEXT, "audio_config": HEARING},
        "ClapFeatureExtractor",
        {"truncation": "rand_trunc"},
    ),
    "encodec": ("Encodec", CODES, "EncodecFeatureExtractor", {}),
    "encodec-stereo": (
        "Encodec",
        {**CODES, **STEREO},
        "EncodecFeatureExtractor",
        {"feature_size": 2, "sampling_rate": 48_000, "chunk_length_s": 1.0, "overlap": 0.01},
    ),
    "dac": (
        "Dac",
        {**SMALL_CODES, "encoder_hidden_size": 4, "decoder_hidden_size": 32},
        "DacFeatureExtractor",
        {},
    ),
    "mimi": ("Mimi", STREAMED, "EncodecFeatureExtractor", {}),
}
LAYERED = [name for name in RECIPES if not name.startswith(("clap", "encodec", "dac", "mimi"))]
CODECS = ["encodec", "encodec-stereo", "dac", "mimi"]
# Where the final layer norm is, of models whose last layer does not end with it.
FINAL_NORMS = {
    "wav2vec2-before": ("encoder.layers.1", "encoder.layer_norm"),
    "conformer": ("encoder.layers.1", "encoder.layer_norm"),
    "hubert-before": ("encoder.layers.1", "encoder.layer_norm"),
    "wavlm-before": ("encoder.layers.1", "encoder.layer_norm"),
    "whisper": ("encoder.layers.1", "encoder.layer_norm"),
    "ast": (("encoder.layer.1", "layers.1"), "layernorm"),
}
# A frame every so many samples, and the states' width.
EXPECTED = {
    **dict.fromkeys(LAYERED, (32, WIDTH)),
    "bert": (320, WIDTH),
    "sew": (64, WIDTH),
    "whisper": (320, WIDTH),
    "ast": (1600, WIDTH),
    "encodec": (320, 16),
    "encodec-stereo": (320, 16),
    "dac": (512, 64),
    "mimi": (1920, WIDTH),
}
TOLERANCE = 1e-5


def quietly(make: Callable[[], Any]) -> Any:
    """Transformers warns of its own defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def save(recipe: Recipe, folder: Path, head: str = "Model") -> Path:
    prefix, settings, extractor, how = recipe
    torch.manual_seed(0)
    config = getattr(transformers, f"{prefix}Config")(**settings)
    model = quietly(lambda: getattr(transformers, f"{prefix}{head}")(config))
    with torch.no_grad():
        # Norms begin as the identity, which would hide one that is left out.
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and "norm" in name and name.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    quietly(lambda: getattr(transformers, extractor)(**how)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a recipe's checkpoint, saved when first asked for."""
    root = tmp_path_factory.mktemp("checkpoints")

    def folder_of(name: str) -> Path:
        folder = root / name
        return folder if folder.is_dir() else save(RECIPES[name], folder)

    return folder_of


@pytest.fixture
def copied(saved: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a recipe's checkpoint, to be changed."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(saved(name), tmp_path / name))

    return copy


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def noise(seconds: float, rate_hz: int, waveforms: int = 1) -> np.ndarray:
    random = np.random.default_rng(3)
    return random.uniform(-0.3, 0.3, (waveforms, round(seconds * rate_hz))).astype(np.float32)


def states_of(folder: Path, waveforms: np.ndarray, **options: Any) -> list[np.ndarray]:
    encode = HuggingFace(checkpoint=str(folder), **options).load("cpu")
    with torch.inference_mode():
        return [state.numpy() for state in encode(torch.from_numpy(waveforms))]


def oracle(folder: Path) -> tuple[Any, Any]:
    extractor = quietly(lambda: transformers.AutoFeatureExtractor.from_pretrained(folder))
    return quietly(lambda: transformers.AutoModel.from_pretrained(folder)).eval(), extractor


def prepared(extractor: Any, waveform: np.ndarray) -> Any:
    return extractor(waveform, sampling_rate=extractor.sampling_rate, return_tensors="pt")


def apart(one: np.ndarray, other: Any) -> float:
    expected = np.asarray(other)
    assert one.shape == expected.shape
    return float(np.abs(one - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", LAYERED)
def test_the_states_are_those_of_the_library(name: str, saved: Callable[[str], Path]) -> None:
    folder = saved(name)
    model, extractor = oracle(folder)
    # 1.015 s are an even number of log-mel frames, so that the library pads none of them.
    waveform = noise(1.015, 16_000)
    inputs = prepared(extractor, waveform[0])
    inputs.pop("attention_mask", None)
    with torch.no_grad():
        output = (model.encoder if name == "whisper" else model)(
            **inputs, output_hidden_states=True
        )
    expected = [*output.hidden_states[:-1], output.last_hidden_state]
    if name == "sew":
        expected = output.hidden_states
    if name == "whisper":
        expected = [state[:, :51] for state in expected]
    if name == "ast":
        # Token 2 + 101 f + t is the patch of band f at time t; 10 of 101 hold something.
        expected = [
            torch.stack([state[:, [2 + 101 * f + t for f in range(12)]].mean(1) for t in range(10)])
            for state in expected
        ]
        expected = [state.transpose(0, 1) for state in expected]
    states = states_of(folder, waveform)
    assert len(states) == len(expected) == 3
    assert max(apart(a, b) for a, b in zip(states, expected, strict=True)) < TOLERANCE


@pytest.mark.parametrize("name", FINAL_NORMS)
def test_the_last_state_has_passed_the_final_norm(name: str, saved: Callable[[str], Path]) -> None:
    folder = saved(name)
    model, extractor = oracle(folder)
    layers, norm = FINAL_NORMS[name]
    modules = dict(model.named_modules())
    last = next(
        modules[path]
        for path in ([layers] if isinstance(layers, str) else layers)
        if path in modules
    )
    heard: list[Any] = []
    last.register_forward_hook(
        lambda _, __, out: heard.append(out if torch.is_tensor(out) else out[0])
    )
    waveform = noise(1.015, 16_000)
    inputs = prepared(extractor, waveform[0])
    inputs.pop("attention_mask", None)
    with torch.no_grad():
        (model.encoder if name == "whisper" else model)(**inputs)
        expected = modules[norm](heard[0])
    if name == "whisper":
        expected = expected[:, :51]
    if name == "ast":
        expected = expected[:, 2:].reshape(1, 12, 101, WIDTH).mean(1)[:, :10]
    assert apart(states_of(folder, waveform)[-1], expected) < TOLERANCE
    assert (
        float((expected - expected.new_tensor(states_of(folder, waveform)[-2])).abs().max()) > 0.1
    )


@pytest.mark.parametrize("name", ["clap", "clap-unfused"])
def test_clap_gives_the_vector_of_its_audio_tower(name: str, saved: Callable[[str], Path]) -> None:
    folder = saved(name)
    model, extractor = oracle(folder)
    waveform = noise(3.0, 48_000)
    with torch.no_grad():
        expected = model.audio_model(**prepared(extractor, waveform[0])).pooler_output
    (state,) = states_of(folder, waveform)
    assert apart(state, expected[:, None]) < TOLERANCE


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_gives_what_its_quantiser_is_given(
    name: str, saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(name)
    model, extractor = oracle(folder)
    given: list[Any] = []
    quantise = model.quantizer.forward if name == "dac" else model.quantizer.encode

    def record(embeddings: Any, *more: Any, **named: Any) -> Any:
        given.append(embeddings)
        return quantise(embeddings, *more, **named)

    monkeypatch.setattr(model.quantizer, "forward" if name == "dac" else "encode", record)
    waveform = noise(1.0, extractor.sampling_rate)
    channels = 2 if name == "encodec-stereo" else 1
    with torch.no_grad():
        model.encode(torch.from_numpy(waveform)[:, None].repeat(1, channels, 1))
    (state,) = states_of(folder, waveform)
    assert apart(state, given[0].transpose(1, 2)) < TOLERANCE


@pytest.mark.parametrize("name", EXPECTED)
def test_frames_come_at_the_rate_that_is_declared(name: str, saved: Callable[[str], Path]) -> None:
    encoder = HuggingFace(checkpoint=str(saved(name)))
    hop, width = EXPECTED[name]
    assert encoder.hop_samples == hop
    loaded = encoder.load("cpu")
    assert loaded.frame_rate_hz == encoder.sample_rate / hop
    shortest = max(encoder.minimum_samples, 2 * hop)
    with torch.inference_mode():
        first, second = (loaded(torch.zeros(1, shortest + more * hop))[-1] for more in (0, 7))
    assert second.shape == (1, first.shape[1] + 7, width)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_model_keeps_the_contract(name: str, saved: Callable[[str], Path]) -> None:
    checks = check_after_first(PROMISES, Trial(HuggingFace(checkpoint=str(saved(name)))))
    assert [str(check) for check in checks if not check.passed] == []


@pytest.mark.parametrize("name", ["wav2vec2", "sew", "bert", "ast"])
def test_one_sample_less_than_the_shortest_gives_no_frame(
    name: str, saved: Callable[[str], Path]
) -> None:
    encoder = HuggingFace(checkpoint=str(saved(name)))
    encode = encoder.load("cpu")
    with torch.inference_mode():
        assert encode(torch.ones(1, encoder.minimum_samples))[-1].shape[1] == 1
        try:
            frames = encode(torch.ones(1, encoder.minimum_samples - 1))[-1].shape[1]
        except (RuntimeError, RuntimeWarning, ValueError):
            frames = 0
    assert frames == 0


@pytest.mark.parametrize(
    ("name", "chunk_s"), [("ast", 10.1), ("whisper", 30.0), ("clap", 10.0), ("encodec-stereo", 1.0)]
)
def test_a_long_clip_is_cut_into_what_the_model_takes(
    name: str, chunk_s: float, saved: Callable[[str], Path]
) -> None:
    encoder = HuggingFace(checkpoint=str(saved(name)))
    assert encoder.chunk_s == chunk_s
    # What hangs over is too short for a piece of its own where the model needs a whole window.
    samples = round(chunk_s * encoder.sample_rate) + 399
    waveform = np.random.default_rng(0).uniform(-0.1, 0.1, samples).astype(np.float32)
    policy = choose_policy(encoder)
    states = encode_waveform(encoder, encoder.load("cpu"), waveform, policy)
    assert (
        len(states.times_s) == {"ast": 101, "whisper": 1502, "clap": 2, "encodec-stereo": 152}[name]
    )
    assert states.times_s[-1] <= samples / encoder.sample_rate + 0.01
    assert (np.diff(states.times_s) > 0).all()


def test_a_chunk_longer_than_the_model_takes_is_refused(saved: Callable[[str], Path]) -> None:
    for name in ("whisper", "ast", "clap", "encodec-stereo"):
        encoder = HuggingFace(checkpoint=str(saved(name)))
        longer = torch.zeros(1, round((encoder.chunk_s + 0.1) * encoder.sample_rate))
        with pytest.raises(UsageError, match=r"is longer than the .* takes at once. Leave --chunk"):
            encoder.load("cpu")(longer)


def test_frames_after_the_end_of_the_waveform_are_dropped(saved: Callable[[str], Path]) -> None:
    (*_, state) = states_of(saved("whisper"), noise(0.5, 16_000))
    assert state.shape[1] == 25
    (*_, state) = states_of(saved("ast"), noise(0.5, 16_000))
    assert state.shape[1] == 5


def test_facts_are_read_without_weights(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    (folder / "model.safetensors").unlink()
    encoder = HuggingFace(checkpoint=str(folder))
    facts = (encoder.layers, encoder.sample_rate, encoder.chunk_s, encoder.minimum_samples)
    assert facts == (2, 16_000, 10.0, 34)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("wav2vec2", "ForCTC"),
        ("wav2vec2", "ForPreTraining"),
        ("unispeech-sat", "ForSequenceClassification"),
        ("whisper", "ForConditionalGeneration"),
        ("ast", "ForAudioClassification"),
    ],
)
def test_a_head_is_left_out(name: str, head: str, tmp_path: Path) -> None:
    folder = save(RECIPES[name], tmp_path / "with-head", head)
    model, extractor = oracle(folder)
    waveform = noise(1.015, 16_000)
    inputs = prepared(extractor, waveform[0])
    inputs.pop("attention_mask", None)
    with torch.no_grad():
        output = (model.encoder if name == "whisper" else model)(**inputs)
    expected = output.last_hidden_state
    if name == "whisper":
        expected = expected[:, :51]
    if name == "ast":
        expected = expected[:, 2:].reshape(1, 12, 101, WIDTH).mean(1)[:, :10]
    assert apart(states_of(folder, waveform)[-1], expected) < TOLERANCE


def test_a_pickle_of_tensors_with_older_names_gives_the_same(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    expected = states_of(folder, noise(0.5, 16_000))
    tensors = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for key, tensor in load_file(folder / "model.safetensors").items()
    }
    assert any(key.endswith("weight_g") for key in tensors)
    older = folder.with_name("older")
    shutil.copytree(folder, older, ignore=shutil.ignore_patterns("model.safetensors"))
    torch.save(tensors, older / "pytorch_model.bin")
    states = states_of(older, noise(0.5, 16_000))
    assert all(np.array_equal(a, b) for a, b in zip(states, expected, strict=True))


def test_a_checkpoint_in_half_precision_is_computed_in_single(
    copied: Callable[[str], Path],
) -> None:
    half, single = copied("hubert"), copied("hubert-before")
    shutil.rmtree(single)
    shutil.copytree(half, single)
    change_tensors(half, lambda t: t.update({k: v.half() for k, v in t.items()}))
    change_json(half / "config.json", dtype="float16", torch_dtype="float16")
    change_tensors(single, lambda t: t.update({k: v.half().float() for k, v in t.items()}))
    states = zip(*(states_of(f, noise(0.5, 16_000)) for f in (half, single)), strict=True)
    assert all(a.dtype == np.float32 and np.array_equal(a, b) for a, b in states)


@pytest.mark.parametrize("name", RECIPES)
def test_a_missing_tensor_is_refused(name: str, copied: Callable[[str], Path]) -> None:
    folder = copied(name)
    lost: list[str] = []

    def lose(tensors: dict[str, torch.Tensor]) -> None:
        heard = [
            key
            for key, tensor in tensors.items()
            if tensor.dim() == 2
            and not key.startswith(("text_", "audio_proj", "quantizer", "decoder"))
        ] or [key for key in tensors if key.startswith("encoder.") and key.endswith("bias")]
        lost.append(heard[len(heard) // 2])
        del tensors[lost[0]]

    change_tensors(folder, lose)
    with pytest.raises(CheckpointError, match=r"it lacks .* incomplete or of another model"):
        HuggingFace(checkpoint=str(folder)).load("cpu")


@pytest.mark.parametrize("name", ["wav2vec2", "whisper", "ast", "clap", "dac"])
def test_an_unknown_tensor_is_refused(name: str, copied: Callable[[str], Path]) -> None:
    folder = copied(name)
    change_tensors(folder, lambda t: t.update({"encoder.extra.weight": torch.zeros(3)}))
    with pytest.raises(CheckpointError, match=r"it holds unknown encoder\.extra\.weight"):
        HuggingFace(checkpoint=str(folder)).load("cpu")


def test_a_tensor_of_another_shape_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    key = "encoder.layers.0.attention.q_proj.weight"
    change_tensors(folder, lambda t: t.update({key: torch.zeros(3, 3)}))
    with pytest.raises(CheckpointError, match="incomplete or of another model"):
        HuggingFace(checkpoint=str(folder)).load("cpu")


def test_a_tensor_that_is_not_finite_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    key = "encoder.layers.0.attention.q_proj.weight"
    change_tensors(folder, lambda t: t.update({key: t[key] * torch.nan}))
    with pytest.raises(CheckpointError, match=rf"not finite: {key}"):
        HuggingFace(checkpoint=str(folder)).load("cpu")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_code_that_comes_with_a_checkpoint_is_never_run(
    file: str, copied: Callable[[str], Path]
) -> None:
    folder = copied("hubert")
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Evil: pass\n")
    change_json(folder / file, auto_map={"AutoModel": "evil.Evil"})
    with pytest.raises(CheckpointError, match=r"code of its own .*evil\.Evil.* never run.*adapter"):
        HuggingFace(checkpoint=str(folder)).load("cpu")
    assert not ran.exists()


def test_an_unknown_type_is_refused_with_those_that_are_known(
    copied: Callable[[str], Path],
) -> None:
    folder = copied("hubert")
    change_json(folder / "config.json", model_type="bark")
    with pytest.raises(
        CheckpointError, match=r"type 'bark'.*It knows audio-.*, whisper; MERT"
    ) as e:
        _ = HuggingFace(checkpoint=str(folder)).layers
    assert "\n" not in str(e.value)
    assert "README.md, 'Add an encoder'" in str(e.value)


def test_a_feature_extractor_of_another_model_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    path = folder / "preprocessor_config.json"
    change_json(path, feature_extractor_type="WhisperFeatureExtractor")
    with pytest.raises(CheckpointError, match="prepares waveforms by 'WhisperFeatureExtractor'"):
        _ = HuggingFace(checkpoint=str(folder)).layers


def test_settings_within_those_of_a_processor_are_found(copied: Callable[[str], Path]) -> None:
    folder = copied("wavlm")
    expected = states_of(folder, noise(0.5, 16_000))
    within = folder.with_name("within")
    folder.rename(within)
    settings = json.loads((within / "preprocessor_config.json").read_text())
    (within / "preprocessor_config.json").unlink()
    (within / "processor_config.json").write_text(json.dumps({"feature_extractor": settings}))
    states = states_of(within, noise(0.5, 16_000))
    assert all(np.array_equal(a, b) for a, b in zip(states, expected, strict=True))


@pytest.mark.parametrize("instead", [None, "{}", "[1]", "{"])
def test_a_checkpoint_without_a_sample_rate_is_refused(
    instead: str | None, copied: Callable[[str], Path]
) -> None:
    folder = copied("hubert")
    (folder / "preprocessor_config.json").unlink()
    if instead is not None:
        (folder / "preprocessor_config.json").write_text(instead)
    with pytest.raises(
        CheckpointError, match=r"sample rate|Cannot read|holds a JSON list, not an object"
    ):
        _ = HuggingFace(checkpoint=str(folder)).sample_rate


def test_a_configuration_that_makes_no_model_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    change_json(folder / "config.json", conv_stride=[1, 2, 3])
    with pytest.raises(CheckpointError, match=r"configuration .* cannot be used with transformers"):
        _ = HuggingFace(checkpoint=str(folder)).layers


def test_a_checkpoint_has_to_be_named() -> None:
    with pytest.raises(CheckpointAbsentError, match="Name one after a colon"):
        HuggingFace().load("cpu")


def test_without_transformers_it_says_what_to_install(
    copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied("hubert")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyError, match=r"pianobench\[models\]"):
        _ = HuggingFace(checkpoint=str(folder)).layers


def test_random_weights_follow_the_seed_and_need_none(copied: Callable[[str], Path]) -> None:
    folder = copied("whisper")
    trained = HuggingFace(checkpoint=str(folder)).load("cpu").weights_digest
    (folder / "model.safetensors").unlink()
    before = torch.random.get_rng_state()
    one, again, other = (
        HuggingFace(checkpoint=str(folder), weights="random", weights_seed=seed).load("cpu")
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.weights_digest == again.weights_digest
    assert len({trained, one.weights_digest, other.weights_digest}) == 3
    assert one.source == "random, seed 1"


def test_the_digest_follows_weights_and_settings(copied: Callable[[str], Path]) -> None:
    folder = copied("hubert")
    settings, weights = folder.with_name("settings"), folder.with_name("weights")
    for copy in (settings, weights):
        shutil.copytree(folder, copy)
    change_json(settings / "preprocessor_config.json", do_normalize=False)
    change_tensors(weights, lambda t: t.update({k: v + 1 for k, v in t.items() if v.dim() == 2}))
    loads = [HuggingFace(checkpoint=str(f)).load("cpu") for f in (folder, settings, weights)]
    assert len({loaded.weights_digest for loaded in loads}) == 3
    assert {loaded.source for loaded in loads} == {"folder"}
