from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from ase_probe.errors import InputError
from ase_probe.scaling.analysis.law import Fit, Law, fit
from ase_probe.scaling.analysis.synthetic import DESIGNS, Design

LAW = {"floor": 0.1, "a": 0.1, "b": 0.15, "alpha": 0.4, "beta": 0.5}
SIZES = (tuple(np.geomspace(1e4, 1e7, 5)), tuple(np.geomspace(1e2, 1e5, 5)))


def exact(truth: dict[str, float], law: Law | None = None) -> Fit:
    design = Design(*SIZES, seeds=2, truth=truth, noise=0.0)
    return fit(design.runs(np.random.default_rng(0)).log_loss, law)


@pytest.mark.parametrize(
    "truth",
    [
        LAW,
        {**LAW, "alpha": 1.2, "beta": 0.1},
        {**LAW, "floor": 1e-3},
        {"floor": 10.0, "a": 3.0, "b": 0.5, "alpha": 0.3, "beta": 0.9},
    ],
)
def test_losses_without_noise_give_their_law_back(truth: dict[str, float]) -> None:
    assert exact(truth).values == pytest.approx(truth, rel=1e-4)


def test_a_law_without_floor() -> None:
    truth = {name: value for name, value in LAW.items() if name != "floor"}
    assert exact(truth, Law(floor=False)).values == pytest.approx(truth, rel=1e-4)


def test_the_fit_predicts_losses() -> None:
    best = exact(LAW)
    N, D = np.array([1e4, 1e7]), np.array([1e5, 1e2])
    middle = np.sqrt(1e11), np.sqrt(1e7)
    expected = 0.1 + 0.1 * (N / middle[0]) ** -0.4 + 0.15 * (D / middle[1]) ** -0.5
    assert best.predict(N, D) == pytest.approx(expected, rel=1e-5)


def test_derivatives_are_derivatives() -> None:
    x = np.array([[-2.0, 1.0], [0.5, -1.0]])
    inner = np.array([-2.0, -1.0, -1.5, -0.3, 0.4])
    numeric = approx_fprime(inner, lambda p: Law().log_loss(p, x)[0], 1e-7)
    assert Law().log_loss(inner, x)[1] == pytest.approx(numeric, abs=1e-6)


def test_cells_that_scatter_more_than_their_runs_show_a_lack_of_fit() -> None:
    shared = Design(*SIZES, seeds=3, truth=LAW, noise=0.01, cell_noise=0.1)
    p = fit(shared.runs(np.random.default_rng(1)).log_loss).lack_of_fit
    assert p is not None
    assert p < 1e-3
    alike = DESIGNS["5 x 5 cells, 2 seeds, 3 %"].runs(np.random.default_rng(1))
    p = fit(alike.log_loss).lack_of_fit
    assert p is not None
    assert p > 0.01


def test_too_few_cells_are_refused() -> None:
    runs = Design((1e4, 1e5), (10.0, 100.0), 3, LAW, 0.01).runs(np.random.default_rng(0))
    with pytest.raises(InputError, match="4 cells cannot determine the 5 parameters"):
        fit(runs.log_loss)
    one_width = Design((1e4,), SIZES[1], 3, LAW, 0.01).runs(np.random.default_rng(0))
    with pytest.raises(InputError, match="leave out the term in N"):
        fit(one_width.log_loss, Law(floor=False))


@pytest.mark.parametrize("terms", [(), ("N", "N"), ("R",)])
def test_a_law_has_terms_in_N_and_D_only(terms: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="N, D or both"):
        Law(terms)
