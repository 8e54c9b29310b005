"""What a module's syntax tree says about the names in it: where each comes from. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reference:
    """A dotted name: `app`, or `module.app`."""

    name: str


@dataclass(frozen=True)
class Call:
    """The value of a call: what is called, and the arguments that are names or calls."""

    function: Reference
    arguments: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Function:
    """A function: its own names, what it returns, and whether it can be called with nothing."""

    scope: Scope
    returns: tuple[Value, ...]
    needs_arguments: bool


@dataclass(frozen=True)
class Class:
    """A class, by its bases."""

    bases: tuple[Reference, ...]


@dataclass(frozen=True)
class Parameter:
    """What a function is given: anything."""


Value = Reference | Call | Function | Class | Parameter


@dataclass(frozen=True)
class Scope:
    """The names of a module, or of a function.

    `values` holds every value that a name gets, in order. `imports` maps names to what they stand
    for elsewhere, `stars` lists the modules all of whose names are imported, `modules` every module
    that an import mentions, `methods` the names of all methods that are called anywhere.
    """

    values: dict[str, list[Value]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    methods: frozenset[str] = frozenset()
    is_relative: bool = False

    @property
    def tops(self) -> frozenset[str]:
        """The top-level modules that an import mentions."""
        return frozenset(name.split(".")[0] for name in self.modules)


def read_scope(source: bytes, package: str) -> Scope | None:
    """The names of a module; None for what is no Python. `package` is what `.` means in imports."""
    try:
        tree = ast.parse(source)
        methods, relative = set(), False
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                methods.add(node.func.attr)
            elif isinstance(node, ast.ImportFrom) and node.level > 0:
                relative = True
        scope = Scope(methods=frozenset(methods), is_relative=relative)
        _fill(scope, tree.body, package)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Whatever is wrong with it, Python will say so when the app starts.
        return None
    return scope


def environment_default(source: bytes, variable: str) -> str | None:
    """The text that a program gives to an environment variable, by default or by assignment.

    None where it gives several.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = set()
    for node in nodes:
        if isinstance(node, ast.Call) and len(node.args) == 2:
            name, value = node.args
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            name, value = node.targets[0].slice, node.value
        else:
            continue
        if (
            isinstance(name, ast.Constant)
            and name.value == variable
            and isinstance(value, ast.Constant)
            and isinstance(value.value, str)
            and value.value
        ):
            found.add(value.value)
    return found.pop() if len(found) == 1 else None


def _fill(scope: Scope, body: Sequence[ast.stmt], package: str) -> None:
    for node in _statements(body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                scope.imports[alias.asname or top] = alias.name if alias.asname else top
                scope.modules.add(alias.name)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package)
            if origin is not None:
                scope.modules.add(origin)
                for alias in node.names:
                    if alias.name == "*":
                        scope.stars.append(origin)
                    else:
                        scope.imports[alias.asname or alias.name] = f"{origin}.{alias.name}"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    _assign(scope, target.id, node.value)
        elif isinstance(node, ast.FunctionDef):
            _set(scope, node.name, _function(node, package))
        elif isinstance(node, ast.ClassDef):
            bases = tuple(Reference(name) for base in node.bases if (name := _dotted(base)))
            _set(scope, node.name, Class(bases=bases))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that run on import, within `if`, `try` and `with` too; not those of `__main__`."""
    for node in body:
        if isinstance(node, ast.If):
            if not any(
                isinstance(n, ast.Constant) and n.value == "__main__" for n in ast.walk(node.test)
            ):
                yield from _statements(node.body)
            yield from _statements(node.orelse)
        elif isinstance(node, ast.Try):
            for block in (node.body, node.orelse, node.finalbody):
                yield from _statements(block)
        elif isinstance(node, ast.With):
            for item in node.items:
                if item.optional_vars is not None:
                    yield ast.Assign(targets=[item.optional_vars], value=item.context_expr)
            yield from _statements(node.body)
        else:
            yield node


def _origin(node: ast.ImportFrom, package: str) -> str | None:
    """The absolute name of the module that is imported from; None where it leads out."""
    if not node.level:
        return node.module
    parts = package.split(".") if package else []
    if node.level - 1 > len(parts):
        return None
    base = parts[: len(parts) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])]) or None


def _assign(scope: Scope, name: str, value: ast.expr | None) -> None:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        scope.texts[name] = value.value
        return
    found = _value(value)
    if found is not None:
        _set(scope, name, found)


def _set(scope: Scope, name: str, value: Value) -> None:
    scope.values.setdefault(name, []).append(value)


def _value(node: ast.expr | None) -> Value | None:
    if isinstance(node, ast.Call):
        function = _dotted(node.func)
        if function is None:
            return None
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        arguments = tuple(found for argument in given if (found := _value(argument)))
        return Call(function=Reference(function), arguments=arguments)
    name = _dotted(node) if node is not None else None
    return Reference(name) if name else None


def _function(node: ast.FunctionDef, package: str) -> Function:
    given = node.args
    scope = Scope()
    for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs):
        _set(scope, argument.arg, Parameter())
    _fill(scope, node.body, package)
    returns = tuple(
        found
        for inner in _statements(node.body)
        if isinstance(inner, ast.Return) and (found := _value(inner.value))
    )
    positional = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    return Function(
        scope=scope,
        returns=returns,
        needs_arguments=positional > 0 or None in given.kw_defaults,
    )


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return f"{base}.{node.attr}" if base else None
    return None
