import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianobench import DependencyError, NetworkHead, descent
from pianobench.errors import PluginError, SplitError, TrainingError
from pianobench.metrics import within_passage_accuracy
from pianobench.training import Standardisation, inner_validation, train_network

torch = pytest.importorskip("torch", reason="torch is not installed")


class Linear(NetworkHead):
    """No hidden layer, so that the best fit is known in closed form."""

    name: ClassVar[str] = "linear"

    def network(self, width, dimensions):
        return torch.nn.Linear(width, dimensions)


class Dropping(Linear):
    """Draws random numbers while it is trained."""

    def network(self, width, dimensions):
        return torch.nn.Sequential(
            torch.nn.Linear(width, 16),
            torch.nn.Dropout(0.3),
            torch.nn.ReLU(),
            torch.nn.Linear(16, dimensions),
        )


class OneColumn(Linear):
    """Breaks the contract: one output, whatever the number of dimensions."""

    def network(self, width, dimensions):
        return torch.nn.Linear(width, 1)


def problem(clips=60, units=12, noise=0.05):
    random = np.random.default_rng(3)
    x = random.normal([0, 5, -3, 0], [1, 10, 0.1, 2], size=(clips, 4))
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    y = 0.5 + 0.1 * scaled @ random.normal(size=(4, 3)) + noise * random.normal(size=(clips, 3))
    groups = np.array([f"u{k % units:02}" for k in range(clips)])
    return x, y, groups


def least_squares(x, y, weight):
    with_one = np.column_stack([x, np.ones(len(x))])
    root = np.sqrt(weight)[:, None]
    return with_one @ np.linalg.lstsq(root * with_one, root * y, rcond=None)[0]


def r2(y, predicted):
    return np.mean(1 - ((y - predicted) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0))


LONG = {"learning_rate": 0.02, "weight_decay": 0, "batch_size": 60, "epochs": 600}


@pytest.mark.parametrize("standardise_labels", [True, False])
@pytest.mark.parametrize("uneven", [True, False])
def test_a_linear_network_finds_the_weighted_least_squares_solution(standardise_labels, uneven):
    x, y, groups = problem()
    weight = np.where(np.arange(60) % 3 == 0, 9.0, 1.0) if uneven else np.ones(60)
    solution = least_squares(x, y, weight)
    head = Linear(**LONG, patience=600, standardise_labels=standardise_labels)
    fitted = train_network(head, x, y, groups, 0, weight, validation=(x, solution))
    np.testing.assert_allclose(fitted.predict(x), solution, atol=2e-4)
    other = least_squares(x, y, np.ones(60) if uneven else np.arange(1.0, 61.0))
    assert np.abs(solution - other).max() > 5e-3


def test_a_clip_of_weight_zero_does_not_count():
    x, y, groups = problem()
    spoilt = y.copy()
    spoilt[:10] += 100
    weight = np.r_[np.zeros(10), np.ones(50)]
    solution = least_squares(x[10:], y[10:], np.ones(50))
    head = Linear(**LONG, patience=600, standardise_labels=False)
    validation = (x[10:], solution)
    fitted = train_network(head, x, spoilt, groups, 0, weight, validation=validation)
    np.testing.assert_allclose(fitted.predict(x[10:]), solution, atol=2e-4)


def test_only_the_ratios_of_weights_matter():
    x, y, groups = problem()
    weight = np.linspace(0.5, 2, 60)
    one, other = (
        train_network(Linear(epochs=20), x, y, groups, 0, w).predict(x)
        for w in (weight, 8 * weight)
    )
    np.testing.assert_array_equal(one, other)


def test_the_best_epoch_is_kept_and_told():
    x, y, groups = problem(noise=0.2)
    head = Linear(learning_rate=0.02, epochs=300, patience=7)
    fitted = train_network(head, x, y, groups, 4)
    scores = [epoch.validation_r2 for epoch in fitted.curve]
    best = int(np.argmax(scores))
    assert 0 < best < 300 - 8
    assert len(fitted.curve) == best + 1 + 7
    held_out = ~np.isin(np.arange(60), np.flatnonzero(fitted_on(fitted, x, groups)))
    assert fitted.selected == {
        "epochs": best + 1,
        "validation_r2": scores[best],
        "validation_clips": int(held_out.sum()),
        "validation": "inner",
        "validation_units": len(set(groups[held_out])),
    }
    assert r2(y[held_out], fitted.predict(x[held_out])) == pytest.approx(scores[best], abs=1e-5)
    assert json.loads(json.dumps(fitted.selected)) == fitted.selected


def fitted_on(fitted, x, groups):
    """Clips of the only set of units whose mean is the one that inputs were standardised with."""
    from itertools import combinations

    units = sorted(set(groups))
    for count in range(1, len(units)):
        for held_out in combinations(units, count):
            kept = ~np.isin(groups, held_out)
            if np.allclose(x[kept].mean(0), fitted.inputs.mean, rtol=0, atol=1e-12):
                return kept
    raise AssertionError("inputs were standardised on more or fewer than whole units")


def test_given_validation_is_looked_at_and_nothing_is_held_out():
    x, y, groups = problem()
    x_seen, y_seen, _ = problem(clips=25)
    fitted = train_network(Linear(epochs=5), x, y, groups, 0, validation=(x_seen, y_seen))
    np.testing.assert_allclose(fitted.inputs.mean, x.mean(0))
    np.testing.assert_allclose(fitted.labels.std, y.std(0))
    assert fitted.selected["validation"] == "given"
    assert fitted.selected["validation_clips"] == 25
    expected = r2(y_seen, fitted.predict(x_seen))
    assert fitted.selected["validation_r2"] == pytest.approx(expected, rel=1e-5)


def test_held_out_labels_decide_the_epoch_alone():
    x, y, groups = problem()
    head = Dropping(learning_rate=0.01, epochs=30, patience=30)
    fitted = train_network(head, x, y, groups, 1)
    kept = fitted_on(fitted, x, groups)
    changed = y.copy()
    changed[~kept] = np.random.default_rng(0).random((int((~kept).sum()), 3))
    other = train_network(head, x, changed, groups, 1)
    assert [epoch.loss for epoch in other.curve] == [epoch.loss for epoch in fitted.curve]
    assert [e.validation_r2 for e in other.curve] != [e.validation_r2 for e in fitted.curve]


@pytest.mark.parametrize("seed", [0, 2**40])
def test_one_seed_gives_one_result_and_another_seed_another(seed):
    x, y, groups = problem()
    one, again, other = (
        train_network(Dropping(epochs=5), x, y, groups, s).predict(x)
        for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_the_processes_generator_and_threads_neither_matter_nor_change():
    x, y, groups = problem()
    expected = train_network(Dropping(epochs=5), x, y, groups, 0)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        torch.manual_seed(11)
        before = torch.get_rng_state()
        fitted = train_network(Dropping(epochs=5), x, y, groups, 0)
        np.testing.assert_array_equal(fitted.predict(x), expected.predict(x))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_trainings_at_one_time_do_not_disturb_each_other():
    x, y, groups = problem()

    def fit(seed):
        return train_network(Dropping(epochs=20), x, y, groups, seed).predict(x)

    alone = [fit(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(fit, range(6)))
    np.testing.assert_array_equal(together, alone)


def test_a_feature_constant_in_training_says_nothing_later():
    x, y, groups = problem()
    x[:, 1] = 0.1
    fitted = train_network(Dropping(epochs=5), x, y, groups, 0)
    moved = x.copy()
    moved[:, 1] = 1e9
    np.testing.assert_array_equal(fitted.predict(moved), fitted.predict(x))


def test_a_label_constant_in_training_is_predicted_as_it_was():
    x, y, groups = problem()
    y[:, 1] = 0.3
    fitted = train_network(Dropping(epochs=5), x, y, groups, 0)
    np.testing.assert_allclose(fitted.predict(x)[:, 1], 0.3, rtol=1e-12)
    assert np.isfinite(fitted.selected["validation_r2"])


def test_what_was_fitted_travels_and_predicts_clips_one_by_one():
    x, y, groups = problem()
    fitted = train_network(Dropping(epochs=5), x, y, groups, 0)
    arrived = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(arrived.predict(x), fitted.predict(x))
    singly = np.concatenate([fitted.predict(clip[None]) for clip in x])
    np.testing.assert_allclose(singly, fitted.predict(x), atol=1e-6)


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=30),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_the_inner_split_keeps_units_whole_whatever_the_order_of_clips(sizes, seed, random):
    groups = np.repeat([f"unit-{k}" for k in range(len(sizes))], sizes)
    held_out = inner_validation(groups, seed)
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert 0 < held_out.sum() < len(groups)
    order = np.array(random.sample(range(len(groups)), len(groups)))
    np.testing.assert_array_equal(inner_validation(groups[order], seed), held_out[order])
    wanted = len(groups) / 5
    if min(sizes) <= 2 * wanted:
        assert abs(held_out.sum() - wanted) <= max(wanted, min(sizes) - wanted)


@given(st.integers(5, 500), st.integers(0, 1000))
def test_of_single_clips_the_inner_split_takes_a_fifth(clips, seed):
    held_out = inner_validation(np.arange(clips).astype(str), seed)
    assert abs(held_out.sum() - clips / 5) <= 0.5


def test_every_unit_is_held_out_by_some_seed():
    groups = np.repeat(np.arange(10).astype(str), 7)
    seen = {unit for seed in range(60) for unit in groups[inner_validation(groups, seed)]}
    assert seen == set(groups)


def test_where_every_unit_is_too_large_the_smallest_is_held_out():
    groups = np.repeat(["a", "b"], [60, 40])
    assert set(groups[inner_validation(groups, 0)]) == {"b"}


def test_standardised_columns_have_mean_0_and_deviation_1_and_come_back():
    x, _, _ = problem()
    x[:, 3] = 0.1
    standardise = Standardisation.of(x)
    scaled = standardise.apply(x)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(0, correction=0), [1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(standardise.undo(scaled), x, rtol=1e-5, atol=1e-5)


def test_a_single_unit_is_refused():
    x, y, _ = problem()
    with pytest.raises(SplitError, match=r"two groups .* holds 1 \(only\)"):
        train_network(Linear(), x, y, np.full(60, "only"), 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y, w: (x[:-1], y, w), r"inputs of shape \(59, 4\), targets of shape \(60, 3\)"),
        (lambda x, y, w: (x, y[:, 0], w), r"targets of shape \(60,\)"),
        (lambda x, y, w: (x, y, w[:-1]), r"weights of shape \(59,\)|shape \(59,\)"),
        (lambda x, y, w: (np.where(x > 5, np.nan, x), y, w), "of the inputs are not finite"),
        (lambda x, y, w: (x, np.where(y > 0.5, np.inf, y), w), "of the targets are not finite"),
        (lambda x, y, w: (x, y, w * np.nan), "60 of the weights are not finite"),
        (lambda x, y, w: (x, y, -w), "weights from -1.0 to -1.0"),
        (lambda x, y, w: (x, y, 0 * w), "weights from 0.0 to 0.0"),
        (lambda x, y, w: (x, np.full_like(y, 0.5), w), "no label that varies"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(spoil, message):
    x, y, groups = problem()
    x, y, weight = spoil(x, y, np.ones(60))
    with pytest.raises(TrainingError, match=message):
        train_network(Linear(), x, y, groups, 0, weight)


def test_a_single_clip_to_validate_on_is_refused():
    x, y, groups = problem()
    with pytest.raises(TrainingError, match="1 clips to validate on"):
        train_network(Linear(), x, y, groups, 0, validation=(x[:1], y[:1]))


def test_a_loss_that_diverges_is_an_error_that_names_the_learning_rate():
    x, y, groups = problem()
    with pytest.raises(TrainingError, match=r"'linear' diverged: .* head.learning_rate, .* 1e\+30"):
        train_network(Linear(learning_rate=1e30), x, y, groups, 0)


def test_a_network_of_another_shape_is_refused():
    x, y, groups = problem()
    with pytest.raises(PluginError, match=r"returns shape \((\d+), 1\) .* asks for \(\1, 3\)"):
        train_network(OneColumn(), x, y, groups, 0)


def test_without_torch_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    x, y, groups = problem()
    with pytest.raises(DependencyError, match=r'pip install "pianobench\[models\]"'):
        train_network(Linear(), x, y, groups, 0)


def test_a_bound_on_the_gradient_changes_the_steps_and_a_wide_one_does_not():
    x, y, groups = problem()

    def predicted(norm):
        head = Linear(epochs=3, learning_rate=0.1, gradient_norm=norm)
        return train_network(head, x, y, groups, 0).predict(x)

    np.testing.assert_allclose(predicted(1e6), predicted(None), rtol=1e-6)
    # Adam undoes a constant factor, but not its epsilon.
    assert np.abs(predicted(1e-9) - predicted(None)).max() > 1e-3


def test_a_step_size_that_shrinks_to_nothing_stops_the_training():
    x, y, groups = problem()
    head = {"learning_rate": 0.1, "batch_size": 60}
    one = train_network(Linear(**head, epochs=1), x, y, groups, 0).predict(x)
    frozen = Linear(**head, epochs=9, patience=9, decay=1e-12, decay_steps=1)
    np.testing.assert_allclose(train_network(frozen, x, y, groups, 0).predict(x), one, atol=1e-6)
    free = train_network(Linear(**head, epochs=9, patience=9), x, y, groups, 0).predict(x)
    assert np.abs(free - one).max() > 1e-2


@pytest.mark.parametrize("options", [{}, {"decay": 0.9, "decay_steps": 3}])
def test_a_refit_is_trained_on_every_clip_for_the_epochs_that_were_chosen(options):
    x, y, groups = problem(noise=0.2)
    head = {"learning_rate": 0.02, "epochs": 60, "patience": 7, **options}
    chosen = train_network(Dropping(**head), x, y, groups, 4)
    epochs = chosen.selected["epochs"]
    assert 1 < epochs < len(chosen.curve)
    refitted = train_network(Dropping(**head, refit=True), x, y, groups, 4)
    assert refitted.selected == {**chosen.selected, "refit_clips": 60}
    assert refitted.curve == chosen.curve
    np.testing.assert_allclose(refitted.inputs.mean, x.mean(0))
    # A training that sees all clips and cannot stop before takes the same steps.
    as_long = Dropping(**head | {"epochs": epochs, "patience": epochs})
    fitted = train_network(as_long, x, y, groups, 4, validation=rising(as_long, x, y, groups))
    np.testing.assert_array_equal(refitted.predict(x), fitted.predict(x))


def rising(head, x, y, groups):
    """Clips to validate on that the last epoch predicts best: what it itself makes of them."""
    fitted = train_network(head.model_copy(update={"refit": True}), x, y, groups, 4)
    assert fitted.selected["epochs"] == head.epochs
    return x, fitted.predict(x)


def test_where_validation_is_given_there_is_nothing_to_fit_again():
    x, y, groups = problem()
    one, other = (
        train_network(Dropping(epochs=4, refit=refit), x, y, groups, 0, validation=(x, y))
        for refit in (False, True)
    )
    assert one.selected == other.selected
    np.testing.assert_array_equal(one.predict(x), other.predict(x))


def test_weights_of_zero_on_all_that_is_held_out_do_no_harm():
    x, y, groups = problem()
    held_out = inner_validation(groups, np.random.SeedSequence(0).generate_state(3)[0])
    fitted = train_network(Linear(epochs=3), x, y, groups, 0, np.where(held_out, 0.0, 1.0))
    expected = train_network(Linear(epochs=3), x, y, groups, 0)
    np.testing.assert_array_equal(fitted.predict(x), expected.predict(x))


@pytest.mark.parametrize("loss", ["ccc", "hybrid", "huber", "rank"])
def test_every_loss_learns_and_is_not_the_squared_error(loss):
    x, y, groups = problem()
    head = {"learning_rate": 0.02, "epochs": 80, "batch_size": 16}
    fitted = train_network(Linear(**head, loss=loss), x, y, groups, 0)
    assert fitted.selected["validation_r2"] > 0.6
    plain = train_network(Linear(**head), x, y, groups, 0)
    assert np.abs(fitted.predict(x) - plain.predict(x)).max() > 1e-4


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=20),
    st.integers(0, 1000),
    st.randoms(use_true_random=False),
)
def test_batches_of_pairs_hold_every_clip_once_and_passages_in_runs(sizes, seed, random):
    labels = [k for k, size in enumerate(sizes) for _ in range(size)]
    random.shuffle(labels)
    passages = torch.tensor(labels)
    order = torch.Generator().manual_seed(seed)
    drawn, again = descent._paired(passages, order), descent._paired(passages, order)
    for clips in (drawn, again):
        assert sorted(clips.tolist()) == list(range(len(labels)))
        changes = int((passages[clips].diff() != 0).sum())
        assert changes < sum(-(-size // 4) for size in sizes)
    if min(sizes) > 4:
        assert drawn.tolist() != again.tolist()


def test_the_order_loss_compares_clips_of_a_passage_and_no_others():
    x, y, groups = problem()
    head = Linear(epochs=10, learning_rate=0.02, loss="rank")
    passages = np.char.add("p", (np.arange(60) % 5).astype(str))
    given_them = train_network(head, x, y, groups, 0, passages=passages).predict(x)
    renamed = train_network(head, x, y, groups, 0, passages=np.char.add("z", passages)).predict(x)
    by_group = train_network(head, x, y, groups, 0).predict(x)
    np.testing.assert_array_equal(given_them, renamed)
    assert np.abs(given_them - by_group).max() > 1e-5


def takes(seed, passages):
    """Clips whose level is their passage's and cannot be known; touch tells takes apart."""
    random = np.random.default_rng(seed)
    passage = np.repeat(np.arange(passages), 6)
    touch = random.normal(size=(len(passage), 1))
    music = random.normal(size=(passages, 30))[passage]
    level = random.normal(size=(passages, 1))[passage]
    x = np.hstack([touch, music + 0.5 * random.normal(size=music.shape)])
    y = level + 0.3 * touch + 0.1 * random.normal(size=touch.shape)
    return x, y, np.char.add("p", passage.astype(str))


def test_the_order_loss_tells_takes_apart_where_the_level_of_passages_is_chance():
    def accuracy(seed, **options):
        x, y, passages = takes(seed, 40)
        head = Linear(learning_rate=0.01, epochs=40, batch_size=32, **options)
        fitted = train_network(head, x, y, passages, seed)
        x_new, y_new, passages_new = takes(100 + seed, 60)
        return within_passage_accuracy(y_new, fitted.predict(x_new), passages_new)[0]

    squares = np.array([accuracy(seed) for seed in range(4)])
    order = np.array([accuracy(seed, loss="rank", loss_weight=0.9) for seed in range(4)])
    assert (order > squares).all()
    assert order.mean() > squares.mean() + 0.08


def test_a_loss_that_diverges_while_fitting_again_is_an_error(monkeypatch):
    x, y, groups = problem()
    passes = descent._losses
    monkeypatch.setattr(
        descent, "_losses", lambda head, module, task, seed: spoilt(passes, head, module, task)
    )
    with pytest.raises(TrainingError, match="diverged: loss nan in epoch 1"):
        train_network(Linear(epochs=2, refit=True), x, y, groups, 0)


def spoilt(passes, head, module, task):
    """Lose only where every clip is trained on."""
    for loss in passes(head, module, task, 0):
        yield loss if len(task.y) < 60 else float("nan")
