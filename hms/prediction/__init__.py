"""The predictions of trained models."""
