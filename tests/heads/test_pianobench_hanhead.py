import numpy as np
import pytest
from pydantic import ValidationError

from pianobench.training import train_network
from pianobench_hanhead import HanHead

torch = pytest.importorskip("torch", reason="torch is not installed")


def test_the_network_is_the_published_one_but_for_its_last_step():
    layers = list(HanHead().network(512, 19))
    assert [type(layer).__name__ for layer in layers] == ["Dropout", "Linear", "GELU", "Linear"]
    assert (layers[1].in_features, layers[1].out_features) == (512, 512)
    assert (layers[3].in_features, layers[3].out_features) == (512, 19)
    bounded = list(HanHead(bounded=True, standardise_labels=False).network(512, 19))
    assert type(bounded[-1]).__name__ == "Sigmoid"


def test_a_bounded_output_needs_labels_as_they_are():
    with pytest.raises(ValidationError, match="standardise_labels=false"):
        HanHead(bounded=True)


def test_a_bounded_output_stays_within_the_labels_range():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 2))
    y = 1 / (1 + np.exp(-x @ random.normal(size=(2, 3))))
    groups = np.repeat(np.arange(16).astype(str), 5)
    head = HanHead(bounded=True, standardise_labels=False, epochs=5)
    predicted = train_network(head, x, y, groups, 0).predict(100 * x)
    assert predicted.min() >= 0
    assert predicted.max() <= 1
