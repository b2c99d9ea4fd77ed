"""The map of Theorem 1: finite precision, one layer; counts are rounded, hardmax is kept."""
