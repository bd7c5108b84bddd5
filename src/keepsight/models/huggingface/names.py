"""Names of models on the Hugging Face hub: `owner/name`, or `owner/name@revision`."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from keepsight.errors import UnknownModelError
from keepsight.incoming import closest, short
from keepsight.models.architectures import ARCHITECTURES

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_ID = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_NOT_OWNERS = frozenset({"api", "blog", "collections", "datasets", "docs", "models", "papers", "spaces"})
_BEFORE_REVISION = frozenset({"blob", "commit", "raw", "resolve", "tree"})


@dataclass(frozen=True)
class HubName:
    """A model on the hub.

    Attributes:
        repo_id: `owner/name`.
        revision: branch, tag or commit; None for the main branch.
    """

    repo_id: str
    revision: str | None = None

    @classmethod
    def parse(cls, name: str) -> "HubName | None":
        """The hub's model of this name; None if the name cannot be one, such as a path.

        Raises:
            UnknownModelError: a web address is given instead of an id, or the revision cannot be one.
        """
        _check_no_address(name)
        repo_id, at, revision = name.partition("@")
        if not _is_id(repo_id):
            return None
        if at and not _is_revision(revision):
            raise UnknownModelError(
                f"the revision after {repo_id}@ must be a branch, tag or commit, got {short(revision)!r}"
            )
        return cls(repo_id, revision or None)

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a whole commit, which never changes."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    @property
    def owner(self) -> str:
        """User or organisation."""
        return self.repo_id.partition("/")[0]

    def __str__(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"


def known_ids() -> tuple[str, ...]:
    """Hub ids of checkpoints that are known to work with an adapter."""
    return tuple(example for known in ARCHITECTURES for example in known.examples)


def closest_id(name: str) -> str | None:
    """Known hub id that a name is close to, with its owner or without, in any case; None if none is."""
    spelled = {(one if "/" in name else one.partition("/")[2]).lower(): one for one in known_ids()}
    near = closest(name.lower(), spelled)
    return None if near is None or spelled[near] == name else spelled[near]


def _is_id(text: str) -> bool:
    """The hub's own rule, see `huggingface_hub.utils.validate_repo_id`, with the owner required."""
    return _ID.fullmatch(text) is not None and not any(bad in text for bad in ("--", "..")) and text[-4:] != ".git"


def _is_revision(text: str) -> bool:
    """Names that git allows and that stay inside the cache's folder."""
    return (
        _REVISION.fullmatch(text) is not None
        and not any(bad in text for bad in ("..", "//", "/."))
        and (text[-1] not in "/.")
    )


def _check_no_address(name: str) -> None:
    """
    Raises:
        UnknownModelError: the name is a web address; the message has the id to give, if it is a model's page.
    """
    scheme, mark, rest = name.partition("://")
    if not mark and name.partition("/")[0].lower() not in _HUB_HOSTS:
        return
    if mark and scheme.lower() == "hf":
        parts = rest.split("/")
    else:
        address = urlsplit(name if mark else f"https://{name}")
        parts = address.path.strip("/").split("/") if address.hostname in _HUB_HOSTS else []
    found = _id_on_page([unquote(part) for part in parts])
    advice = f"give {found}" if found else "give the model's id, owner/name, or a local folder"
    raise UnknownModelError(f"the model must be named by its id, got the address {short(name)}; {advice}")


def _id_on_page(parts: list[str]) -> str | None:
    """`owner/name`, or with `@revision`, from the path of a page of the hub; None if it is no model's page."""
    if len(parts) < 2 or parts[0] in _NOT_OWNERS or not _is_id(f"{parts[0]}/{parts[1]}"):
        return None
    repo_id = f"{parts[0]}/{parts[1]}"
    if len(parts) < 4 or parts[2] not in _BEFORE_REVISION or parts[3] == "main" or not _is_revision(parts[3]):
        return repo_id
    return f"{repo_id}@{parts[3]}"
