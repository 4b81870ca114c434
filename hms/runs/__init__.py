"""The folder of a trained run, and what is known about it."""
