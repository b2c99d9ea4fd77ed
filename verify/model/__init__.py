"""What a limit transformer is and computes: weights, forward passes, the definition, files."""
