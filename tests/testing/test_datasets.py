from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, DataError, Dataset, Dimension, Remote
from pianobench.testing import check_component


class GoodDataset(Dataset):
    """Two clips that it makes itself."""

    name = "good-dataset"
    generated = True

    def load(self, root):
        root.mkdir(exist_ok=True)
        return self.corpus(root)

    def corpus(self, root, **changes):
        clips = tuple(Clip(name, midi=root / f"{name}.mid") for name in ("a", "b"))
        for clip in clips:
            clip.midi.touch()
        facts = {
            "name": self.name,
            "version": "1",
            "clips": clips,
            "dimensions": (Dimension("timing"),),
            "targets": np.array([[0.2], [0.8]]),
            "groups": {"passage": ("p", "q")},
            "human": np.ones(2, dtype=bool),
            "raters": np.ones(2, dtype=np.int64),
        }
        return Corpus(**{**facts, **changes})


class UnsortedDataset(GoodDataset):
    """In the order of some listing."""

    def load(self, root):
        return self.corpus(root, clips=tuple(reversed(self.corpus(root).clips)))


class RandomDataset(GoodDataset):
    """Other labels each time."""

    def load(self, root):
        return self.corpus(root, targets=np.random.default_rng().random((2, 1)))


class DanglingDataset(GoodDataset):
    """Names files that are not there."""

    def load(self, root):
        return self.corpus(root, clips=(Clip("a", midi=root / "x"), Clip("b", midi=root / "y")))


class UngroupedDataset(GoodDataset):
    """One clip belongs nowhere."""

    def load(self, root):
        return self.corpus(root, groups={"passage": ("p", "")})


class UnscaledDataset(GoodDataset):
    """Ratings from 1 to 7."""

    def load(self, root):
        return self.corpus(root, targets=np.array([[1.0], [7.0]]))


class UnratedDataset(GoodDataset):
    """Nobody rated one clip."""

    def load(self, root):
        return self.corpus(root, raters=np.array([1, 0]))


class Unlabelled(GoodDataset):
    """Performances that nobody rated."""

    licence = "MIT"
    citation = "Somebody, somewhen"

    def load(self, root):
        return self.corpus(root, dimensions=(), targets=np.zeros((2, 0)))


class AbsentDataset(Dataset):
    """To be downloaded."""

    name = "absent-dataset"
    licence = "MIT"
    citation = "Somebody, somewhen"
    remotes = (Remote("https://example.org/a.zip", "0" * 64, "a.zip"),)
    hint: str = "run `bench fetch absent-dataset`"
    """What the error says."""

    def load(self, root):
        raise DataError(f"No data in {root}: {self.hint}.")


FAULTS = {
    UnsortedDataset: {"loads"},
    RandomDataset: {"loads the same every time"},
    DanglingDataset: {"has the files it names"},
    UngroupedDataset: {"groups every clip"},
    UnscaledDataset: {"scales its targets"},
    UnratedDataset: {"counts its raters"},
}


def test_a_dataset_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodDataset()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_dataset_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]


def test_a_dataset_without_labels_keeps_its_contract():
    checks = {check.name: check for check in check_component(Unlabelled())}
    assert not [name for name, check in checks.items() if check.passed is False]
    assert checks["scales its targets"].detail == "It has no labels."


def test_data_that_is_not_there_is_not_run_but_must_say_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PIANOBENCH_DATA", str(tmp_path))
    kept = {c.name: c for c in check_component(AbsentDataset())}
    assert kept["says how to get absent data"].passed
    assert kept["loads"].passed is None
    assert str(tmp_path) in kept["scales its targets"].detail
    mute = {c.name: c for c in check_component(AbsentDataset(hint="bad luck"))}
    assert "bench fetch absent-dataset" in mute["says how to get absent data"].detail
    assert mute["says how to get absent data"].passed is False


def test_data_that_is_there_is_loaded_from_the_users_folder(monkeypatch, tmp_path):
    class Present(GoodDataset):
        """Downloaded."""

        generated = False
        licence = "MIT"
        citation = "Somebody, somewhen"

        def load(self, root: Path) -> Corpus:
            if not root.is_dir():
                raise DataError("absent")
            return self.corpus(root)

    (tmp_path / "good-dataset").mkdir()
    monkeypatch.setenv("PIANOBENCH_DATA", str(tmp_path))
    checks = {c.name: c for c in check_component(Present())}
    assert checks["says how to get absent data"].passed
    assert checks["loads"].passed
    assert (tmp_path / "good-dataset" / "a.mid").exists()
