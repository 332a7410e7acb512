"""The kernels in vectorised NumPy: the mathematics in few lines."""
