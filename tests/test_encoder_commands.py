"""The commands of docs/encoders.md and docs/poolings.md, on small models under the real names."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PARITY = Path(__file__).parent / "parity"
COMMIT = "0" * 39 + "1"

DEMO_COMMANDS = [
    "bench run --dataset demo --encoder mert",
    "bench run --dataset demo --encoder hf:facebook/wav2vec2-base",
    "bench run --dataset demo --encoder mel --pooling attention --head mlp",
    "bench run --dataset demo --encoder mert --layers all --merge weighted",
    "bench check muq",
    "bench store",
]
SLOW_DATA_COMMANDS = ["bench run --encoder muq --layers 9-12"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the hub, as if the models had been downloaded."""
    root = tmp_path_factory.mktemp("hub")

    def snapshot(repository: str) -> Path:
        model = root / f"models--{repository.replace('/', '--')}"
        (model / "refs").mkdir(parents=True)
        (model / "refs" / "main").write_text(COMMIT)
        (model / "snapshots" / COMMIT).mkdir(parents=True)
        return model / "snapshots" / COMMIT

    add_muq(snapshot("OpenMuQ/MuQ-large-msd-iter"))
    mert = snapshot("m-a-p/MERT-v1-95M")
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(PARITY / "mert_95m_tiny" / name, mert / name)
    add_wav2vec2(snapshot("facebook/wav2vec2-base"))
    return root


def add_muq(folder: Path) -> None:
    """MuQ of 12 layers, as published, and of toy widths."""
    import torch
    from safetensors.torch import save_file

    from pianobench_muq.configuration import Configuration
    from pianobench_muq.network import Network

    config = json.loads((PARITY / "muq_tiny" / "config.json").read_text())
    config |= {"encoder_depth": 12, "conv_dim": 4, "encoder_dim": 32}
    config["w2v2_config"] |= {"intermediate_size": 32, "num_attention_heads": 2}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    save_file(Network(Configuration.read(config, "toy")).state_dict(), folder / "model.safetensors")


def add_wav2vec2(folder: Path) -> None:
    """Save wav2vec 2.0 of toy widths by its own library."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


def type_in(command: str, hub: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_HUB_CACHE": str(hub),
        "HF_HUB_OFFLINE": "1",
        "PIANOBENCH_CACHE": os.environ.get("PIANOBENCH_CACHE", str(folder / "cache")),
    }
    program, *arguments = shlex.split(command)
    assert program == "bench"
    return subprocess.run(
        [sys.executable, "-m", "pianobench", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", DEMO_COMMANDS)
def test_the_commands_on_pretrained_encoders_run(command: str, hub: Path, tmp_path: Path) -> None:
    done = type_in(command, hub, tmp_path)
    assert done.returncode == 0, done.stderr
    for path in tmp_path.glob("results/*/result.json"):
        result = json.loads(path.read_text())
        if result["config"]["encoder"]["name"] in {"mert", "hf"}:
            facts = result["components"]["encoder"]["facts"]
            assert facts["source"].endswith(f"@{COMMIT}")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("command", SLOW_DATA_COMMANDS)
def test_the_command_the_project_is_known_by_runs(command: str, hub: Path, tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth", exc_type=ImportError)
    done = type_in(command, hub, tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("results/*-muq-*/result.json")
    result = json.loads(path.read_text())
    assert result["config"]["layers"] == "9-12"
    assert result["protocols"]["piece"]["ranked"]


@pytest.mark.data
@pytest.mark.slow
def test_a_ready_grid_is_planned(hub: Path, tmp_path: Path) -> None:
    done = type_in("bench sweep layers-muq --dry-run", hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 cells: 0 stored, 4 to do, 16 models to fit" in done.stdout
    assert "to encode: muq of fluidsynth:fluid-grand, mean" in done.stdout


def test_without_weights_and_network_a_run_ends_with_one_paragraph(tmp_path: Path) -> None:
    done = type_in("bench run --dataset demo --encoder muq", tmp_path / "empty", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be downloaded and was not downloaded before" in done.stderr
