import pytest
from pydantic import ConfigDict

from pianobench import AudioEncoder, DependencyError, Pooling


class GoodPooling(Pooling):
    """The mean over frames."""

    name = "good-pooling"

    def pool(self, frames):
        return frames.values.mean(axis=1)


class BadlyNamed(GoodPooling):
    """Its name has a space."""

    name = "Good head"


class Undocumented(GoodPooling):
    name = "undocumented-head"


class UndocumentedOption(GoodPooling):
    """Its option is not explained."""

    penalty: float = 1.0


class Thawed(GoodPooling):
    """Can be changed."""

    model_config = ConfigDict(frozen=False)


class Lossy(GoodPooling):
    """Has an option that JSON cannot hold."""

    penalty: float = float("inf")
    """Not a number that JSON knows."""


class Untravelled(GoodPooling):
    """Refuses to be pickled."""

    def __reduce__(self):
        raise TypeError("it stays here")


class Borrowed(AudioEncoder):
    """Weights of others, whose licence and source are not named."""

    name = "borrowed"
    sample_rate = 8_000
    pretraining = "much music"

    def load(self, device):
        raise DependencyError("install it")


FAULTS = {
    BadlyNamed: {"has a name that can be typed"},
    Undocumented: {"says what it is"},
    UndocumentedOption: {"says what it is"},
    Thawed: {"refuses changes and unknown options"},
    Lossy: {"is rebuilt from its options"},
    Borrowed: {"names licence and source"},
    Untravelled: {"travels to other processes"},
}


def test_a_component_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodPooling()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_component_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]
