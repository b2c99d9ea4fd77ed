"""One thread at a time where FLINT's precision is set: it belongs to the process, not to a thread.

`flint.ctx.prec` is one number for all threads. Where two of them set it at once, one computes with
the precision of the other, and after both it stays changed. So whoever sets it holds this lock:

    with FLINT, ctx.workprec(bits):
        ...

Both are context managers written in C, which Ctrl-C cannot interrupt half-way. The lock may be
taken again by the thread that holds it. A process forks only while no other thread holds it.
"""

from __future__ import annotations

import os
import threading

FLINT = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FLINT.acquire, after_in_parent=FLINT.release, after_in_child=FLINT.release
    )
