"""What others have proved: the paper, and its neighbours."""

from bounds.registry.literature import (
    izzo2025,
    neighbours,
)

FILES = (
    izzo2025,
    neighbours,
)
