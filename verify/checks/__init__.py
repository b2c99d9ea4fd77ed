"""Claims on inputs: families of inputs, pairs of models, reports, slopes, and replaying them."""
