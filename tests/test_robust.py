"""The spread by which a window is scaled, against NumPy's medians."""

import numpy as np
import pytest
import torch

from hms.preprocess.robust import median_but, robust_sd


@pytest.mark.parametrize("size", [1, 8, 9])
def test_the_median_by_numpy_and_by_sorting_equals_that_of_torch(size: int):
    values = torch.randn(3, 4, size)
    assert torch.equal(median_but(values, None), values.median(dim=-1).values)
    assert torch.equal(median_but(values.requires_grad_(), None), values.median(dim=-1).values)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_median_of_known_values_is_that_of_sorting_to_the_bit(share: float):
    torch.manual_seed(0)
    values, out = torch.randn(4, 18, 25), torch.rand(4, 18, 25) < share
    out[0, 0], out[0, 1], out[:, 2, 5:] = True, False, True  # none known, all known, as many known in each window
    assert torch.equal(median_but(values, out), median_but(values.clone().requires_grad_(), out))


def test_nothing_missing_is_the_same_to_the_bit_as_a_mask_that_says_so():
    torch.manual_seed(0)
    pairs = torch.randn(3, 8, 10_000)
    assert torch.equal(robust_sd(pairs, None), robust_sd(pairs, torch.zeros_like(pairs, dtype=torch.bool)))
    assert robust_sd(pairs, None).flatten().tolist() == pytest.approx([1, 1, 1], abs=0.1)


def test_only_known_samples_count():
    torch.manual_seed(0)
    pairs, missing = torch.randn(3, 5, 1000), torch.rand(3, 5, 1000) < 0.6
    missing[0, :2] = missing[2] = True
    found = robust_sd(pairs.masked_fill(missing, 7), missing)
    for row in range(2):
        known = [one[~gone] for one, gone in zip(pairs[row].abs(), missing[row], strict=True)]
        medians = [np.quantile(one, 0.5, method="lower") for one in known if len(one)]
        assert found[row].item() == pytest.approx(1.4826 * np.quantile(medians, 0.5, method="lower"), rel=1e-6)
    assert found[2] == 0
