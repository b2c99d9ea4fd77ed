"""One hypothesis profile for all tests: no deadline (machines differ), reproducible cases."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Workers fill the cores already: more threads in each only wait for one another. Workers inherit
# this before they import NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

settings.register_profile(
    "lgbounds",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lgbounds")


@pytest.fixture(autouse=True, scope="function" if "MUTANT_UNDER_TEST" in os.environ else "session")
def _formulas_are_built_anew():
    """Mutation testing forks a process that has built the formulas already: build them again.

    mutmut also has to see which tests use a formula, so that it has to be built in each of them.
    """
    if "MUTANT_UNDER_TEST" in os.environ:
        from bounds.registry import all_theorems

        for theorem in all_theorems().values():
            for name in ("stated", "expression"):
                theorem.__dict__.pop(name, None)
