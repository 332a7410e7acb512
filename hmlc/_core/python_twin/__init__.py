"""The kernels as plain Python loops, the C sources' line for line: what interpretation costs."""
