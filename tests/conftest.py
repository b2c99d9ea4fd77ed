"""One hypothesis profile for all tests: no deadline (machines differ), reproducible cases."""

import os

from hypothesis import HealthCheck, Phase, settings

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
    # A mutant need not be failed by the smallest example.
    phases=[Phase.explicit, Phase.generate] if "MUTATION" in os.environ else list(Phase),
)
settings.load_profile("lgbounds")
