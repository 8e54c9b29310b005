"""What usually mends a well-known installation failure, told from the tools' output. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNREACHABLE = "index-unreachable"
# A tool's words, or ours where it has none, for a search without any index.
NO_INDEX = "index lookups were disabled"
# What may be due to an index that was passed over in silence.
ABOUT_INDEXES = frozenset(
    ["package-missing", "version-missing", "no-wheel", "index-credentials", "yanked"]
)


@dataclass(frozen=True, kw_only=True)
class Hint:
    """`id` is part of the error's, and stays. `final`: no other tool would fare better. `package`
    is the one that failed, where the output names it."""

    id: str
    text: str
    final: bool = False
    package: str = ""


@dataclass(frozen=True)
class _Rule:
    """`{0}` in the text is what the pattern's group found, `{missing}` the first missing package,
    `{built}` the first that could not be built, `{variable}` the same in a variable's name,
    `{host}` who did not answer, `{python}` the Python in use."""

    id: str
    pattern: str
    text: str
    final: bool = False


# What brings a header: Debian's package, and where there is one a distribution with wheels.
_HEADERS = {
    "Python.h": "a runtime with headers: report this, it is the buildpack's own",
    "libpq-fe.h": "libpq-dev; or use psycopg[binary] or psycopg2-binary, which have wheels",
    "mysql.h": "default-libmysqlclient-dev; or use PyMySQL, which needs no compiler",
    "ffi.h": "libffi-dev",
    "zlib.h": "zlib1g-dev",
    "jpeglib.h": "libjpeg-dev",
    "lber.h": "libldap2-dev and libsasl2-dev",
    "sql.h": "unixodbc-dev",
    "openssl/ssl.h": "libssl-dev",
    "openssl/opensslv.h": "libssl-dev",
    "libxml/xpath.h": "libxml2-dev and libxslt1-dev",
    "libxml/xmlversion.h": "libxml2-dev and libxslt1-dev",
    "libxslt/xslt.h": "libxslt1-dev",
    "xmlsec/xmlsec.h": "libxmlsec1-dev",
    "cairo.h": "libcairo2-dev",
    "gmp.h": "libgmp-dev",
    "hdf5.h": "libhdf5-dev",
    "portaudio.h": "portaudio19-dev",
    "yaml.h": "libyaml-dev",
    "gssapi.h": "libkrb5-dev",
    "gssapi/gssapi.h": "libkrb5-dev",
    "sasl/sasl.h": "libsasl2-dev",
    "event.h": "libevent-dev",
    "curl/curl.h": "libcurl4-openssl-dev",
    "lzma.h": "liblzma-dev",
    "bzlib.h": "libbz2-dev",
    "sqlite3.h": "libsqlite3-dev",
}

# The first that matches is given: the sharper ones stand before the general ones.
_RULES = (
    _Rule(
        "disk-full",
        r"No space left on device|os error 28\b|Errno 28\b|Disk quota exceeded",
        "The disk is full: give the build more space (Docker: docker system df; kpack: the pod's "
        "ephemeral storage), and build again.",
        final=True,
    ),
    _Rule(
        "out-of-memory",
        r"signal: 9\b|SIGKILL|exit code: -9\b|exit (?:code|status):? 137\b|Killed signal terminated"
        r"|MemoryError|Cannot allocate memory|out of memory",
        "A process was killed, most likely because the memory was used up. Give the build more "
        "memory (Docker: its settings; kpack: spec.build.resources), or choose a version that has "
        "a wheel, so that nothing is compiled.",
        final=True,
    ),
    _Rule(
        "hash-mismatch",
        r"(?i)(?:hash|size) mismatch|DO NOT MATCH THE HASHES|hashes do not match",
        "{missing}: a file is not the one whose hash was recorded (expected and got are above). If "
        "it was released anew, refresh the hashes with the tool that wrote them; otherwise find out "
        "who changed it: the index or a proxy.",
    ),
    _Rule(
        "index-credentials",
        r"\b40[13] (?:Unauthorized|Forbidden|Error|Client Error)[^\n]*?\b(https?://[^\s)`']+)",
        "The credentials were refused, or are missing, for {0}: check the user name and the "
        "password or token in the URL, in netrc (by host), or in the service binding.",
    ),
    _Rule(
        "index-credentials",
        r"\b40[13] (?:Unauthorized|Forbidden|Error|Client Error)"
        r"|lack of valid authentication credentials",
        "An index refused the credentials, or wants some: check the user name and the password or "
        "token in its URL, in netrc, or in the service binding.",
    ),
    _Rule(
        "index-certificate",
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|certificate verify failed"
        r"|self-signed certificate",
        "The certificate of an index is not trusted: give its CA by a service binding of the type "
        "ca-certificates, or by SSL_CERT_FILE.",
    ),
    _Rule(
        UNREACHABLE,
        r"Connection refused|Name or service not known|Temporary failure in name resolution"
        r"|dns error|Failed to establish a new connection|failed to lookup address"
        r"|Network is unreachable|operation timed out|Connection reset|503 Service Unavailable"
        r"|50[234] Server Error|Bad Gateway",
        "{host} cannot be reached (the first package asked for: {missing}). Check the network, "
        "the proxy settings and PIP_INDEX_URL; without a network, put wheels into vendor/.",
    ),
    _Rule(
        "version-from-vcs",
        r"(?i)(?:setuptools[-_]scm|hatch[-_]vcs|vcs[-_]versioning|versioningit|dunamai|pbr)\b"
        r"[^\n]*unable to (?:detect|determine)"
        r"|unable to detect version|Versioning for this project requires either an sdist"
        r"|unable to determine (?:the )?version",
        "{built} takes its version from tags of version control, and the build has no .git. Set "
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{variable} to the version (for all packages: "
        "SETUPTOOLS_SCM_PRETEND_VERSION; for pbr: PBR_VERSION).",
    ),
    _Rule(
        "header-missing",
        r"fatal error: '?([\w./+-]+\.h(?:pp|xx)?)'?(?: file not found|: No such file)",
        "{built} is compiled, and the header {0} is missing: choose a version that has a wheel "
        "for {python}, or a build image with {header}.",
    ),
    _Rule(
        "header-missing",
        r"(pg_config|mysql_config|pkg-config|krb5-config|xmlsec1|curl-config)"
        r"[^\n]*(?:not found|No such file)",
        "{built} is compiled and asks {0}, which is missing: choose a version that has a wheel "
        "for {python}, or a build image with the -dev package that brings it.",
    ),
    _Rule(
        "compiler-missing",
        r"command '?[\w./+-]*(?:gcc|cc|clang|g\+\+|c\+\+)'? failed: No such file"
        r"|linker `cc` not found|[Cc]an't find Rust compiler|cargo[^\n]*(?:not found|not installed)"
        r"|No CMAKE_C\w*_COMPILER|Unknown compiler\(s\)|CMake must be installed|gfortran not found",
        "{built} is compiled, and the build image has no compiler for it: choose a version that "
        "has a wheel for {python}, or a build image with a compiler.",
    ),
    _Rule(
        "python2-only",
        r"Missing parentheses in call to '(?:print|exec)'"
        r"|multiple exception types must be parenthesized|use_2to3 is invalid"
        r"|No module named '(?:ConfigParser|urllib2|Queue|StringIO|__builtin__|commands)'",
        "{built} is written for Python 2: look for a newer version or a successor of it.",
    ),
    _Rule(
        "python-too-new",
        r"No module named '(distutils|imp|asynchat)'|pkgutil\.(ImpImporter)"
        r"|'pkgutil' has no attribute '(ImpImporter)'",
        "{built} does not support {python}: it needs {0}, which Python has only up to 3.11. Use a "
        "newer version of it, or write 3.11 into .python-version.",
    ),
    _Rule(
        "python-too-new",
        r"No module named '(pkg_resources|pipes)'",
        "{built} does not support {python}: it needs {0}, which is gone. Use a newer version of "
        "it, or an older Python (.python-version).",
    ),
    _Rule(
        "git-missing",
        r"Git executable not found|No such file or directory: 'git'|Cannot find command 'git'",
        "A requirement comes from version control, and the build image has no git: use a build "
        "image with it, or a released version.",
    ),
    _Rule(
        "flat-layout",
        r"Multiple top-level (?:packages|modules) discovered in a flat-layout: (\[[^\]\n]*\])",
        "setuptools cannot tell which of {0} is the package {built}. Name it in its pyproject.toml "
        '([tool.setuptools] packages = ["name"]), or move it below src/. '
        "If one of them is a virtual environment that was committed, delete it.",
    ),
    _Rule(
        "yanked",
        r"was yanked|Ignored the following yanked versions",
        "The only version that fits was yanked: its author withdrew it. Choose another version; "
        "only an exact pin (name==version) in the requirements still takes it.",
    ),
    _Rule(
        "no-wheel",
        r"only found wheels for [^\n]+ with the following [^\n]*tags?: ([^\n]+)",
        "{missing} has no file for {python}, only for {0}: choose a version that has one, or "
        "another Python (.python-version).",
    ),
    _Rule(
        "no-wheel",
        r"has no wheels with a matching|only found wheels for|no usable wheels"
        r"|Ignored the following versions that require a different python"
        r"|is not a supported wheel on this platform|requires a different Python"
        r"|does not satisfy Python",
        "{missing} has no file for {python} or this architecture: choose a version that has "
        "one, or another Python (.python-version).",
    ),
    _Rule(
        "conflict",
        r"The conflict is caused by:\n((?: +\S[^\n]*\n?)+)",
        "Two requirements exclude each other: relax one of them.\n  {0}",
    ),
    _Rule(
        "conflict",
        r"ResolutionImpossible|are incompatible\.|conflicting dependencies"
        r"|Because you require [^\n]+ and [^\n]+, we can conclude",
        "Two requirements exclude each other (which, is said above): relax one of them.",
    ),
    _Rule(
        "wheels-missing",
        rf"was not found in the provided package locations|{NO_INDEX}",
        "{missing} is not among the wheels at hand (vendor/, BP_PIP_FIND_LINKS), and no index may "
        "be asked or can be reached: add its wheel for {python}, and those of what it requires.",
    ),
    _Rule(
        "version-missing",
        r"there (?:is|are) no versions? of|\(from versions: (?!none)",
        "{missing} exists, but not in the version asked for: the index may lack it, or the number "
        "is mistyped.",
    ),
    _Rule(
        "package-missing",
        r"was not found in the package registry|No matching distribution found|from versions: none",
        "{missing} is not on the index: check the name, that a file exists for {python}, and "
        "that the index that holds it is configured (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL).",
    ),
)
_UNKNOWN = Hint(
    id="failed", text="Install the same requirements locally to see the failure in full."
)
_MISSING = re.compile(
    r"""Because\ (?:only\ )?(?P<unknown>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?(?:[=<>!~][^\s]*)?\ (?:was\ not|has\ no|was\ yanked)
      | there\ (?:is|are)\ no\ versions?\ of\ (?P<version>[A-Za-z0-9][\w.-]*)
      | Failed\ to\ download(?:\ and\ build)?\ `(?P<locked>[A-Za-z0-9][\w.-]*)==
      | Failed\ to\ fetch:\ `?https?://[^\s`]*/(?P<fetched>[A-Za-z0-9][\w.-]*)/`?(?:\s|$)
      | DO\ NOT\ MATCH\ THE\ HASHES[^\n]*\n\s+(?P<changed>[A-Za-z0-9][\w.-]*)
      | (?:distribution\ found\ for|satisfies\ the\ requirement)\ (?P<named>[A-Za-z0-9][\w.-]*)
    """,
    re.VERBOSE,
)
_BUILT = re.compile(  # not a URL, as pip has it of the app itself
    r"Failed (?:to build|building wheel for) [`']?([A-Za-z0-9][\w.-]*)(?![\w.-]*:)"
    r"|while generating package metadata\.\s+╰─> ([A-Za-z0-9][\w.-]*)\n"
)
_HOST = re.compile(
    r"Failed to (?:fetch|download)[^\n]*?https?://(?:[^@/\s`]*@)?(?P<url>[^/\s`]+)"
    r"|host='(?P<host>[^'\n]+)'(?:, port=(?P<port>\d+))?"
)

# uv's words for an answer that was missing, cut or garbled. What it tried again itself, and what
# no second attempt would change, has a hint of its own.
_ONE_ANSWER = re.compile(
    r"Failed to (?:fetch|download)|Unsupported `Content-Type`|was not found in the package registry"
    r"|[Hh]ash mismatch|(?:unexpected|invalid) (?:JSON|HTML)|error decoding"
)
_TRIED_ENOUGH = frozenset([UNREACHABLE, "index-certificate", "index-credentials"])


def diagnose(output: str, code: int, python: str = "this Python") -> Hint:
    """The hint for what a tool that ended with `code` printed; `python` is the one in use."""
    if code in (-9, 137):
        output += "\nSIGKILL"
    built, missing = first_built(output), first_missing(output)
    package = built or missing or ""
    for rule in _RULES:
        found = re.search(rule.pattern, output)
        if found:
            first = next(filter(None, found.groups()), "")
            group = "\n  ".join(map(str.strip, first.splitlines()))
            text = rule.text.format(
                group,
                missing=missing or "A package",
                built=built or "A package",
                variable=re.sub(r"[-_.]+", "_", built or "name").upper(),
                header=_HEADERS.get(group, f"the -dev package that brings {group}"),
                host=_first_host(output) or "An index",
                python=python,
            )
            # Two requirements are to blame for a conflict, whichever the tool names first.
            blamed = "" if rule.id == "conflict" else package
            return Hint(id=rule.id, text=text, final=rule.final, package=blamed)
    return Hint(id=_UNKNOWN.id, text=_UNKNOWN.text, package=package)


def _first_host(output: str) -> str:
    found = _HOST.search(output)
    if not found:
        return ""
    return found["url"] or ":".join(filter(None, (found["host"], found["port"])))


def may_be_one_answer(output: str, hint: Hint) -> bool:
    """Whether uv may have failed by a single answer of an index, and would pass with another."""
    return hint.id not in _TRIED_ENOUGH and bool(_ONE_ANSWER.search(output))


def first_missing(output: str) -> str | None:
    """The first package that a tool said it could not find or fetch."""
    found = _MISSING.search(output)
    return next(filter(None, found.groups()), None) if found else None


def first_built(output: str) -> str | None:
    """The first package that a tool said it could not build."""
    found = _BUILT.search(output)
    return next(filter(None, found.groups()), None) if found else None


def texts() -> tuple[tuple[str, str], ...]:
    """Every id with its text, placeholders named; an id may have several."""
    return (
        *(
            (
                rule.id,
                rule.text.format(
                    "<name>",
                    missing="<package>",
                    built="<package>",
                    variable="<PACKAGE>",
                    header="<the -dev package>",
                    host="<host>",
                    python="<Python>",
                ),
            )
            for rule in _RULES
        ),
        (_UNKNOWN.id, _UNKNOWN.text),
    )
