"""Models to C headers and ONNX graphs."""
