"""Models to files in which nothing can run, and back."""
