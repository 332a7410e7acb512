"""The compiled kernels and their NumPy and Python twins."""
