"""One hypothesis profile for all tests: no deadline (machines differ), reproducible cases."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "lgbounds",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lgbounds")
