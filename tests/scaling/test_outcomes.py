from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ase_probe.curve import Curve
from ase_probe.errors import InputError
from ase_probe.scaling.outcomes import CRITERIA, MEASURES, outcomes

R = np.unique(np.round(np.concatenate([np.geomspace(0.1, 0.4, 30), np.arange(0.4, 10.0, 0.02)]), 6))


def morse(r: np.ndarray, depth: float = 4.7, r_e: float = 0.74) -> np.ndarray:
    return depth * ((1 - np.exp(-1.9 * (r - r_e))) ** 2 - 1)


def made(energy: np.ndarray, forces: np.ndarray | None = None, **rest: object) -> Curve:
    if forces is not None:
        axial = forces
        forces = np.zeros((len(R), 2, 3))
        forces[:, 1, 2] = axial
    return Curve(r=R, energy=energy, forces=forces, provenance={"dtype": "float64"}, **rest)  # type: ignore[arg-type]


LABELS = made(morse(R), atom_energies=np.zeros(2))


def with_gap(energy: np.ndarray, low: float, high: float, value: float = math.nan) -> np.ndarray:
    return np.where((low <= R) & (high >= R), value, energy)


def test_a_copy_of_the_labels_on_another_zero_is_perfect() -> None:
    found = outcomes(made(morse(R) - 30.0, atom_energies=np.array([-15.0, -15.0])), LABELS)
    assert found.well
    assert found.r_e_error == pytest.approx(0, abs=1e-6)
    assert found.D_e_r_max == pytest.approx(4.7, abs=1e-4)
    assert found.D_e_error_atoms == pytest.approx(0, abs=1e-4)
    assert found.repulsive == pytest.approx(1, abs=0.02)
    assert found.log10_rmse < -6
    assert not found.reasons


def test_the_two_zeros_of_D_e_are_kept_apart() -> None:
    found = outcomes(made(morse(R), atom_energies=np.array([1.0, 1.0])), LABELS)
    assert found.D_e_atoms is not None
    assert found.D_e_r_max is not None
    assert found.D_e_atoms - found.D_e_r_max == pytest.approx(2.0, abs=1e-4)
    without = outcomes(made(morse(R)), LABELS)
    assert without.D_e_atoms is None
    assert "lone atoms" in without.reasons["D_e_atoms"]


@pytest.mark.parametrize(
    ("energy", "reason"),
    [
        (1 / R, "no minimum"),
        (morse(R, depth=0.4), "0.4 eV deep"),
        (morse(R, r_e=1.5), "no minimum"),
        (with_gap(morse(R), 0.5, 1.2), "no energy at"),
        (with_gap(morse(R), 9.9, 10.0), "largest distance"),
    ],
)
def test_without_a_well_nothing_about_the_bond_is_a_number(energy: np.ndarray, reason: str) -> None:
    found = outcomes(made(energy, atom_energies=np.zeros(2)), LABELS)
    assert not found.well
    assert reason in found.reasons["well"]
    assert (found.r_e_error, found.D_e_r_max, found.D_e_atoms) == (None, None, None)
    assert found.row()["well"] == 0.0
    assert math.isnan(found.row()["r_e_error"])


def test_a_dent_in_a_falling_curve_shows_as_a_low_inner_wall() -> None:
    energy = -20 * np.exp(-2 * R) - 2 * np.exp(-(((R - 0.9) / 0.1) ** 2))
    found = outcomes(made(energy), LABELS)
    assert found.well
    assert found.inner_wall is not None
    assert found.inner_wall < 2


@pytest.mark.parametrize("by_forces", [False, True])
def test_the_wall_counts_by_length_and_up_to_the_labels_r_e(by_forces: bool) -> None:
    turn = 0.47  # half way from 0.2 to 0.74 Å: the energy rises with r before, falls after
    energy, force = -((R - turn) ** 2), 2 * (R - turn)
    found = outcomes(made(energy, force if by_forces else None), LABELS)
    assert found.slope_from == ("forces" if by_forces else "energies")
    assert found.repulsive == pytest.approx(0.5, abs=0.02)


def test_forces_are_believed_before_energies() -> None:
    assert outcomes(made(morse(R), -np.ones(len(R))), LABELS).repulsive == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@given(low=st.floats(0.1, 3.0), width=st.floats(0.05, 2.0))
def test_missing_points_never_make_an_outcome_better(
    value: float, low: float, width: float
) -> None:
    whole = outcomes(made(morse(R, r_e=0.8)), LABELS)
    holed = outcomes(made(with_gap(morse(R, r_e=0.8), low, low + width, value)), LABELS)
    assert holed.repulsive <= whole.repulsive + 1e-12
    assert holed.log10_rmse >= whole.log10_rmse - 1e-9
    assert holed.well <= whole.well


def test_missing_forces_do_not_repel() -> None:
    force = np.where(R < 0.47, math.inf, 1.0)
    found = outcomes(made(morse(R), force), LABELS)
    assert found.repulsive == pytest.approx(0.5, abs=0.03)
    assert "lack forces" in found.reasons["repulsive"]


def test_the_error_over_the_curve_is_capped_and_weighted() -> None:
    nothing = outcomes(made(np.full(len(R), math.nan)), LABELS)
    assert nothing.log10_rmse == pytest.approx(math.log10(CRITERIA.cap))
    assert "align" in nothing.reasons["log10_rmse"]
    # A step of 1 eV high on the wall weighs less than the same step in the well.
    high = outcomes(made(morse(R) + ((R > 0.4) & (R < 0.5))), LABELS)
    low = outcomes(made(morse(R) + ((R > 0.8) & (R < 0.9))), LABELS)
    assert high.log10_rmse < low.log10_rmse < 0
    # A constant error everywhere but at the alignment is itself.
    shifted = outcomes(made(morse(R) + np.where(np.abs(R - 0.74) < 0.05, 0.0, 1.0)), LABELS)
    assert 10**shifted.log10_rmse == pytest.approx(1.0, abs=0.05)


def test_curves_that_do_not_reach_are_refused() -> None:
    inner = R > 0.3
    short = Curve(r=R[inner], energy=morse(R[inner]))
    with pytest.raises(InputError, match=r"0\.2 to 3 Å are needed"):
        outcomes(short, LABELS)
    with pytest.raises(InputError, match="gaps"):
        outcomes(LABELS, made(with_gap(morse(R), 1, 2)))
    with pytest.raises(InputError, match="window"):
        outcomes(LABELS, made(1 / R))


def test_another_bond_takes_other_criteria() -> None:
    long = made(morse(R, r_e=1.53))
    criteria = replace(CRITERIA, window=(1.2, 1.9))
    assert outcomes(long, long, criteria).r_e == pytest.approx(1.53, abs=1e-5)


def test_every_measure_is_a_column() -> None:
    assert set(outcomes(LABELS, LABELS).row()) == set(MEASURES)


@pytest.mark.parametrize("shift", [-0.15, 0.0, 0.3])
def test_a_curve_of_the_right_shape_in_the_wrong_place_has_its_own_wall(shift):
    """A minimum too far in or out is an error of r_e, not of the wall inside it."""
    moved = outcomes(made(morse(R - shift)), LABELS)
    assert moved.own_wall == pytest.approx(1.0, abs=0.02)
    assert moved.well


def test_no_well_no_wall_of_its_own():
    assert outcomes(made(-R), LABELS).own_wall is None
