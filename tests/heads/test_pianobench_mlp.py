import numpy as np
import pytest
from pydantic import ValidationError

from pianobench.training import train_network
from pianobench_mlp import Mlp

torch = pytest.importorskip("torch", reason="torch is not installed")


def test_the_network_is_the_studys():
    layers = list(Mlp().network(4096, 19))
    assert [type(layer).__name__ for layer in layers] == ["Linear", "Dropout", "ReLU", "Linear"]
    assert (layers[0].in_features, layers[0].out_features) == (4096, 512)
    assert layers[1].p == 0.3
    assert (layers[3].in_features, layers[3].out_features) == (512, 19)


def test_the_training_options_are_the_studys():
    assert Mlp().options == {
        "learning_rate": 1e-4,
        "weight_decay": 1e-5,
        "batch_size": 64,
        "epochs": 200,
        "patience": 15,
        "standardise_labels": True,
        "hidden": 512,
        "dropout": 0.3,
    }


def test_the_output_is_not_confined_to_the_range_of_labels():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 1))
    y = 0.5 + 0.2 * x
    groups = np.repeat(np.arange(20).astype(str), 10)
    fitted = train_network(Mlp(learning_rate=1e-3, dropout=0), x, y, groups, 0)
    assert fitted.predict(np.array([[6.0], [-6.0]])) == pytest.approx(
        np.array([[1.7], [-0.7]]), abs=0.2
    )


@pytest.mark.parametrize("options", [{"dropout": 1}, {"hidden": 0}, {"patience": 0}])
def test_options_that_make_no_network_are_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        Mlp(**options)
