"""How much processor time the study's head takes to train, against torch's defaults.

``pytest tests/benchmarks/test_training_speed.py`` prints the seconds, of processor time: what else
the machine does then counts little. One model of one fold stands for all of 4 folds and 5 seeds:
they are trained one after another. The ratios are in the extra information; they depend on the
machine, so none is asserted. What is asserted is that both trainings are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, Dimension
from pianobench.evaluate import evaluate
from pianobench.split import make_split
from pianobench.standardisation import Standardisation
from pianobench.training import inner_validation
from pianobench_mlp import Mlp

torch = pytest.importorskip("torch", reason="torch is not installed")

EPOCHS, MODELS, WIDTH, DIMENSIONS = 8, 4 * 5, 4096, 19


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    """As many clips as PercePiano has, and as wide as four layers of MuQ."""
    return np.random.default_rng(0).normal(size=(1202, WIDTH))


@pytest.fixture(scope="module")
def corpus(features: np.ndarray) -> Corpus:
    rng = np.random.default_rng(1)
    clips = len(features)
    passages = [f"p{k % 42:02}" for k in range(clips)]
    labels = features[:, :40] @ rng.normal(size=(40, DIMENSIONS)) / 60 + 0.5
    return Corpus(
        name="as large as percepiano",
        version="1",
        clips=tuple(Clip(id=f"c{k:04}", midi=Path("none.mid")) for k in range(clips)),
        dimensions=tuple(Dimension(f"d{k}") for k in range(DIMENSIONS)),
        targets=labels,
        groups={"passage": tuple(passages)},
        human=np.ones(clips, dtype=bool),
        raters=np.full(clips, 9),
    )


def least_s(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least processor time of each, of all threads; they take turns, so that they fare alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    return {name: min(taken) for name, taken in times.items()}


def with_threads(count: int, work: Callable[[], object]) -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


def products(train: int, seen: int) -> Callable[[], None]:
    """Make the matrix products of one epoch, of the hidden layer, which has 99.5% of them.

    Forwards and the gradient of its weights for the clips that are trained on, forwards for those
    validated on.
    """
    weights, back = torch.rand(512, WIDTH), torch.rand(512, 64)
    batches, validated = torch.rand(train, WIDTH).split(64), torch.rand(seen, WIDTH)

    def multiply() -> None:
        for x in batches:
            x @ weights.T
            back[:, : len(x)] @ x
        validated @ weights.T

    return multiply


def torchs_defaults(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    seed: int,
    x_new: np.ndarray,
    epochs: int = EPOCHS,
) -> np.ndarray:
    """Train the same network on the same batches with `torch.optim.Adam` as it comes."""
    split_seed, module_seed, order_seed = np.random.SeedSequence(seed).generate_state(3).tolist()
    held_out = inner_validation(groups, split_seed)
    inputs, labels = Standardisation.of(x[~held_out]), Standardisation.of(y[~held_out])
    x_train, y_train = inputs.apply(x[~held_out]), labels.apply(y[~held_out])
    x_seen = inputs.apply(x[held_out])
    torch.manual_seed(module_seed)
    order = torch.Generator().manual_seed(order_seed)
    network = Mlp().network(WIDTH, DIMENSIONS)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
    for _ in range(epochs):
        network.train()
        for clips in torch.randperm(len(x_train), generator=order).split(64):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(network(x_train[clips]), y_train[clips]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            network(x_seen)
    with torch.no_grad():
        return labels.undo(network(inputs.apply(x_new)))


@pytest.mark.benchmark(timer=time.process_time)
def test_the_studys_head_against_torchs_defaults_and_its_matrix_products(
    benchmark, corpus: Corpus, features: np.ndarray
) -> None:
    split = make_split(corpus, "piece")
    one = replace(split, folds=split.folds[:1])
    train, test = one.folds[0].train, one.folds[0].test
    passages = np.asarray(corpus.groups["passage"])[train]
    given = (features[train], corpus.targets[train], passages, 0, features[test])
    head = Mlp(epochs=EPOCHS)
    (found,) = benchmark.pedantic(evaluate, (head, features, corpus, [one], (0,)), rounds=1)
    assert found.selected[0]["epochs"] == EPOCHS
    # Before rounding adds up, both are one training.
    np.testing.assert_allclose(found.values[0, test], torchs_defaults(*given), atol=1e-3)

    seen = found.selected[0]["validation_clips"]
    large = torch.rand(2048, 2048)
    defaults = partial(torchs_defaults, *given)
    threads = torch.get_num_threads()
    alone: dict[str, Callable[[], object]] = {
        "ours": partial(evaluate, head, features, corpus, [one], (0,)),
        "default Adam": defaults,
        "these products": products(len(train) - seen, seen),
        "a large product": lambda: large @ large,
    }
    taken = least_s(
        {name: partial(with_threads, 1, work) for name, work in alone.items()}, rounds=5
    )
    # With several threads, default Adam takes so long that a single epoch has to do.
    together = partial(with_threads, threads, partial(defaults, epochs=1))
    taken |= least_s({f"default Adam, {threads} threads": together}, rounds=2)
    taken[f"default Adam, {threads} threads"] *= EPOCHS
    taken["these products"] *= EPOCHS
    operations = 2 * WIDTH * 512 * (2 * (len(train) - seen) + seen)
    taken["a large product"] *= EPOCHS * operations / (2 * 2048**3)
    model_s = taken.pop("ours")
    benchmark.extra_info["s for 4 folds and 5 seeds"] = round(MODELS * model_s, 2)
    benchmark.extra_info["ms per epoch"] = round(1000 * model_s / EPOCHS, 1)
    for name, other_s in taken.items():
        benchmark.extra_info[f"share of the time of {name}"] = round(model_s / other_s, 2)
