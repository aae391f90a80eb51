import numpy as np

from pianobench_mean import Mean


def test_every_clip_gets_the_mean_label():
    y = np.array([[0.0, 1.0], [0.5, 0.0], [1.0, 0.5]])
    fitted = Mean().fit(np.zeros((3, 4)), y, np.array(["a", "b", "c"]), seed=0)
    np.testing.assert_array_equal(fitted.predict(np.ones((2, 4))), [[0.5, 0.5]] * 2)


def test_a_weight_of_two_counts_a_clip_twice():
    y = np.array([[0.0], [0.6]])
    fitted = Mean().fit(np.zeros((2, 1)), y, np.array(["a", "b"]), 0, np.array([1.0, 2.0]))
    np.testing.assert_allclose(fitted.predict(np.zeros((1, 1))), [[0.4]])
