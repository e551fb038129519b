"""Networks of the Hugging Face Hub: ``hf://owner/name[@revision][/path]``, and the addresses of its web pages.

Files are kept in the cache of ``huggingface_hub``, in its layout (``blobs`` by digest, ``snapshots`` by commit,
``refs`` by revision), so that what either has fetched is there for both. Settings are its own, too: ``HF_TOKEN``,
``HF_HOME``, ``HF_HUB_CACHE``, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from ..system.messages import shown
from ..system.whole_files import whole_file
from .archives import MOST_BESIDE, SUFFIXES, beside
from .download import NETWORKS, DownloadError, Expected, NetworkAddress, UnreachableError, fetch_to, text_of

HUB = "https://huggingface.co"
FORM = "hf://owner/name[@revision][/path]"
LISTED = 12  # files that a message names
_KINDS = ("models", "datasets", "spaces")
_REVISION = r"refs/(?:pr|convert)/[^/]+|[^/]+"
_NAMES = r"(?P<repo>[\w.-]+/[\w.-]+)"
_TYPED = re.compile(rf"(?:(?P<kind>{'|'.join(_KINDS)})/)?{_NAMES}(?:@(?P<revision>{_REVISION}))?(?:/+(?P<path>.*))?")
_WEB = re.compile(
    rf"(?:(?P<kind>datasets|spaces)/)?{_NAMES}(?:/(?:blob|resolve|raw|tree)/(?P<revision>{_REVISION})(?:/+(?P<path>.*))?)?/*"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Of names that end like networks: parts of trainings and of other models.
_OTHERS = re.compile(
    r"optim|sched|scaler|rng_state|training_args|(?<![a-z])(vgg|lpips|inception|dlib|tokenizer)|discriminator"
    r"|(^|[/_-])(net)?d([._-]|$)",
    re.IGNORECASE,
)
# A part of a name -> what files of that name usually are; the first that fits.
_BY_NAME = (
    (r"karras2018iclr|pggan|progressive", "PGGAN"),
    (r"karras2019stylegan-|stylegan1", "StyleGAN"),
    (r"stylegan[_-]?xl|sgxl|imagenet\d+\.pkl", "StyleGAN-XL"),
    (r"stylegan[_-]?human", "StyleGAN-Human"),
    (r"stylegan[_-]?nada", "StyleGAN-NADA"),
    (r"eg3d", "EG3D"),
    (r"stylegan3|sg3|-[tr]-(ffhqu?|afhq\w*|metfacesu?)", "StyleGAN3"),
    (r"config-[a-f]\b", "StyleGAN2 (TensorFlow)"),
    (r"stylegan2|sg2", "StyleGAN2"),
    (r"e4e|psp", "an encoder with its StyleGAN2"),
    (r"biggan", "BigGAN"),
    (r"dcgan", "DCGAN"),
    (r"network-snapshot-\d+", "a snapshot of a training"),
)
_BY_SUFFIX = {
    ".pkl": "a pickle, as toolkits write networks",
    ".pickle": "a pickle",
    ".safetensors": "weights",
    ".zip": "an archive",
    ".tar": "an archive",
    ".tgz": "an archive",
    ".gz": "an archive",
}


@dataclass(frozen=True)
class HubPlace:
    """A file or a repository of a Hub.

    Attributes:
        kind: ``models``, ``datasets`` or ``spaces``.
        repo: ``owner/name``.
        revision: branch, tag, commit, or ``refs/pr/N``.
        path: in the repository; '' for all of it.
        endpoint: the Hub's address, without a slash at the end.
    """

    kind: str
    repo: str
    revision: str = "main"
    path: str = ""
    endpoint: str = HUB

    def __str__(self) -> str:
        """As it is typed."""
        kind = "" if self.kind == "models" else f"{self.kind}/"
        plain = re.fullmatch(_REVISION, self.revision)
        revision = "" if self.revision == "main" else f"@{self.revision if plain else quote(self.revision, safe='')}"
        return f"hf://{kind}{self.repo}{revision}{'/' if self.path else ''}{self.path}"

    @property
    def names_a_file(self) -> bool:
        """Whether its path ends like that of a network or an archive."""
        return self.path.lower().endswith(SUFFIXES)

    @property
    def web(self) -> str:
        """The address of its repository's page."""
        return f"{self.endpoint}/{'' if self.kind == 'models' else f'{self.kind}/'}{self.repo}"


class HubFile(NamedTuple):
    """A file of a repository.

    Attributes:
        path: in the repository.
        size: in bytes; 0 where the Hub does not say.
        digest: SHA-256, or for small files git's SHA-1.
    """

    path: str
    size: int
    digest: str

    @property
    def says(self) -> str:
        """What a file of this name usually is."""
        name = self.path.lower()
        found = next((what for part, what in _BY_NAME if re.search(part, name)), "")
        return found or _BY_SUFFIX.get(os.path.splitext(name)[1], "weights of PyTorch")


class Repository(NamedTuple):
    """A revision of a repository, as the Hub describes it.

    Attributes:
        place: of the repository, or of a folder in it.
        commit: of the revision.
        licence: its tag; '' where there is none.
        gated: whether only accounts that have accepted its licence are given files.
        files: all files at the place.
        kept: whether this is what the cache has, and the Hub was not asked or did not answer.
    """

    place: HubPlace
    commit: str
    licence: str
    files: tuple[HubFile, ...]
    gated: bool = False
    kept: bool = False

    @property
    def candidates(self) -> list[HubFile]:
        """Files that may be networks, or behind those archives of them, by their names."""
        found = [f for f in self.files if f.path.lower().endswith(SUFFIXES) and not _OTHERS.search(f.path)]
        return sorted(found, key=lambda file: not file.path.lower().endswith(NETWORKS))

    @property
    def about(self) -> str:
        """Licence and revision in words."""
        licence = f"licence tag {shown(self.licence, 60)}" if self.licence else "no licence tag"
        licence += f", gated: to be accepted at {self.place.web}" if self.gated else ""
        first = "from the cache" if self.kept else licence
        return f"{first}; revision {self.place.revision} is {self.commit[:12]}"


# --- addresses ------------------------------------------------------------------------------------


def endpoint() -> str:
    """The Hub's address: ``HF_ENDPOINT``, else that of huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def _host(address: str) -> str:
    found = re.match(r"https?://(?:[^/?#]*@)?([^/?#@]+)", address, re.IGNORECASE)
    return found[1].lower() if found else ""


def place_of(text: str | os.PathLike[str]) -> HubPlace | None:
    """The place on a Hub that ``hf://`` or the address of a page of the Hub names; None for any other text.

    Raises:
        DownloadError: it begins with ``hf://`` and has another form.
    """
    typed = str(text).partition("#")[0]
    if typed.lower().startswith("hf://"):
        found = _TYPED.fullmatch(typed[5:])
        place = _checked(found, endpoint(), encoded=False) if found else None
        if place is None:
            raise DownloadError(f"{shown(typed)}: has not the form {FORM}")
        return place
    own, host = endpoint(), _host(typed)
    if not host or host not in (_host(own), _host(HUB), "hf.co"):
        return None
    inside = re.sub(r"^[^:]+:/+[^/?#]*/*", "", typed.partition("?")[0])
    found = _WEB.fullmatch(inside)
    return _checked(found, own if host == _host(own) else HUB, encoded=True) if found else None


def _checked(found: re.Match[str], base: str, encoded: bool) -> HubPlace | None:
    parts = found.groupdict()
    path = (unquote(parts["path"] or "") if encoded else parts["path"] or "").strip("/")
    revision = unquote(parts["revision"] or "main")
    if not all(map(_is_plain, [revision, parts["repo"], path or "file"])):
        return None
    return HubPlace(parts["kind"] or "models", parts["repo"], revision, path, base)


def _is_plain(path: str) -> bool:
    """Whether a path leads down only, on any system."""
    return not any(step in ("", ".", "..") or re.search(r"[\\:\0]", step) for step in path.split("/"))


def token() -> str:
    """``HF_TOKEN``, or what ``hf auth login`` has kept; '' without one."""
    typed = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    if not typed:
        with suppress(OSError, UnicodeDecodeError):
            typed = Path(os.environ.get("HF_TOKEN_PATH") or _home() / "token").read_text(encoding="utf-8")
    return "".join((typed or "").split())


def _address(place: HubPlace, url: str) -> NetworkAddress:
    """An address below a Hub; the token is that of the Hub of ``HF_ENDPOINT``, and sent to no other."""
    sent = token() if place.endpoint == endpoint() else ""
    return NetworkAddress(url, token=sent, shown=str(place), moved_by="HF_HUB_CACHE")


# --- the cache of huggingface_hub -----------------------------------------------------------------


def _home() -> Path:
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"


def hub_cache() -> Path:
    """The folder of the Hub's files: ``HF_HUB_CACHE``, else ``hub`` in ``HF_HOME``."""
    typed = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(typed).expanduser() if typed else _home() / "hub"


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids to ask the Hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _folder(place: HubPlace) -> Path:
    return hub_cache() / "--".join([place.kind, *place.repo.split("/")])


def _kept(place: HubPlace) -> Repository | None:
    """What the cache has of a revision; None where it has nothing."""
    commit = place.revision
    if not _COMMIT.fullmatch(commit):
        with suppress(OSError, UnicodeDecodeError):
            commit = (_folder(place) / "refs" / place.revision).read_text(encoding="utf-8").strip()
    snapshot = _folder(place) / "snapshots" / commit
    if not _COMMIT.fullmatch(commit) or not snapshot.is_dir():
        return None
    files = [path for path in sorted(snapshot.rglob("*")) if path.is_file()]
    listed = (HubFile(path.relative_to(snapshot).as_posix(), path.stat().st_size, "") for path in files)
    return Repository(place, commit, "", tuple(listed), kept=True)


def _in_cache(place: HubPlace, commit: str) -> Path:
    return _folder(place).joinpath("snapshots", commit, *place.path.split("/"))


# --- asking and fetching --------------------------------------------------------------------------


def look(place: HubPlace) -> Repository:
    """A revision of a repository, of which the Hub is asked; without it what the cache has.

    Raises:
        DownloadError: there is no such repository or revision, it is not for this token, or the Hub cannot be reached
            and the cache has nothing.
    """
    whole = replace(place, path="")
    held = _kept(whole)
    if is_offline():
        if held is None:
            raise _not_kept(place)
        return held
    url = f"{place.endpoint}/api/{place.kind}/{place.repo}/revision/{quote(place.revision, safe='')}?blobs=true"
    try:
        return _described(whole, json.loads(text_of(_address(place, url))))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DownloadError(f"{place}: {_host(place.endpoint)} does not answer as the Hub does") from None
    except DownloadError as error:
        if held is not None and (isinstance(error, UnreachableError) or error.code == 429 or error.code >= 500):
            return held
        raise _explained(place, error) from None


def _described(place: HubPlace, held: object) -> Repository:
    """A revision from the Hub's answer.

    Raises:
        ValueError: it is none.
    """
    about: Mapping[str, Any] = held if isinstance(held, dict) else {}
    commit, listed = str(about.get("sha")), about.get("siblings")
    if not _COMMIT.fullmatch(commit) or not isinstance(listed, list):
        raise ValueError(commit)
    files = []
    for entry in listed:
        large = entry.get("lfs") or {}
        size, digest = large.get("size", entry.get("size")), large.get("sha256", entry.get("blobId"))
        name = str(entry["rfilename"])
        if _is_plain(name):
            files.append(HubFile(name, size if isinstance(size, int) else 0, str(digest or "").lower()))
    tags = [tag.partition(":")[2] for tag in map(str, about.get("tags") or ()) if tag.startswith("license:")]
    card = about.get("cardData")
    licence = tags[0] if tags else str((card if isinstance(card, dict) else {}).get("license") or "")
    return Repository(place, commit, licence, tuple(sorted(files)), gated=bool(about.get("gated")))


def _explained(place: HubPlace, error: DownloadError) -> DownloadError:
    """The Hub's refusal, with what is missing."""
    sent = bool(token()) and place.endpoint == endpoint()
    if error.kind == "GatedRepo":
        needed = "with the account of HF_TOKEN" if sent else "and give a token of that account in HF_TOKEN"
        what = f"is gated: accept its licence at {place.web} {needed}"
    elif error.kind == "EntryNotFound":
        what = f"{place.repo} has no such file; `sefa info {replace(place, path='')}` lists what it has"
    elif error.kind == "RevisionNotFound":
        what = f"{place.repo} has no revision {shown(place.revision, 60)}"
    elif error.code in (401, 403, 404):
        needed = "the token in HF_TOKEN is not for it, or not valid" if sent else "a token in HF_TOKEN opens it"
        what = f"there is no such repository, or it is private, and {needed}"
    else:
        return error
    return DownloadError(f"{place}: {what}", error.code, error.kind)


def inside(place: HubPlace, found: Repository) -> Repository:
    """The part of a repository below the path of ``place``.

    Raises:
        DownloadError: it has no file there.
    """
    start = f"{place.path}/" if place.path else ""
    files = tuple(file for file in found.files if file.path.startswith(start) or file.path == place.path)
    if place.path and not files:
        raise _not_kept(place) if found.kept else DownloadError(f"{place}: {_no_file(found)}")
    return found._replace(place=place, files=files)


def _not_kept(place: HubPlace) -> DownloadError:
    why = "HF_HUB_OFFLINE forbids to fetch it; unset it" if is_offline() else "the Hub cannot be reached"
    return DownloadError(f"{place}: is not in {hub_cache()}, and {why}")


def _no_file(found: Repository) -> str:
    names = [file.path for file in found.candidates]
    more = f" and {len(names) - LISTED} more" if names[LISTED:] else ""
    has = f"it has {', '.join(shown(name, 80) for name in names[:LISTED])}{more}" if names else "nor any network"
    return f"{found.place.repo} has no such file; {has}"


def fetch(
    place: HubPlace,
    progress: Callable[[int, int], None] | None = None,
    allow_local: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Path:
    """Give the local copy of a file, fetching it first if the cache does not hold it; its digest is the Hub's.

    Without a path, or with that of a folder, the only file that may be a network is taken.

    Args:
        place: which file.
        progress: called with the bytes received so far and in all.
        allow_local: see ``download.fetch``.
        note: called with lines on what is taken.

    Raises:
        DownloadError: there is no such file, or several; it is not for this token; the Hub cannot be reached; another
            digest. One line.
    """
    if _COMMIT.fullmatch(place.revision) and place.path and _in_cache(place, place.revision).is_file():
        return _in_cache(place, place.revision)
    found = look(place)
    here = inside(place, found)
    file = next((file for file in here.files if file.path == place.path), None) or _only(here)
    place = replace(place, path=file.path)
    note(f"{place}: {here.about}")
    for other in found.files:
        if other.path in beside(file.path) and other.size <= MOST_BESIDE:
            _fetched(replace(place, path=other.path), found.commit, other, None, allow_local)
    return _fetched(place, found.commit, file, progress, allow_local)


def _only(here: Repository) -> HubFile:
    """The only candidate.

    Raises:
        DownloadError: there is none, or several.
    """
    candidates, place = here.candidates, here.place
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise DownloadError(f"{place}: none of its {len(here.files)} files is a network, by their names")
    names = " or ".join(shown(str(replace(place, path=file.path)), 120) for file in candidates[:3])
    more = f"; `sefa info {place}` lists all {len(candidates)}" if candidates[3:] else ""
    raise DownloadError(f"{place}: has {len(candidates)} files that may be networks; type {names}{more}")


def _fetched(
    place: HubPlace, commit: str, file: HubFile, progress: Callable[[int, int], None] | None, allow_local: bool
) -> Path:
    """The copy in the cache, fetched where it is not there; the cache notes the commit of the revision, too."""
    pointer, reference = _in_cache(place, commit), _folder(place) / "refs" / place.revision
    try:
        if not pointer.is_file():
            _point(pointer, _blob(place, commit, file, progress, allow_local))
        if place.revision != commit and not (reference.is_file() and reference.read_bytes() == commit.encode()):
            with whole_file(reference) as part:
                part.write_text(commit, encoding="utf-8")
    except OSError as error:
        raise DownloadError(
            f"{place}: cannot be kept as {error.filename or pointer} ({error.strerror or error}); "
            "HF_HUB_CACHE names another place for it"
        ) from None
    return pointer


def _blob(
    place: HubPlace, commit: str, file: HubFile, progress: Callable[[int, int], None] | None, allow_local: bool
) -> Path:
    """The bytes of a file, fetched where the cache does not have them."""
    if _DIGEST.fullmatch(file.digest):
        expected = Expected(file.digest)
    elif _COMMIT.fullmatch(file.digest):
        expected = Expected(file.digest, file.size)
    else:
        raise DownloadError(f"{place}: {_host(place.endpoint)} does not say which digest the file has")
    blob = _folder(place) / "blobs" / file.digest
    kind = "" if place.kind == "models" else f"{place.kind}/"
    url = f"{place.endpoint}/{kind}{place.repo}/resolve/{commit}/{quote(place.path)}"
    try:
        if not blob.is_file():
            fetch_to(blob, _address(place, url), expected, progress, allow_local)
    except DownloadError as error:
        raise _explained(place, error) from None
    return blob


def _point(pointer: Path, blob: Path) -> None:
    """Make the file of a snapshot: a link to its blob, or a copy where there are no links."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except FileExistsError:
        return
    except OSError:
        with whole_file(pointer) as part:
            shutil.copyfile(blob, part)
