"""Byte-compiles source trees: a program that the app's own Python runs, 3.8 and later.

`compile_script.py [--skip-tests] [--checked] [--place FROM TO] [--listed] DIRECTORY...` writes
unchecked-hash byte code (PEP 552; the lifecycle changes the sources' times) for every module, by a
process per core. The bytes depend on the source and the path that is shown alone, if PYTHONHASHSEED
is fixed. `--listed`: standard input names further modules, one a line; `--checked` has Python compare
sources at import. With `--tell` each of those that is no Python is printed: its path, line and what
is wrong, in a line with NULs between.

With `--skip-tests` the packages' own test suites are left out: directories named `test` or `tests`
which no module outside of them imports.
"""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import marshal
import operator
import os
import struct
import sys
import types
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

TEST_SUITES = frozenset(("test", "tests"))
MOST_PROCESSES = 8  # each takes about 20 MB
# Before 3.11, later formats depend on what else is in memory: on whatever was compiled before.
MARSHAL_VERSION = marshal.version if sys.version_info >= (3, 11) else 2
UNCHECKED_HASH, CHECKED_HASH = (number.to_bytes(4, "little") for number in (1, 3))
_NUMBER = struct.Struct("=I")


def main(arguments: list[str]) -> int:
    """Compile what the arguments say; files that do not compile are left: templates of code."""
    skip_tests = taken(arguments, "--skip-tests") is not None
    checked = taken(arguments, "--checked") is not None
    tells = taken(arguments, "--tell") is not None
    old, new = taken(arguments, "--place", 2) or ("", "")
    modules: list[str] = []
    suites: list[str] = []
    if taken(arguments, "--listed") is not None:
        listed = sys.stdin.buffer.read().splitlines()
        modules += filter(os.path.isfile, map(os.fsdecode, listed))
    kind = CHECKED_HASH if checked else UNCHECKED_HASH
    compiler = Compiler(arguments if skip_tests else [], old, new, kind, tells)
    for root in arguments:
        find_modules(root, skip_tests, modules, suites)
    while modules:
        imported = compiler.compile_all(modules)
        needed = [suite for suite in suites if suite in imported]
        suites = [suite for suite in suites if suite not in imported]
        modules = []
        for suite in needed:
            find_modules(suite, False, modules, suites)
    return 0


def taken(arguments: list[str], option: str, values: int = 0) -> list[str] | None:
    """Take an option out of the arguments: its values, None where it is not given."""
    if option not in arguments:
        return None
    at = arguments.index(option)
    found = arguments[at + 1 : at + 1 + values]
    del arguments[at : at + 1 + values]
    return found


def find_modules(root: str, skip_tests: bool, modules: list[str], suites: list[str]) -> None:
    """Add the files to compile to `modules`, the test suites that are left out to `suites`."""
    for folder, folders, names in os.walk(root):
        if skip_tests:
            suites += [os.path.join(folder, name) for name in folders if name in TEST_SUITES]
        skipped = TEST_SUITES if skip_tests else frozenset()
        folders[:] = [name for name in folders if name not in skipped and name != "__pycache__"]
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.isfile(path):
                modules.append(path)


class Compiler:
    """Compiles by a process per core. `roots`: below them, imported test suites are looked for."""

    def __init__(self, roots: list[str], old: str, new: str, kind: bytes, tells: bool) -> None:
        self.roots = roots
        self.old = old
        self.new = new
        self.kind = kind
        self.tells = tells
        self.found, self.tell = -1, -1

    def compile_all(self, modules: list[str]) -> set[str]:
        """Compile `modules`; the test suites that they import."""
        # The largest first, so that no process is left alone with one at the end.
        modules.sort(key=lambda path: (-os.path.getsize(path), path))
        # The next module's number is read from a file that all share, its offset included.
        work = os.memfd_create("modules")
        os.write(work, b"".join(map(_NUMBER.pack, range(len(modules)))))
        os.lseek(work, 0, os.SEEK_SET)
        self.found, self.tell = os.pipe()
        count = min(MOST_PROCESSES, len(os.sched_getaffinity(0)), len(modules))
        children = [start(lambda: self.run_worker(modules, work)) for _ in range(count)]
        os.close(work)
        os.close(self.tell)
        with open(self.found, "rb") as stream:
            imported = {os.fsdecode(path) for path in stream.read().split(b"\0") if path}
        for child in children:
            finish(child)
        return imported

    def run_worker(self, modules: list[str], work: int) -> None:
        """Compile whichever module comes next, until none is left; then raise the first problem."""
        os.close(self.found)
        gc.disable()  # syntax trees hold no cycles, and looking for some takes a tenth of the time
        problems = []
        while len(read := read_alone(work, _NUMBER.size)) == _NUMBER.size:
            path = modules[_NUMBER.unpack(read)[0]]
            try:
                self.compile_module(path)
            except OSError as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def compile_module(self, path: str) -> None:
        """Write the byte code of `path`, and tell which test suites it imports."""
        with open(path, "rb") as file:
            source = file.read()
        moved = self.old and path.startswith(self.old)
        shown = self.new + path[len(self.old) :] if moved else path
        try:
            code = compile(source, shown, "exec", dont_inherit=True)
        except SyntaxError as error:
            if self.tells:
                # In one piece: others write, too.
                os.write(1, os.fsencode(f"{shown}\0{error.lineno or 1}\0{error.msg}\n"))
            return
        except (ValueError, RecursionError, MemoryError, OverflowError):
            return
        code = with_equal_sets_merged(code, {})
        target = importlib.util.cache_from_source(path, optimization="")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        data = importlib.util.MAGIC_NUMBER + self.kind + importlib.util.source_hash(source)
        write_whole(target, data + marshal.dumps(code, MARSHAL_VERSION))
        if self.roots and names_suite(code):
            for suite in imported_suites(path, source, self.roots):
                os.write(self.tell, os.fsencode(suite) + b"\0")


def read_alone(file: int, size: int) -> bytes:
    """Read on, while no other process does: the kernel guards offsets of files, not of this one."""
    fcntl.lockf(file, fcntl.LOCK_EX)
    try:
        return os.read(file, size)
    finally:
        fcntl.lockf(file, fcntl.LOCK_UN)


def write_whole(target: str, data: bytes) -> None:
    """Write the file, or leave none: Python takes what it finds for whole.

    Nothing is written through what an app may have there: a link, a pipe.
    """
    part = f"{target}.part"
    if os.path.lexists(part):
        os.unlink(part)
    try:
        with open(part, "xb") as file:
            file.write(data)
        os.replace(part, target)
    except OSError:
        if os.path.lexists(part):
            os.unlink(part)
        raise


def start(work: Callable[[], None]) -> int:
    """The id of a process that does it."""
    child = os.fork()
    if child == 0:
        run_and_exit(work)
    return child


def run_and_exit(work: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def finish(child: int) -> None:
    """Wait for a process, which must have succeeded."""
    status = os.waitpid(child, 0)[1]
    if status:
        raise SystemExit(f"a process ended by signal: {status & 127}" if status & 127 else 1)


def with_equal_sets_merged(
    code: types.CodeType, sets: dict[frozenset[str], frozenset[object]]
) -> types.CodeType:
    """The code with one object for equal sets of constants.

    Whether the compiler itself leaves one or several depends on the strings that the process
    happens to hold: a set is made again where one of its names is known already.
    """
    constants = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constant = with_equal_sets_merged(constant, sets)
        elif isinstance(constant, frozenset):
            # Equal is not enough: 1, 1.0 and True are.
            key = frozenset(map(repr, constant))
            constant = sets.setdefault(key, frozenset(map(interned, constant)))
        constants.append(constant)
    if all(map(operator.is_, constants, code.co_consts)):
        return code
    return code.replace(co_consts=tuple(constants))


def interned(value: object) -> object:
    """A string as code objects have it; else the set would be made again. Names alone are known."""
    if type(value) is str and value.isascii() and value.replace("_", "a").isalnum():
        return sys.intern(value)
    return value


def names_suite(code: types.CodeType) -> bool:
    """Whether the code has a name that could be a test suite's: quicker than reading its syntax."""
    return any(not TEST_SUITES.isdisjoint(name.split(".")) for name in code.co_names) or any(
        names_suite(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)
    )


def imported_suites(path: str, source: bytes, roots: list[str]) -> set[str]:
    """The directories of the test suites that the import statements name."""
    import ast  # few modules get here

    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            bases, names = roots, [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            bases = roots
            if node.level:
                bases = [os.path.normpath(os.path.join(path, *[os.pardir] * node.level))]
            # `from module import name` may name a module of that name in it.
            prefix = f"{node.module}." if node.module else ""
            names = [prefix + alias.name for alias in node.names]
        else:
            continue
        for words in (name.split(".") for name in names):
            for number, word in enumerate(words, start=1):
                if word in TEST_SUITES:
                    found |= {os.path.join(base, *words[:number]) for base in bases}
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of the packages' code: they are for its authors
    sys.exit(main(sys.argv[1:]))
