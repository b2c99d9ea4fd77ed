"""Average errors of two given models: exact sums over counts, and bounds for every length."""
