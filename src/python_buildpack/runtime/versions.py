"""What is asked for, the releases, their support dates and the day -> one release. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from python_buildpack import errors
from python_buildpack.runtime.releases import DEFAULT_MINOR, Release, ReleaseList
from python_buildpack.runtime.version_syntax import Request, Source, parse_request, parse_wish

_COMMIT = Source(name="", fix="echo '{wanted}' > .python-version  (and commit that file)")
_PLAN = Source(
    name="another buildpack's requirement in the build plan",
    fix='that buildpack should write: version = "{wanted}"',
)
_MONTHS_BEFORE_END = 6
_NEAREST = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the app is to run, as far as it matters here."""

    arch: str
    distribution: str = ""
    stack: str = ""

    @property
    def places(self) -> frozenset[str]:
        return frozenset([self.distribution, self.stack])


@dataclass(frozen=True, kw_only=True)
class VersionWarning:
    """`kind` is stable; `text` is for the user."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Requests:
    """All that the app says: what decides, the highest alone, and every range that must hold too.

    `required` is in the order of precedence: its first decides where nothing is `asked`.
    """

    asked: Request | None = None
    required: tuple[Request, ...] = ()
    warnings: tuple[VersionWarning, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The chosen release, why, and what the user should be told.

    `asked` is who asks for it, empty where nobody does: the history of builds is not in it.
    """

    release: Release
    origin: str
    asked: str = ""
    warnings: tuple[VersionWarning, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """The releases that may be had here today, and why the others may not."""

    listed: ReleaseList
    target: Target
    today: datetime.date

    def here(self, *, free_threaded: bool) -> list[Release]:
        return [
            release
            for release in self.listed.releases
            if release.arch == self.target.arch
            and release.free_threaded == free_threaded
            and self.state(minor_of(release.version)) == "offered"
        ]

    def state(self, minor: str) -> str:
        """`offered`, `ended` or `elsewhere`."""
        support = self.listed.support.get(minor)
        if support is None:
            oldest = min(self.listed.support, key=Version, default="3.0")
            return "ended" if Version(minor) < Version(oldest) else "offered"
        if self.today >= support.refused_from:
            return "ended"
        if support.only_on and not self.target.places & set(support.only_on):
            return "elsewhere"
        return "offered"

    def minors(self, *, free_threaded: bool = False) -> list[str]:
        """The newest first."""
        here = self.here(free_threaded=free_threaded)
        found = {minor_of(release.version) for release in here if _is_stable(release)}
        return sorted(found, key=Version, reverse=True)

    def any_fits(self, request: Request) -> bool:
        """Whether something that is offered is what is asked for."""
        pool = self.here(free_threaded=request.free_threaded)
        return any(_is_stable(r) and request.admits(r.version) for r in pool)

    def advised(self, admitted: Callable[[str], bool] = lambda _: True) -> str:
        """The minor version to write: the default, else the newest, that `admitted` takes."""
        here = self.here(free_threaded=False)
        fitting = [r for r in here if _is_stable(r) and admitted(r.version)]
        return minor_of(_preferred(fitting).version) if fitting else DEFAULT_MINOR


def minor_of(version: str) -> str:
    """`3.13.2` is of `3.13`."""
    return ".".join(version.split(".")[:2])


def resolve(
    requests: Requests,
    listed: ReleaseList,
    *,
    target: Target,
    today: datetime.date,
    previous: str | None = None,
    plan: Sequence[str] = (),
) -> Resolution:
    """The release to use.

    `previous` is the version of the last build, `plan` what other buildpacks require of it.
    Raises `UserError` for what no release meets, for what is no longer offered, and for requests
    that contradict each other.
    """
    offer = _Offer(listed=listed, target=target, today=today)
    arches = {release.arch for release in listed.releases}
    if target.arch not in arches:
        raise errors.releases_lack_architecture(target.arch, sorted(arches))
    wishes = [parse_wish(text, _PLAN) for text in plan if text.strip()]
    if requests.asked or requests.required:
        found = _by_request(requests, wishes, offer)
    else:
        found = _by_habit(previous, wishes, offer)
    return dataclasses.replace(found, warnings=(*requests.warnings, *found.warnings))


def _by_request(requests: Requests, wishes: Sequence[Request], offer: _Offer) -> Resolution:
    """The app says which: the highest decides, the others must agree."""
    asked = [requests.asked] if requests.asked else []
    lead, *others = [*asked, *requests.required]
    candidates = _all_hold(lead, others, _candidates(lead, offer), offer)
    release = _preferred(_narrowed(candidates, wishes, lead, offer))
    origin = f"{lead.source}: {' '.join(lead.text.split())}"
    return Resolution(
        release=release,
        origin=origin,
        asked=origin,
        warnings=(*_old_patch(release, lead, offer), *_age(release, lead.source, offer)),
    )


def _by_habit(previous: str | None, wishes: Sequence[Request], offer: _Offer) -> Resolution:
    """The app does not say: the last build's minor version, else the default."""
    kept = _sticky(previous, offer)
    free_threaded = any(w.free_threaded for w in wishes) or bool(kept and kept.free_threaded)
    pool = [r for r in offer.here(free_threaded=free_threaded) if _is_stable(r)]
    if not pool:
        raise errors.releases_lack_architecture(offer.target.arch, ["none that is supported"])
    minor = kept.minor if kept else None
    release = _preferred(_narrowed(pool, wishes, None, offer), minor)
    taken = minor_of(release.version)
    asked = f"{_PLAN}: {wishes[0].text}" if wishes else ""
    origin = f"{minor}, as in the last build" if taken == minor else asked or "the default"
    wanted = taken + ("t" if release.free_threaded else "")
    warnings = [
        VersionWarning(
            kind="no-version-asked-for",
            text=f"No Python version is asked for. To choose one: {_COMMIT.fixed(wanted)}",
        )
    ]
    if minor and taken != minor and not wishes:
        text = (
            f"The last build had Python {previous}, but the release list has no {minor} any more."
        )
        warnings.append(VersionWarning(kind="last-version-not-listed", text=text))
    return Resolution(
        release=release,
        origin=origin,
        asked=asked,
        warnings=(*warnings, *_age(release, _COMMIT, offer)),
    )


def _age(release: Release, source: Source, offer: _Offer) -> tuple[VersionWarning, ...]:
    """Whether its end of life is near or past."""
    minor = minor_of(release.version)
    support = offer.listed.support.get(minor)
    if support is None:
        return ()
    newer = [m for m in offer.minors() if Version(m) > Version(minor)]
    better = DEFAULT_MINOR if DEFAULT_MINOR in newer else next(iter(newer), "")
    fix = f": {source.fixed(better)}" if better else "."
    if offer.today > support.end_of_life:
        text = (
            f"PYTHON {minor} IS DEPRECATED: it gets no security fixes since {support.end_of_life}, "
            f"and from {support.refused_from} on this buildpack refuses to build with it.\n"
            f"Move to a newer version before that day{fix}"
        )
        return (VersionWarning(kind="end-of-life-past", text=text),)
    if offer.today >= _months_before(support.end_of_life):
        text = (
            f"Python {minor} gets security fixes until {support.end_of_life} only. "
            f"Plan the move to a newer version{fix}"
        )
        return (VersionWarning(kind="end-of-life-near", text=text),)
    return ()


def _months_before(day: datetime.date) -> datetime.date:
    months = day.year * 12 + day.month - 1 - _MONTHS_BEFORE_END
    year, month = months // 12, months % 12 + 1
    last = datetime.date(year + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)
    return last.replace(day=min(day.day, last.day))


def _is_stable(release: Release) -> bool:
    return not Version(release.version).is_prerelease


def _preferred(releases: Sequence[Release], minor: str | None = None) -> Release:
    """The newest patch: of `minor`, else of the default, else of all."""
    for wanted in (minor, DEFAULT_MINOR):
        if of_minor := [r for r in releases if minor_of(r.version) == wanted]:
            releases = of_minor
            break
    return max(releases, key=lambda release: Version(release.version))


def _sticky(previous: str | None, offer: _Offer) -> Request | None:
    """The last build's minor version as a request. Raises `UserError` where it is refused now."""
    if previous is None or not re.fullmatch(
        r"3\.[0-9]{1,3}\.[0-9]{1,3}((a|b|rc)[0-9]+)?t?", previous
    ):
        return None
    source = Source(name="the last build of this app", fix=_COMMIT.fix)
    threads = "t" if previous.endswith("t") else ""
    kept = parse_request(minor_of(previous) + threads, source)
    _refuse(minor_of(previous), kept, offer)
    return kept


def _candidates(request: Request, offer: _Offer) -> list[Release]:
    """The releases that one request admits. Raises `UserError` where there is none."""
    if request.minor is None:
        return _within(request, offer)
    _refuse(request.minor, request, offer)
    same = [r for r in offer.listed.releases if minor_of(r.version) == request.minor]
    threads = [r for r in same if r.free_threaded == request.free_threaded]
    if not any(map(_is_stable, same)) and (not same or request.version is None):
        minors = offer.minors()
        fix = request.source.fixed(offer.advised())
        raise errors.python_minor_unknown(str(request.source), request.minor, minors, fix)
    if not threads:
        raise errors.python_free_threaded_unknown(
            str(request.source),
            request.minor,
            offer.minors(free_threaded=True),
            request.source.fixed(request.minor),
        )
    wanted = [
        release
        for release in threads
        if (release.version == request.version if request.version else _is_stable(release))
    ]
    here = [release for release in wanted if release.arch == offer.target.arch]
    if not here:
        raise _no_such_patch(request, request.minor, threads, wanted, offer)
    return here


def _within(request: Request, offer: _Offer) -> list[Release]:
    """The releases within a range. Raises `UserError` that says why there is none."""
    here = offer.here(free_threaded=False)
    found = [r for r in here if _is_stable(r) and request.admits(r.version)]
    if found:
        return found
    fitting = {minor_of(r.version) for r in offer.listed.releases if request.admits(r.version)}
    minors = offer.minors()
    newest = max((int(minor.split(".")[1]) for minor in minors), default=0)
    fix = request.source.fixed(offer.advised())
    if not fitting:
        imagined = [n for n in range(newest + 20) if request.admits(f"3.{n}.0")]
        if imagined and imagined[0] > newest:
            raise errors.python_minor_unknown(str(request.source), f"3.{imagined[0]}", minors, fix)
        fitting = {f"3.{n}" for n in imagined} or ({"2.7"} if request.admits("2.7.18") else set())
    for minor in sorted(fitting, key=Version, reverse=True):
        _refuse(minor, request, offer)
    raise errors.python_range_empty(str(request.source), request.text, minors, fix)


def _refuse(minor: str, request: Request, offer: _Offer) -> None:
    """Raises `UserError` for a minor version that is not offered, here or any more."""
    state, support = offer.state(minor), offer.listed.support.get(minor)
    minors = offer.minors()
    fix = request.source.fixed(offer.advised())
    if state == "ended":
        raise errors.python_end_of_life(
            str(request.source),
            minor,
            str(support.end_of_life) if support else "",
            str(support.refused_from) if support else "",
            minors,
            fix,
        )
    if state == "elsewhere" and support is not None:
        raise errors.python_minor_elsewhere(
            str(request.source), minor, support.only_on, minors, fix
        )


def _no_such_patch(
    request: Request,
    minor: str,
    threads: Sequence[Release],
    wanted: Sequence[Release],
    offer: _Offer,
) -> errors.UserError:
    arch = offer.target.arch
    version = request.version or minor
    micro = Version(version).micro
    here = [Version(r.version) for r in threads if r.arch == arch]
    nearest = sorted(sorted(here, key=lambda v: (abs(v.micro - micro), -v.micro))[:_NEAREST])
    suffix = "t" if request.free_threaded else ""
    fix = request.source.fixed(minor + suffix if here else offer.advised())
    names = [f"{one}{suffix}" for one in nearest]
    where = str(request.source)
    if wanted:
        others = sorted({release.arch for release in wanted})
        return errors.python_version_other_architecture(
            where, version + suffix, arch, others, names, fix
        )
    if request.version and request.version not in request.text:
        where += f", where {request.text} means {request.version} exactly"
    return errors.python_version_unknown(where, version + suffix, names, fix)


def _all_hold(
    lead: Request, others: Sequence[Request], candidates: list[Release], offer: _Offer
) -> list[Release]:
    """What the others admit, too. Raises `UserError` naming the first that leaves nothing."""
    for other in others:
        kept = [release for release in candidates if other.admits(release.version)]
        if not kept:
            fixes = (
                *(
                    [lead.source.fixed(offer.advised(other.admits))]
                    if offer.any_fits(other)
                    else []
                ),
                other.source.fixed(minor_of(_preferred(candidates).version)),
            )
            raise errors.python_version_conflict(
                str(lead.source), lead.text, str(other.source), other.text, fixes
            )
        candidates = kept
    return candidates


def _narrowed(
    candidates: list[Release], wishes: Sequence[Request], lead: Request | None, offer: _Offer
) -> list[Release]:
    for wish in wishes:
        kept = [
            release
            for release in candidates
            if wish.admits(release.version) and (release.free_threaded or not wish.free_threaded)
        ]
        if not kept:
            source = (
                lead.source if lead else Source(name="the buildpack's own choice", fix=_COMMIT.fix)
            )
            asked = lead.text if lead else ", ".join(offer.minors())
            threads = "t" if wish.free_threaded else ""
            fix = (
                source.fixed(offer.advised(wish.admits) + threads)
                if offer.any_fits(wish)
                else "change what the other buildpack requires: no Python that is offered meets it"
            )
            raise errors.build_plan_conflict(str(source), asked, wish.text, fix)
        candidates = kept
    return candidates


def _old_patch(release: Release, lead: Request, offer: _Offer) -> tuple[VersionWarning, ...]:
    """An exact version stays behind when a newer patch appears."""
    if lead.version is None:
        return ()
    minor = minor_of(release.version)
    here = offer.here(free_threaded=release.free_threaded)
    same = [r for r in here if _is_stable(r) and minor_of(r.version) == minor]
    newest = _preferred([release, *same])
    if newest.version == release.version:
        return ()
    wanted = minor + ("t" if release.free_threaded else "")
    meaning = (
        "" if lead.version in lead.text else f", where {lead.text} means {lead.version} exactly"
    )
    text = (
        f"Python {release.name} ({lead.source}{meaning}) is not the newest patch: "
        f"{newest.name} has later bug and security fixes.\n"
        f"To get newer patches by themselves: {lead.source.fixed(wanted)}"
    )
    return (VersionWarning(kind="patch-not-newest", text=text),)
