"""hmlc beside other libraries: the same work, to the same quality, in the same run."""
