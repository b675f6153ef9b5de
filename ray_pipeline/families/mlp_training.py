"""Training a small network with PyTorch (the only home of torch)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.watching import log_loss, squared_error

__all__ = ["Examples", "Network", "NetworkSettings", "train_network"]

Floats = NDArray[np.float64]

SENSITIVITY_ROWS = 4_096
"""Training rows, evenly spaced, over which the output's change with each feature is averaged."""

STEPS_AN_EPOCH = 8
"""Least number of batches of an epoch: few rows make small batches, not few steps."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Shape of the network and how it is trained.

    The decay is a hundred times that of networks for images: labels of returns are nearly all
    noise, which even a small network memorises in a few epochs.
    """

    hidden_units: int = 32
    hidden_layers: int = 2
    n_epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 2e-3
    weight_decay: float = 5.0
    dropout: float = 0.2


@dataclass(frozen=True, slots=True)
class Examples:
    """Scaled features (n, n_features), labels and weights (n,)."""

    X: NDArray[np.float32]
    y: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class Network:
    """What training gave; see `ray_pipeline.families.mlp.MLPModel`.

    `n_epochs` are those that were best for the watched rows, or all. `sensitivity` is the mean
    absolute change of the output with each feature, shape (n_features,).
    """

    layers: tuple[tuple[Floats, Floats], ...]
    sensitivity: Floats
    n_epochs: int
    trained_with: str


def train_network(
    fitted: Examples,
    settings: NetworkSettings,
    is_binary: bool,
    seed: int,
    n_epochs: int,
    watched: Examples | None = None,
    patience: int | None = None,
) -> Network:
    """Train on the GPU when there is one, else on one thread of the CPU.

    Equal inputs give equal bits on the same kind of device with the same version of PyTorch.
    Hidden weights start as He et al. (2015) have them for rectified units, the output's at 0: a
    network that has seen little says the mean, not noise of its own. Weights are shrunk apart from
    the gradient (AdamW, Loshchilov & Hutter 2019); hidden units are dropped at random in training.

    Parameters
    ----------
    watched, patience
        Rows to watch, and the epochs without improvement after which to stop.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with _deterministic(torch):
        trainer = _Trainer(torch, device, fitted, settings, is_binary, seed)
        best, best_loss = 0, math.inf
        for epoch in range(1, n_epochs + 1):
            trainer.run_epoch()
            if watched is None or patience is None:
                best = epoch
                continue
            loss = trainer.loss(watched)
            if loss < best_loss:
                best, best_loss = epoch, loss
            elif epoch - best >= patience:
                break
        version = torch.__version__.partition("+")[0]
        return Network(
            layers=trainer.layers(),
            sensitivity=trainer.sensitivity(),
            n_epochs=max(best, 1),
            trained_with=f"torch {version} on {device}",
        )


@contextmanager
def _deterministic(torch: Any) -> Iterator[None]:
    """Let PyTorch use one thread and no algorithm whose sums depend on timing."""
    # Read when CUDA starts: without it cuBLAS may add in another order at each call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    n_threads, was_on = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on)
        torch.set_num_threads(n_threads)


class _Trainer:
    """The state of one training: parameters, optimiser, and where chance stands."""

    def __init__(
        self,
        torch: Any,
        device: str,
        fitted: Examples,
        settings: NetworkSettings,
        is_binary: bool,
        seed: int,
    ) -> None:
        self._torch, self._device, self._settings = torch, device, settings
        self._is_binary = is_binary
        # Chance comes from NumPy: the same on every device.
        self._chance = np.random.default_rng(seed)
        self._X = self._tensor(fitted.X)
        self._y, self._weights = self._tensor(fitted.y), self._tensor(fitted.weights)
        widths = [fitted.X.shape[1], *[settings.hidden_units] * settings.hidden_layers, 1]
        self._parameters = [
            self._tensor(values).requires_grad_()
            for n_in, n_out in pairwise(widths)
            for values in (
                self._chance.standard_normal((n_out, n_in)) * math.sqrt(2.0 / n_in),
                np.zeros(n_out),
            )
        ]
        with torch.no_grad():
            self._parameters[-2].zero_()
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def _tensor(self, values: NDArray[Any]) -> Any:
        return self._torch.tensor(values, dtype=self._torch.float32, device=self._device)

    def _output(self, X: Any, drops: bool = False) -> Any:
        torch, hidden = self._torch, X
        pairs = list(zip(self._parameters[::2], self._parameters[1::2], strict=True))
        for depth, (weights, offsets) in enumerate(pairs):
            if depth:
                hidden = torch.relu(hidden)
                if drops and self._settings.dropout > 0:
                    kept = self._chance.random(tuple(hidden.shape)) >= self._settings.dropout
                    hidden = hidden * self._tensor(kept / (1.0 - self._settings.dropout))
            hidden = torch.addmm(offsets, hidden, weights.T)
        return hidden[:, 0]

    def run_epoch(self) -> None:
        """Show every row once, in an order by chance."""
        functional = self._torch.nn.functional
        n_rows = len(self._X)
        size = min(self._settings.batch_size, math.ceil(n_rows / STEPS_AN_EPOCH))
        order = self._torch.tensor(self._chance.permutation(n_rows), device=self._device)
        for start in range(0, n_rows, size):
            batch = order[start : start + size]
            output, y = self._output(self._X[batch], drops=True), self._y[batch]
            losses = (
                functional.binary_cross_entropy_with_logits(output, y, reduction="none")
                if self._is_binary
                else (output - y) ** 2
            )
            self._optimiser.zero_grad()
            (losses * self._weights[batch]).mean().backward()
            self._optimiser.step()

    def loss(self, watched: Examples) -> float:
        """Mean loss of rows that are not trained on."""
        with self._torch.no_grad():
            output = self._output(self._tensor(watched.X)).cpu().numpy().astype(np.float64)
        measure = log_loss if self._is_binary else squared_error
        return measure(watched.y, output, watched.weights)

    def sensitivity(self) -> Floats:
        """Mean absolute gradient of the output by each feature, over some training rows."""
        n_rows = len(self._X)
        rows = np.linspace(0, n_rows - 1, min(n_rows, SENSITIVITY_ROWS)).astype(np.int64)
        X = self._X[self._torch.tensor(rows, device=self._device)].requires_grad_()
        (gradient,) = self._torch.autograd.grad(self._output(X).sum(), X)
        return np.asarray(gradient.abs().mean(dim=0).cpu().numpy(), dtype=np.float64)

    def layers(self) -> tuple[tuple[Floats, Floats], ...]:
        """Weights and offsets of each layer."""
        arrays = [
            parameter.detach().cpu().numpy().astype(np.float64) for parameter in self._parameters
        ]
        return tuple(zip(arrays[::2], arrays[1::2], strict=True))
