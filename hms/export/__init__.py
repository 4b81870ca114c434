"""A trained run as a bundle: weights, plain config, model card and, where asked for, ONNX."""
