"""Which engine the "cuda" backend takes, as told to a processor that there is a GPU."""

import importlib.util
import sys
import warnings

import pytest
import torch

from mgld.scoring import dense_engine
from mgld.scoring.cuda_engine import cuda_engine


@pytest.fixture
def hopper(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(dense_engine, "DenseEngine", lambda names, device: ("dense", names, device))
    # Importing it now fails.
    monkeypatch.setitem(sys.modules, "mgld.scoring.triton_engine", None)


@pytest.mark.usefixtures("hopper")
def test_a_torch_without_triton_is_no_fault(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cuda_engine("names") == ("dense", "names", "cuda")


@pytest.mark.usefixtures("hopper")
def test_a_triton_that_cannot_be_imported_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "triton")
    with pytest.warns(RuntimeWarning, match=r"cannot be used \(import of mgld.scoring.triton"):
        assert cuda_engine("names") == ("dense", "names", "cuda")
