"""Make the MuQ parity fixtures with the original package.

Runs in an environment of its own (the dependency group ``parity``), never in the project's::

    python tests/parity/make_muq_fixtures.py --size tiny --out tests/parity/muq_tiny
    python tests/parity/make_muq_fixtures.py --size full --out tests/parity/muq_full

``tiny`` leaves a whole checkpoint as on the hub and all its states; ``full`` a sample of every
state, since its weights can be rebuilt by seeded_weights.py. With ``--checkpoint FOLDER`` the
whole checkpoint is written there as well, whatever the size.
"""

import argparse
import importlib.util
import json
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fixture_files import list_keys, save_all_states, save_sampled_states, save_versions
from seeded_weights import seeded_waveforms, seeded_weights

HERE = Path(__file__).resolve().parent
CONFIGS = {"tiny": HERE / "muq_config_tiny.json", "full": HERE / "muq_config.json"}
# 1.3 s makes 130 mel frames, no multiple of the 4 that become one state; 1 s makes 100.
INPUTS = {"tiny": (2, 31_200), "full": (1, 24_000)}
PROBE = "model.conv.linear.weight"


def main() -> None:
    """Build the original model, fill it by the rule, and keep what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(CONFIGS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the fixture")
    parser.add_argument("--checkpoint", type=Path, help="also write the whole checkpoint here")
    options = parser.parse_args()

    # The order of sums, and so the last bits, change with the threads; read when torch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"
    stood_in = mount_torchaudio()
    mount_muq()
    config = json.loads(CONFIGS[options.size].read_text())
    model = build_model(config)
    fill(model)
    waveforms = seeded_waveforms(*INPUTS[options.size])
    states = run(model, waveforms)

    options.out.mkdir(parents=True, exist_ok=True)
    if options.size == "tiny":
        save_checkpoint(model, options.out)
        save_all_states(states, {"waveforms": waveforms}, options.out)
    else:
        probed_weight = model.state_dict()[PROBE].numpy()
        save_sampled_states(states, {"waveforms": waveforms}, probed_weight, options.out)
        (options.out / "keys.txt").write_text(list_keys(model.state_dict()))
        codes = build_model({**config, "use_rvq_target": True, "recon_loss_ratio": 0.1})
        (options.out / "keys_mel_rvq.txt").write_text(list_keys(codes.state_dict()))
    if options.checkpoint is not None:
        save_checkpoint(model, options.checkpoint)
    save_versions(options.out, ["muq", "torchaudio"], stood_in=stood_in)


def mount_torchaudio() -> list[str]:
    """Import torchaudio, without its compiled library where that does not fit this torch.

    MuQ uses the mel spectrogram and the decibel scale alone, which are Python over torch; the
    compiled library serves other transforms. Returns what was stood in for.
    """
    try:
        import torchaudio  # noqa: F401 - only to see whether it loads
    except (OSError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        extension: Any = types.ModuleType("torchaudio._extension")
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
        extension.fail_if_no_align = lambda function: function
        sys.modules["torchaudio._extension"] = extension
        return ["torchaudio._extension (the compiled library; the Python code is the original)"]
    return []


def mount_muq() -> None:
    """Make ``muq.muq`` importable without running ``muq/__init__.py``.

    That file imports MuQ-MuLan as well, with torchvision and x_clip, which MuQ does not need.
    """
    found = importlib.util.find_spec("muq")
    if found is None or found.submodule_search_locations is None:
        sys.exit("muq is not installed here: pip install --no-deps muq==0.1.0")
    package = types.ModuleType("muq")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["muq"] = package


def build_model(config: Mapping[str, Any]) -> Any:
    """Build the original MuQ, ready for inference."""
    from muq.muq.muq import MuQ, MuQConfig

    return MuQ(MuQConfig(**config)).eval()


def fill(model: Any) -> None:
    """Fill every tensor by the rule but the rotary frequencies, which follow from the config."""
    import torch

    state = model.state_dict()
    shapes = {name: tensor.shape for name, tensor in state.items() if not name.endswith("inv_freq")}
    for name, values in seeded_weights(shapes).items():
        state[name].copy_(torch.from_numpy(values))


def run(model: Any, waveforms: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return all hidden states, each [batch, frames, width]."""
    import torch

    with torch.no_grad():
        output = model(torch.from_numpy(waveforms), output_hidden_states=True)
    return [state.numpy() for state in output.hidden_states]


def save_checkpoint(model: Any, folder: Path) -> None:
    """Write config.json and model.safetensors as the package does for the hub."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # a generated model card
    (folder / "model.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
