"""All changes of one source file, one at a time.

Not changed: annotations, docstrings, decorators, imports, `assert`, what is inside a `raise` or an
f-string, texts (strings that are no identifier), and `strict=` of a `zip`. What a guard does is
tested by removing it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.MatMult: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}

_PAIRS = [
    ("min", "max"),
    ("minimum", "maximum"),
    ("Min", "Max"),
    ("any", "all"),
    ("floor", "ceil"),
    ("lower", "upper"),
    ("low", "high"),
    ("numerator", "denominator"),
    ("argmin", "argmax"),
    ("_up", "_down"),
    ("up", "down"),
]
NAMES = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])} | {"ceiling": "floor"}

_REPLACED = {
    "raise removed": "pass",
    "call removed": "pass",
    "argument None": "None",
    "assigns None": "None",
    "returns None": "None",
    "argument dropped": "nothing",
}

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        path: of the source file, from the root of the tree.
        number: its place among the changes of the file.
        line, last: where the changed node stands.
        statement: first and last line of the statement around it.
        name: qualified name of the function, "f()", or class around it; "" at module level.
        kind: the rule.
        before, after: the changed piece of code.
    """

    path: str
    number: int
    line: int
    last: int
    statement: tuple[int, int]
    name: str
    kind: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """A short name."""
        return f"{self.path}#{self.number}"

    @property
    def at_import(self) -> bool:
        """Whether the code runs once, when the module is imported."""
        return "()" not in self.name and "<lambda>" not in self.name


@dataclass
class _Site:
    node: ast.AST
    name: str
    statement: ast.stmt
    kind: str
    change: Callable[[], Callable[[], None]]
    """Makes the change in the tree; returns what undoes it."""


def _set(node: ast.AST, field: str, value: object) -> Callable[[], Callable[[], None]]:
    def change() -> Callable[[], None]:
        old = getattr(node, field)
        setattr(node, field, value)
        return lambda: setattr(node, field, old)

    return change


def _put(items: list, index: int, value: object) -> Callable[[], Callable[[], None]]:
    def change() -> Callable[[], None]:
        old = items[index]
        items[index] = value

        def undo() -> None:
            items[index] = old

        return undo

    return change


def _drop(items: list, index: int) -> Callable[[], Callable[[], None]]:
    def change() -> Callable[[], None]:
        old = items.pop(index)
        return lambda: items.insert(index, old)

    return change


def _like(new: ast.AST, old: ast.AST) -> ast.AST:
    return ast.fix_missing_locations(ast.copy_location(new, old))


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _body(tree.body, "")


def _body(body: list[ast.stmt], name: str) -> Iterator[_Site]:
    for k, statement in enumerate(body):
        yield from _statement(body, k, statement, name)


def _statement(body: list, k: int, s: ast.stmt, name: str) -> Iterator[_Site]:
    nothing = _like(ast.Pass(), s)

    def site(node: ast.AST, kind: str, change: Callable) -> _Site:
        return _Site(node, name, s, kind, change)

    def parts(*fields: str) -> Iterator[_Site]:
        for field in fields:
            yield from _expressions(s, field, s, name)

    match s:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inner = f"{name}.{s.name}()" if name else f"{s.name}()"
            yield from _expressions(s.args, "defaults", s, name)
            yield from _expressions(s.args, "kw_defaults", s, name)
            yield from _body(s.body, inner)
        case ast.ClassDef():
            # What a class body holds is code that runs once, like that of the module.
            yield from _body(s.body, f"{name}.{s.name}" if name else s.name)
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Global() | ast.Nonlocal():
            pass
        case ast.Raise():
            if "()" in name:
                yield site(s, "raise removed", _put(body, k, nothing))
        case ast.Expr(value=ast.Constant()):
            pass  # a docstring
        case ast.Expr():
            if "()" in name and isinstance(s.value, ast.Call):
                yield site(s, "call removed", _put(body, k, nothing))
            yield from parts("value")
        case ast.Return():
            if s.value is not None:
                if not (isinstance(s.value, ast.Constant) and s.value.value is None):
                    none = _like(ast.Constant(None), s.value)
                    yield site(s.value, "returns None", _set(s, "value", none))
                yield from parts("value")
        case ast.Assign() | ast.AnnAssign():
            dunder = isinstance(s, ast.Assign) and getattr(s.targets[0], "id", "") == "__all__"
            if s.value is not None and not dunder:
                if "()" in name and not (
                    isinstance(s.value, ast.Constant) and s.value.value is None
                ):
                    none = _like(ast.Constant(None), s.value)
                    yield site(s.value, "assigns None", _set(s, "value", none))
                yield from parts("value")
                if isinstance(s, ast.Assign):
                    yield from parts("targets")
        case ast.AugAssign():
            if type(s.op) in SWAPS:
                yield site(s, "operator", _set(s, "op", SWAPS[type(s.op)]()))
            plain = _like(ast.Assign([s.target], s.value), s)
            yield site(s, "assigns instead", _put(body, k, plain))
            yield from parts("value", "target")
        case ast.If() | ast.While():
            checking = isinstance(s.test, ast.Name) and s.test.id == "TYPE_CHECKING"
            if not checking:
                yield from _condition(s, "test", s, name)
                yield from parts("test")
                yield from _body(s.body, name)
                yield from _body(s.orelse, name)
        case ast.For():
            yield from parts("iter")
            yield from _body(s.body, name)
            yield from _body(s.orelse, name)
        case ast.Break():
            yield site(s, "break", _put(body, k, _like(ast.Continue(), s)))
        case ast.Continue():
            yield site(s, "continue", _put(body, k, _like(ast.Break(), s)))
        case ast.With():
            for item in s.items:
                yield from _expressions(item, "context_expr", s, name)
            yield from _body(s.body, name)
        case ast.Try():
            yield from _body(s.body, name)
            for handler in s.handlers:
                yield from _body(handler.body, name)
            yield from _body(s.orelse, name)
            yield from _body(s.finalbody, name)
        case ast.Match():
            yield from parts("subject")
            for case in s.cases:
                if case.guard is not None:
                    yield from _condition(case, "guard", s, name)
                    yield from _expressions(case, "guard", s, name)
                yield from _body(case.body, name)
        case ast.Delete():
            yield from parts("targets")


def _condition(node: ast.AST, field: str, s: ast.stmt, name: str) -> Iterator[_Site]:
    """A condition that no other rule would turn around."""
    test = getattr(node, field)
    if isinstance(test, ast.Compare | ast.BoolOp):
        return
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return
    negated = _like(ast.UnaryOp(ast.Not(), test), test)
    yield _Site(test, name, s, "condition negated", _set(node, field, negated))


def _expressions(node: ast.AST, field: str, s: ast.stmt, name: str) -> Iterator[_Site]:
    value = getattr(node, field)
    if isinstance(value, list):
        for k, item in enumerate(value):
            if isinstance(item, ast.expr):
                yield from _expression(item, _at(value, k), s, name)
    elif isinstance(value, ast.expr):
        yield from _expression(value, lambda new: _set(node, field, new), s, name)


def _at(items: list, k: int) -> Callable:
    return lambda new: _put(items, k, new)


def _expression(e: ast.expr, replace: Callable, s: ast.stmt, name: str) -> Iterator[_Site]:
    def site(kind: str, change: Callable) -> _Site:
        return _Site(e, name, s, kind, change)

    def into(*fields: str) -> Iterator[_Site]:
        for field in fields:
            yield from _expressions(e, field, s, name)

    match e:
        case ast.BinOp():
            if type(e.op) in SWAPS and not _text(e):
                yield site("operator", _set(e, "op", SWAPS[type(e.op)]()))
            yield from into("left", "right")
        case ast.BoolOp():
            yield site("and/or", _set(e, "op", SWAPS[type(e.op)]()))
            yield from into("values")
        case ast.Compare():
            for k, op in enumerate(e.ops):
                yield site("comparison", _put(e.ops, k, SWAPS[type(op)]()))
            yield from into("left", "comparators")
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield site("sign or not removed", replace(e.operand))
            yield from into("operand")
        case ast.UnaryOp():
            yield from into("operand")
        case ast.Constant():
            new = _constant(e.value)
            if new is not None:
                kind = "string" if isinstance(e.value, str) else "number"
                kind = "boolean" if isinstance(e.value, bool) else kind
                yield site(kind, replace(_like(ast.Constant(new), e)))
        case ast.IfExp():
            yield from _condition(e, "test", s, name)
            yield from into("test", "body", "orelse")
        case ast.Call():
            for k, argument in enumerate(e.args):
                if not isinstance(argument, ast.Starred | ast.Constant):
                    none = _like(ast.Constant(None), argument)
                    yield _Site(argument, name, s, "argument None", _put(e.args, k, none))
            for k, keyword in enumerate(e.keywords):
                if keyword.arg is not None and keyword.arg != "strict":
                    yield _Site(keyword.value, name, s, "argument dropped", _drop(e.keywords, k))
            yield from into("func", "args")
            for keyword in e.keywords:
                if keyword.arg != "strict":
                    yield from _expressions(keyword, "value", s, name)
        case ast.Name():
            if e.id in NAMES and isinstance(e.ctx, ast.Load):
                yield site("name", _set(e, "id", NAMES[e.id]))
        case ast.Attribute():
            if e.attr in NAMES and isinstance(e.ctx, ast.Load):
                yield site("name", _set(e, "attr", NAMES[e.attr]))
            yield from into("value")
        case ast.Lambda():
            inner = f"{name}.<lambda>" if name else "<lambda>"
            yield from _expressions(e, "body", s, inner)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from into(*(["key", "value"] if isinstance(e, ast.DictComp) else ["elt"]))
            for generator in e.generators:
                yield from _expressions(generator, "iter", s, name)
                for k, test in enumerate(generator.ifs):
                    if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                        negated = _like(ast.UnaryOp(ast.Not(), test), test)
                        yield _Site(
                            test, name, s, "condition negated", _put(generator.ifs, k, negated)
                        )
                yield from _expressions(generator, "ifs", s, name)
        case ast.Subscript():
            yield from into("value", "slice")
        case ast.Slice():
            yield from into("lower", "upper", "step")
        case ast.Dict():
            yield from into("keys", "values")
        case ast.Tuple() | ast.List() | ast.Set():
            yield from into("elts")
        case ast.Starred() | ast.NamedExpr() | ast.Yield() | ast.YieldFrom():
            yield from into("value")
        # ast.JoinedStr: a text.


def _text(e: ast.BinOp) -> bool:
    """Concatenated or formatted texts."""
    ends = (e.left, e.right)
    return any(
        isinstance(x, ast.JoinedStr) or (isinstance(x, ast.Constant) and isinstance(x.value, str))
        for x in ends
    )


def _constant(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return f"XX{value}XX"
    return None


def _changed(before: str, after: str) -> str:
    """The changed lines of a statement."""
    old = before.splitlines()
    return " ".join(line.strip() for line in after.splitlines() if line not in old)[:160]


class Source:
    """One file and its mutants, in the order of the code."""

    def __init__(self, root: Path, path: str) -> None:
        """Read and parse it; path from the root."""
        self.path = path
        text = (root / path).read_text()
        self.file = str(root / path)
        self.tree = ast.parse(text)
        self._found = list(_sites(self.tree))

    def mutants(self) -> list[Mutant]:
        """Return all of them."""
        result = []
        for number, site in enumerate(self._found):
            before = ast.unparse(site.node)
            whole = ast.unparse(site.statement)
            undo = site.change()
            try:
                after = ast.unparse(site.statement)
                own = ast.unparse(site.node)
            finally:
                undo()
            if own == before:  # replaced as a whole, or dropped
                own = _REPLACED.get(site.kind) or _changed(whole, after)
            elif after == whole:
                continue
            statement = site.statement
            result.append(
                Mutant(
                    self.path,
                    number,
                    site.node.lineno,
                    site.node.end_lineno or site.node.lineno,
                    (statement.lineno, statement.end_lineno or statement.lineno),
                    site.name,
                    site.kind,
                    before[:200],
                    own[:200],
                )
            )
        return result

    def compile(self, number: int | None) -> object:
        """Return the code of the module with this change; None: as it is."""
        if number is None:
            return compile(self.tree, self.file, "exec", dont_inherit=True)
        undo = self._found[number].change()
        try:
            return compile(self.tree, self.file, "exec", dont_inherit=True)
        finally:
            undo()
