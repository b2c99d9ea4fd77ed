"""The maps for infinite precision: rounded counts for one layer, balanced blocks for two."""
