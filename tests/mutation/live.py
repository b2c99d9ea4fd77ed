"""Change functions of a process that has imported everything: new code for the same objects."""

from __future__ import annotations

import functools
import gc
import importlib.machinery
import os
import sys
from types import CodeType, FunctionType

from tests.mutation.coverage import code_objects

_PACKAGES = ("bounds", "verify", "tests", "conftest")


def _own(name: str) -> bool:
    return name.split(".")[0] in _PACKAGES and not name.startswith("tests.mutation")


class Live:
    """Functions, caches and cached properties of this process."""

    def __init__(self, files: set[str]) -> None:
        """Find them; `files`: full paths of the files that are changed."""
        self._functions: dict[CodeType, list[FunctionType]] = {}
        self._caches = []
        cached: dict[type, list[str]] = {}
        self._cached = []
        for thing in gc.get_objects():
            if type(thing) is FunctionType:
                if thing.__code__.co_filename in files:
                    self._functions.setdefault(thing.__code__, []).append(thing)
            elif type(thing) is functools._lru_cache_wrapper and _own(
                str(getattr(thing, "__module__", ""))
            ):
                self._caches.append((thing, thing.__module__.startswith("tests")))
        for thing in gc.get_objects():
            kind = type(thing)
            if _own(str(getattr(kind, "__module__", ""))):
                if kind not in cached:
                    cached[kind] = [
                        name
                        for base in kind.__mro__
                        for name, value in vars(base).items()
                        if isinstance(value, functools.cached_property)
                    ]
                if cached[kind]:
                    self._cached.append((thing, cached[kind]))

    def forget(self, examples: bool) -> None:
        """Empty the caches, which were filled by the code before its change.

        `examples`: those of the tests too.
        """
        for cache, of_tests in self._caches:
            if examples or not of_tests:
                cache.cache_clear()

    def forget_all(self, examples: bool) -> None:
        """Empty the caches and what instances keep of their cached properties."""
        self.forget(examples)
        for thing, names in self._cached:
            for name in names:
                thing.__dict__.pop(name, None)

    def change(self, before: CodeType, after: CodeType) -> bool:
        """Give every function whose code differs its new code; False if that is not enough."""
        for old, new in self._pairs(before, after):
            for function in self._functions.get(old, ()):
                try:
                    function.__code__ = new
                except ValueError:  # other free variables
                    return False
        return True

    def _pairs(self, before: CodeType, after: CodeType) -> list[tuple[CodeType, CodeType]]:
        """Functions that differ, in themselves or in a function inside them."""
        found = []
        inside = [
            [c for c in code.co_consts if isinstance(c, CodeType)] for code in (before, after)
        ]
        if before != after:
            found.append((before, after))
            if len(inside[0]) == len(inside[1]):
                for old, new in zip(*inside, strict=True):
                    found += self._pairs(old, new)
        return found

    def runs_at_import(self, before: CodeType, after: CodeType) -> bool:
        """Whether the change stands in the body of the module or of a class."""
        if before == after:
            return False
        inside = [
            [c for c in code.co_consts if isinstance(c, CodeType)] for code in (before, after)
        ]
        body = before.co_flags & 0x2 == 0  # CO_NEWLOCALS: functions have it, bodies have not
        if body and (len(inside[0]) != len(inside[1]) or _stripped(before) != _stripped(after)):
            return True
        if len(inside[0]) != len(inside[1]):
            return False
        return any(self.runs_at_import(*pair) for pair in zip(*inside, strict=True))


def _stripped(code: CodeType) -> tuple:
    """The code without the code inside it."""
    consts = tuple(
        c if not isinstance(c, CodeType) else (c.co_qualname, c.co_firstlineno)
        for c in code.co_consts
    )
    return code.co_code, tuple(map(repr, consts)), code.co_names, code.co_varnames


def import_anew(file: str, code: CodeType) -> None:
    """Forget the packages, and let the next import of `file` run `code`."""
    for name in [name for name in sys.modules if _own(name)]:
        del sys.modules[name]
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        if os.path.abspath(self.get_filename(fullname)) == file:
            return code
        return original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code


__all__ = ["Live", "code_objects", "import_anew"]
