"""The float types that every kernel takes."""

ctypedef fused real:
    float
    double
