"""Make the MERT parity fixtures with its published modelling code.

The code (``modeling_MERT.py``, ``configuration_MERT.py``) comes with the checkpoints and is not
kept here; FOLDER is a local copy. It runs in an environment of its own, with transformers 4.47::

    python tests/parity/make_mert_fixtures.py FOLDER --model 95m --size tiny --out ...

``tiny`` leaves a whole checkpoint as on the hub and all its states; ``full`` a sample of every
state, since its weights can be rebuilt by seeded_weights.py.
"""

import argparse
import hashlib
import importlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fixture_files import list_keys, save_all_states, save_sampled_states, save_versions
from seeded_weights import published_name, seeded_waveforms, seeded_weights

HERE = Path(__file__).resolve().parent
CONFIGS = {"95m": HERE / "mert_95m_config.json", "330m": HERE / "mert_330m_config.json"}
CODE = ["modeling_MERT.py", "configuration_MERT.py"]
RATE_HZ = 24_000
INPUTS = {"tiny": (2, 16_800), "full": (1, 12_000)}
# What the published config.json says beyond the training repository's export.
PUBLISHED = {
    "architectures": ["MERTModel"],
    "auto_map": {
        "AutoConfig": "configuration_MERT.MERTConfig",
        "AutoModel": "modeling_MERT.MERTModel",
    },
    "deepnorm": False,
    "feat_proj_layer_norm": True,
    "feature_extractor_cqt": False,
    "feature_extractor_cqt_bins": 336,
    "model_type": "mert_model",
    "torch_dtype": "float32",
}
TINY = {
    "conv_dim": [32] * 7,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_conv_pos_embedding_groups": 4,
    "num_conv_pos_embeddings": 16,
    "num_hidden_layers": 3,
}
PROBE = "feature_projection.projection.weight"


def main() -> None:
    """Build the published model, fill it by the rule, and keep what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", type=Path, metavar="FOLDER", help="where the modelling code lies")
    parser.add_argument("--model", choices=sorted(CONFIGS), required=True)
    parser.add_argument("--size", choices=sorted(INPUTS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the fixture")
    parser.add_argument("--bin", action="store_true", help="write pytorch_model.bin as well")
    options = parser.parse_args()

    # The order of sums, and so the last bits, change with the threads; read when torch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"
    config = json.loads(CONFIGS[options.model].read_text()) | PUBLISHED
    if options.size == "tiny":
        config |= TINY
    model = build_model(options.code, config)
    state = fill(model)
    waveforms = seeded_waveforms(*INPUTS[options.size], rate_hz=RATE_HZ)
    extractor = build_extractor()
    states = run(model, extractor, waveforms)

    options.out.mkdir(parents=True, exist_ok=True)
    if options.size == "tiny":
        save_checkpoint(config, state, extractor, options.out, with_bin=options.bin)
        save_all_states(states, {"waveforms": waveforms}, options.out)
    else:
        probed_weight = state[PROBE].numpy()
        save_sampled_states(states, {"waveforms": waveforms}, probed_weight, options.out)
        (options.out / "keys.txt").write_text(list_keys(state))
    save_versions(
        options.out,
        packages=[],
        modelling_code={
            name: hashlib.sha256((options.code / name).read_bytes()).hexdigest() for name in CODE
        },
        attention=model.config._attn_implementation,
    )


def build_model(code: Path, config: dict[str, Any]) -> Any:
    """Build the published MERTModel, ready for inference."""
    if missing := [name for name in CODE if not (code / name).is_file()]:
        sys.exit(f"{code} lacks {' and '.join(missing)}")
    package = types.ModuleType("published_mert")
    package.__path__ = [str(code)]
    sys.modules["published_mert"] = package
    modelling = importlib.import_module("published_mert.modeling_MERT")
    settings = {name: value for name, value in config.items() if name != "model_type"}
    return modelling.MERTModel(modelling.MERTConfig(**settings)).eval()


def fill(model: Any) -> dict[str, Any]:
    """Fill every tensor by the rule; return the state dict by its published names."""
    import torch

    state = {published_name(name): tensor for name, tensor in model.state_dict().items()}
    weights = seeded_weights({name: tensor.shape for name, tensor in state.items()})
    for name, values in weights.items():
        state[name].copy_(torch.from_numpy(values))
    return state


def build_extractor() -> Any:
    """Build the published preprocessing: each waveform standardised by itself."""
    from transformers import Wav2Vec2FeatureExtractor

    return Wav2Vec2FeatureExtractor(
        sampling_rate=RATE_HZ, do_normalize=True, return_attention_mask=True
    )


def run(model: Any, extractor: Any, waveforms: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
    """Return all hidden states, each [batch, frames, width]."""
    import torch

    prepared = extractor(list(waveforms), sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.no_grad():
        output = model(prepared.input_values, output_hidden_states=True)
    if not torch.equal(output.hidden_states[-1], output.last_hidden_state):
        sys.exit("the last hidden state is not the output: another transformers than 4.47?")
    return [state.numpy() for state in output.hidden_states]


def save_checkpoint(
    config: dict[str, Any], state: dict[str, Any], extractor: Any, out: Path, with_bin: bool
) -> None:
    """Write the files of the hub: both configurations and the weights by their published names."""
    import torch
    from safetensors.torch import save_file

    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    extractor.save_pretrained(out)
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    if with_bin:
        torch.save(
            {name: tensor.clone() for name, tensor in state.items()}, out / "pytorch_model.bin"
        )


if __name__ == "__main__":
    main()
