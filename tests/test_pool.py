"""Attention pools images, and means of cells are those of adaptive pooling."""

import pytest
import torch
from material import Launches
from small_parts import extractor
from torch.nn import functional as F

from hms.errors import ConfigError
from hms.network.pool import AttentionPool, _by_products, cell_means


@pytest.mark.parametrize("size", [(7, 13), (4, 9), (3, 2)])  # 4 x 3 cells: overlapping, even, of one point
def test_cell_means_by_matrix_products_equal_adaptive_pooling(size: tuple[int, int]):
    found = torch.randn(2, 5, *size, requires_grad=True)
    made, wanted = _by_products(found, 4, 3), F.adaptive_avg_pool2d(found, (4, 3))
    torch.testing.assert_close(made, wanted)
    for one, other in zip(*(torch.autograd.grad(each.square().sum(), found) for each in (made, wanted)), strict=True):
        torch.testing.assert_close(one, other)


def test_cell_weights_are_made_once_and_serve_training_after_a_prediction():
    with torch.inference_mode():
        cell_means(torch.randn(1, 5, 6, 11, device="meta"), 5, 3)  # not the CPU, which uses adaptive pooling
    with Launches() as counted:
        cell_means(torch.randn(2, 5, 6, 11, device="meta", requires_grad=True), 5, 3).sum().backward()
    assert len(counted.made) < 12, counted.made


def test_equal_images_pool_to_that_image():
    image = torch.randn(2, 1, 8)
    torch.testing.assert_close(AttentionPool(8, 16, 0.0)(image.expand(-1, 10, -1)), image[:, 0])


def test_attention_weights_sum_to_one_and_are_dropped_in_training_only():
    images = torch.randn(2, 10, 8)
    pool = AttentionPool(8, 16, 0.5)
    torch.testing.assert_close(pool.weights(images).sum(dim=1), torch.ones(2, 1))
    assert not torch.equal(pool(images), pool(images))
    each = torch.eye(4).repeat_interleave(2, dim=1)[None]  # what is pooled is each image's weight, twice
    once, twice = torch.stack([pool(each)[0] for _ in range(4)]).unflatten(1, (4, 2)).unbind(2)
    assert torch.equal(once, twice)
    assert ((once == 0) | once.isclose(2 * pool.weights(each)[0, :, 0])).all()
    pool.eval()
    torch.testing.assert_close(pool(images), (pool.weights(images) * images).sum(dim=1))


def test_an_attention_without_hidden_units_is_refused():
    with pytest.raises(ValueError, match="hidden: want at least 1, got 0"):
        AttentionPool(8, 0, 0.5)
    with pytest.raises(ConfigError, match="hidden: want at least 1, got 0"):
        extractor("spectrogram", attention_hidden=0)
