"""What verify loads, and what it says where a library's model is none."""

import subprocess
import sys

import pytest

from verify import InputError, LimitTransformer
from verify.adapters import from_tracr, from_transformer_lens


def test_no_foreign_library_is_imported():
    code = (
        "import sys, verify, verify.adapters; "
        "print({'torch', 'transformer_lens', 'tracr', 'haiku', 'jax'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("given", [None, 3, {}, LimitTransformer])
def test_other_things_are_no_models(given):
    with pytest.raises(InputError, match=r"^model: .*a transformer_lens\.HookedTransformer"):
        from_transformer_lens(given)
    with pytest.raises(InputError, match=r"^compiled: .*compile_rasp_to_model returns"):
        from_tracr(given)
