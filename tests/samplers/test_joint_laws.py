"""Geweke's joint test, and calibration of whole fits by simulation."""

import pytest
from joint_laws import calibration, geweke
from targets import DRIVERS, KERNELS


@pytest.mark.parametrize("kernel", KERNELS)
def test_parameters_and_data_in_turns(kernel):
    off = geweke(KERNELS[kernel](step_size=0.4))
    assert all(abs(e) < 4 for e in off.values()), off


@pytest.mark.long
@pytest.mark.parametrize("kernel", KERNELS)
def test_parameters_and_data_in_turns_to_three_digits(kernel):
    off = geweke(KERNELS[kernel](step_size=0.4), chains=50_000, steps=100)
    assert all(abs(e) < 4 for e in off.values()), off


@pytest.mark.long
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_whole_fits_are_calibrated(kernel, driver):
    found = calibration(KERNELS[kernel](), driver)
    assert all(p > 1e-3 for p in found.values()), found
