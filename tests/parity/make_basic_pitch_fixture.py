"""Make the basic-pitch parity fixture with the original package.

Runs in an environment of its own, never in the project's (see README.md)::

    python tests/parity/make_basic_pitch_fixture.py --out tests/parity/basic_pitch

Leaves a seeded sample of what the package's inference makes of a waveform that takes three of its
windows.
"""

import argparse
import hashlib
import importlib.metadata
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from seeded_weights import seeded_waveforms

RATE_HZ = 22_050
SAMPLES = 70_000  # two steps of 36,164 samples end before
VALUES = 2_000
# The order of our states' columns.
OUTPUTS = ["note", "onset", "contour"]
PACKAGES = ["basic-pitch", "librosa", "numpy", "onnxruntime"]


def main() -> None:
    """Run the original inference on a file, and keep what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the fixture")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    (waveform,) = seeded_waveforms(1, SAMPLES, RATE_HZ)
    samples = np.round(waveform * 32_768).astype(np.int16)
    state = run(samples)
    save(samples, state, out)
    save_versions(out)


def run(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Write a 16-bit file and return what the package makes of it, (frames, 440)."""
    import librosa
    import soundfile
    from basic_pitch.inference import run_inference

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "waveform.wav"
        soundfile.write(file, samples, RATE_HZ, subtype="PCM_16")
        read, _ = librosa.load(str(file), sr=RATE_HZ, mono=True)
        if not np.array_equal(read, samples / np.float32(32_768)):
            raise SystemExit("The file is not read as it was written.")
        outputs = run_inference(file, model())
    return np.concatenate([outputs[name] for name in OUTPUTS], axis=1)


def model() -> Path:
    """Find the package's ONNX model, whatever else the package would prefer here."""
    from basic_pitch import FilenameSuffix, build_icassp_2022_model_path

    return build_icassp_2022_model_path(FilenameSuffix.onnx)


def save(samples: npt.NDArray[np.int16], state: npt.NDArray[np.float32], out: Path) -> None:
    """Write states.safetensors: the waveform and some ``values`` at flat ``indices``."""
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    indices = np.sort(random.choice(state.size, VALUES, replace=False))
    tensors = {
        "waveform": samples,
        "shape": np.array(state.shape),
        "indices": indices.astype(np.int32),
        "values": state.reshape(-1)[indices],
    }
    save_file(tensors, out / "states.safetensors")
    (out / "states.safetensors").chmod(0o644)


def save_versions(out: Path) -> None:
    """Write versions.json: Python, the packages and the digest of the model."""
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    versions["nmp.onnx sha256"] = hashlib.sha256(model().read_bytes()).hexdigest()
    (out / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
