"""Probabilities from trained models."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from hms.build import build
from hms.module import Predictor
from hms.runs import load_model
from hms.store import Store
from hms.windows import Windows
