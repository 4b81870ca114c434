"""Export a trained run as a bundle: weights, plain config, model card and, on request, ONNX."""
