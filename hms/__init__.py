"""Classify harmful brain activity in EEG: a Hydra-composed experiment framework."""

__version__ = "0.1.0"
