"""What all tests share: the data root, and caches that leave the user's alone."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench import Clip, Corpus, Dataset, Dimension, Notes, write_notes
from pianobench.config import RunConfig
from pianobench.evaluate import OutOfFold
from pianobench.frame_store import FrameRow, FrameStore
from pianobench.predictions import write_predictions
from pianobench.record import data_record, protocol_record
from pianobench.rescore import rescore
from pianobench.result import ComponentRecord, Result, read_result, result_name, save, writing
from pianobench.split import make_split

# Read when huggingface-hub is imported: what is not downloaded is absent at once, without retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


# A file of a plugin that pytest had imported already, under a name of its own, would have no
# docstrings for pydantic when it is imported as a plugin.
collect_ignore = ["encoders/tiny_midi_transformer.py"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("data") and not _percepiano().is_dir():
        pytest.skip(f"PercePiano is not at {_percepiano()}; set PIANOBENCH_DATA")


def _percepiano() -> Path:
    return Path(os.environ.get("PIANOBENCH_DATA", "unset")) / "percepiano"


@pytest.fixture
def data_root() -> Path:
    """Folder that holds one folder per dataset; for tests marked `data`."""
    return Path(os.environ["PIANOBENCH_DATA"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own cache folder."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PIANOBENCH_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium without a past, for tests marked `browser`; logs what it asks for."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver (chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("chromium")
    for switch in [
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "hide-scrollbars",
        f"user-data-dir={profile}",
    ]:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    with webdriver.Chrome(options=options, service=service) as opened:
        yield opened


@pytest.fixture
def corpus() -> Corpus:
    """A corpus of 48 clips: 8 passages of 2 works, each played by 6 performers, one a machine."""
    rng = np.random.default_rng(5)
    passages = [f"p{i}" for i in range(8)]
    performers = ["a", "b", "c", "d", "e", "Score"]
    names = [(passage, performer) for passage in passages for performer in performers]
    music = {passage: rng.normal(size=3) for passage in passages}
    touch = {performer: rng.normal(size=3) for performer in performers}
    targets = np.array([0.5 + 0.1 * music[p] + 0.1 * touch[q] for p, q in names])
    return Corpus(
        name="small",
        version="1",
        clips=tuple(Clip(id=f"{p}_{q}", midi=Path(f"{p}_{q}.mid")) for p, q in names),
        dimensions=(Dimension("timing"), Dimension("touch"), Dimension("tempo")),
        targets=targets + 0.02 * rng.normal(size=targets.shape),
        groups={
            "passage": tuple(p for p, _ in names),
            "excerpt": tuple(p for p, _ in names),
            "performer": tuple(q for _, q in names),
            "work": tuple("w1" if p < "p4" else "w2" for p, _ in names),
        },
        human=np.array([q != "Score" for _, q in names]),
        raters=np.full(len(names), 5),
    ).ordered()


@pytest.fixture
def features(corpus: Corpus) -> np.ndarray:
    """Features [clip, 4] from which the targets can be learned."""
    rng = np.random.default_rng(7)
    extra = rng.normal(size=(len(corpus.clips), 1))
    return np.hstack([corpus.targets + 0.05 * rng.normal(size=corpus.targets.shape), extra])


class Small(Dataset):
    """Stands for the dataset of the corpus fixture; the harness makes its folds."""

    name = "small"


@pytest.fixture
def write_frames(tmp_path: Path) -> Callable[..., tuple[Path, ...]]:
    """Store clips of values, shape (frames, layers * width), as frames with beats of two each."""
    store = FrameStore(tmp_path / "frames", {"encoder": "invented"})

    def write(clips: Sequence[np.ndarray], layers: int = 1) -> tuple[Path, ...]:
        store.write(
            [
                FrameRow(
                    str(index),
                    dict(enumerate(np.split(values, layers, axis=1))),
                    {"beat": np.arange(len(values)) // 2},
                )
                for index, values in enumerate(clips)
            ]
        )
        return tuple(store.path(str(index)) for index in range(len(clips)))

    return write


@pytest.fixture
def predicted(corpus: Corpus) -> OutOfFold:
    """Noisy predictions of two seeds, as `piece` would score them."""
    split = make_split(corpus, "piece")
    rng = np.random.default_rng(1)
    folds = np.full(len(corpus.clips), "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    values = corpus.targets + 0.05 * rng.normal(size=(2, *corpus.targets.shape))
    selected = tuple(
        {"fold": f.name, "seed": s, "penalty": 1.0} for f in split.folds for s in (0, 1)
    )
    return OutOfFold((0, 1), values, folds.astype(np.str_), selected)


@pytest.fixture
def stored(tmp_path: Path, corpus: Corpus, predicted: OutOfFold) -> Path:
    """A stored result of those predictions."""
    given = {"dataset": "small", "encoder": "none", "head": "ridge"}
    config = RunConfig.parse({**given, "seeds": [0, 1], "protocols": ["piece"]}, "test")
    with writing(tmp_path / "results", result_name(config)) as folder:
        write_predictions(folder / "predictions-piece.csv", corpus, predicted)
        split = make_split(corpus, "piece")
        record = protocol_record(
            folder, corpus, split, "nested", predicted.selected, optimism=False
        )
        components = {
            kind: ComponentRecord(
                kind=kind, name=name, origin="", options={}, licence="", citation=""
            )
            for kind, name in given.items()
        }
        result = Result(
            name=result_name(config),
            pianobench="0",
            config=config,
            config_digest=config.digest,
            data=data_record(corpus),
            components=components,
            protocols={"piece": record},
            environment={},
            timings_s={},
        )
        save(result, folder)
    return tmp_path / "results" / result_name(config)


@pytest.fixture
def disagreements() -> Callable[[Path, Corpus], list[str]]:
    """Rescore a stored result against a corpus."""
    return lambda folder, corpus: rescore(folder, read_result(folder), Small(), corpus)


@pytest.fixture
def same_weights() -> Callable[[Any, int], Any]:
    """Make torch's own LSTM with the weights of ours."""

    def make(reader: Any, width: int) -> Any:
        import torch

        layers, units = len(reader.forwards), reader.width // 2
        own = torch.nn.LSTM(width, units, layers, batch_first=True, bidirectional=True)
        for layer, pair in enumerate(zip(reader.forwards, reader.backwards, strict=True)):
            for suffix, source in zip(("", "_reverse"), pair, strict=True):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(own, f"{name}_l{layer}{suffix}").data = getattr(
                        source, f"{name}_l0"
                    ).data
        return own.requires_grad_(False)

    return make


@pytest.fixture
def write_take() -> Callable[..., Notes]:
    """Write a take: the notes are the piece's, the touch and the timing the seed's."""

    def write(path: Path, piece: int, seed: int | None, notes: int = 60) -> Notes:
        music = np.random.default_rng(piece)
        pitch = 60 + music.integers(-6 - 2 * piece, 7 + 2 * piece, size=notes)
        onset = np.arange(notes) / (2 + piece)
        touch = np.random.default_rng([piece, seed or 0])
        played = onset if seed is None else onset + 0.01 * touch.random(notes)
        loud = np.full(notes, 64) if seed is None else touch.integers(30, 110, size=notes)
        none = np.zeros(0, dtype=np.int64)
        length = 0.3 + 0.1 * touch.random() / (2 + piece)
        take = Notes(played, played + length, pitch, loud, played[:0], none, none)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_notes(path, take)
        return take

    return write


ASAP_TAKES = {
    ("Bach", "Fugue_1"): ["Ada01", "Bela01M", "Clara01"],
    ("Bach", "Fugue_2"): ["Ada02", "Bela02M"],
    ("Bach", "Prelude"): ["LEE_K03", "LEE_H03"],
    ("Chopin", "Ballade"): ["Ada04", "Clara04"],
    ("Chopin", "Etude"): ["Dinu_2009_05M", "Ada05", "Bela05"],
    ("Chopin", "Waltz"): ["Emil06"],
    ("Liszt", "Sonata"): ["Dinu07", "Ada07_2004"],
    ("Liszt", "Lied"): ["Emil08", "Bela08"],
}


@pytest.fixture
def asap_root(tmp_path: Path, write_take: Callable[..., Notes]) -> Path:
    """A data root holding an ASAP of eight pieces by three composers, 17 takes in all."""
    root = tmp_path / "data" / "asap"
    rows = []
    for number, ((composer, title), players) in enumerate(ASAP_TAKES.items()):
        folder = f"{composer}/{title}"
        write_take(root / folder / "midi_score.mid", number, None)
        for seed, player in enumerate(players, start=1):
            write_take(root / folder / f"{player}.mid", number, seed)
            recorded = player.endswith("M")
            audio = f"{{maestro}}/2004/{player}.wav" if recorded else ""
            rows.append(
                {
                    "composer": composer,
                    "title": title,
                    "folder": folder,
                    "midi_score": f"{folder}/midi_score.mid",
                    "midi_performance": f"{folder}/{player}.mid",
                    "maestro_audio_performance": audio,
                    "start": "1.5" if recorded else "",
                    "end": "",
                }
            )
    write_table(root / "metadata.csv", rows)
    return root.parent


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def psyllabus_root(tmp_path: Path, write_take: Callable[..., Notes]) -> Path:
    """A data root holding a PSyllabus of 22 entries by 4 composers, two of every level."""
    root = tmp_path / "data" / "psyllabus"
    root.mkdir(parents=True)
    entries = {}
    with zipfile.ZipFile(root / "mid.zip", "w") as archive:
        for number in range(22):
            composer = f"Dvořák {'ABCD'[number % 4]}"
            key = f"{composer}Piece no. {number}"
            write_take(tmp_path / "take.mid", number // 2, number + 1)
            archive.write(tmp_path / "take.mid", f"mid/{key}.mid")
            entries[key] = {
                "ps": str(number // 2),
                "youtube_link": "https://example.org",
                "composer": composer,
                "PS_title": f"Piece no. {number}",
                "duration": 30.0,
                "related_entries": [],
            }
    (root / "psyllabus.json").write_text(json.dumps(entries), encoding="utf-8")
    return root.parent
