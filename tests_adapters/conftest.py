"""Warnings that the libraries themselves give are not errors of ours."""


def pytest_configure(config):
    for module in ("torch", "transformer_lens", "tracr", "haiku", "jax"):
        config.addinivalue_line("filterwarnings", f"ignore:::{module}")
    # HookedTransformer says so of itself; verify/adapters/transformer_lens.py names the versions.
    config.addinivalue_line("filterwarnings", "ignore:HookedTransformer is deprecated")
