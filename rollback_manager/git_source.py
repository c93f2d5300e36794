"""Where Git says which version is deployed: repository, branch, and the places that name it.

Written in the catalogue, so reviewed: nothing else decides which repository or file is touched.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from rollback_manager.metrics.sources import TokenReference, Url
from rollback_manager.values import Value

OURS = "rollback/"
"""Branches that the product proposes on begin so; no deployed branch may."""
KEY = r"[A-Za-z0-9_/-]+"
KEYS = re.compile(rf"{KEY}(\.{KEY}|\[(\d{{1,4}}|name={KEY}(\.{KEY})*)\])*")


def _repository(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError("no spaces or control characters in it")
    if text.startswith("/"):
        return _local(text)
    parts = urlsplit(text)
    _ = parts.port  # a ValueError of its own where it is none
    if parts.scheme not in ("https", "ssh") and not (parts.scheme == "http" and _loopback(parts)):
        raise ValueError("expected an absolute path, an https URL or an ssh:// URL")
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise ValueError("no credentials in it, for it is shown; name a token by reference")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9a-f:]*", parts.hostname or "-"):
        raise ValueError("no such host can be")
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*|", parts.username or ""):
        raise ValueError("no such user can be")
    if parts.query or parts.fragment or not parts.path.strip("/"):
        raise ValueError("expected the repository's path, and nothing after it")
    return text


def _local(path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError("no .. in the path")
    return path


def _loopback(parts: SplitResult) -> bool:
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _branch(name: str) -> str:
    """By `git check-ref-format`, somewhat narrower."""
    wrong = name.endswith(("/", ".", ".lock")) or re.search(r"\.\.|//|/\.|\.lock/|@\{", name)
    if wrong or not re.fullmatch(r"[A-Za-z0-9][\w./@+-]*", name, re.ASCII):
        raise ValueError("no branch can have this name")
    if f"{name}/".startswith(OURS):
        raise ValueError(f"branches below {OURS} are those that reverts are proposed on")
    return name


def _file(path: str) -> str:
    parts = path.split("/")
    if not re.fullmatch(r"[\w.@+=, /-]+", path, re.ASCII) or path.startswith("-"):
        raise ValueError("expected a plain path, relative to the repository's root")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ValueError("relative to the repository's root, without . and .. and .git")
    return path


def _key(path: str) -> str:
    if not KEYS.fullmatch(path):
        raise ValueError("expected names and indexes, such as images[name=shop].newTag")
    return path


class GitEdit(Value):
    """One place that names the version: a tag, a digest, or an image with them."""

    file: Annotated[str, AfterValidator(_file), Field(max_length=400)]
    """A YAML or JSON file, relative to the repository's root. No other file is ever changed."""
    key: Annotated[str, AfterValidator(_key), Field(max_length=400)]
    """Such as images[name=shop].newTag or spec.template.spec.containers[0].image: an item of a
    list is chosen by index or, better, by what its own key `name` says."""


class GitForge(Value):
    """Where a pull or merge request is opened; the project is that of the repository's URL."""

    kind: Literal["github", "gitlab", "gitea"]
    api: Url
    """Base URL: https://api.github.com, https://HOST/api/v3 (GitHub Enterprise),
    https://HOST/api/v4 (GitLab), https://HOST/api/v1 (Gitea)."""


class GitSource(Value):
    """The repository that a GitOps controller deploys a service from."""

    repository: Annotated[str, AfterValidator(_repository)]
    """Absolute path of a local one, or its https or ssh:// URL, without credentials."""
    branch: Annotated[str, AfterValidator(_branch), Field(max_length=200)] = "main"
    """What is deployed from. It is read, and never pushed to."""
    edits: Annotated[tuple[GitEdit, ...], Field(min_length=1, max_length=20)]
    """All places that name the version; together they are the files that may be changed."""
    token: TokenReference | None = None
    """Of a bot that may push to this one repository, and open requests in it."""
    ssh_key: Annotated[str, Field(pattern=r"^/\S+$")] | None = None
    """Absolute path of a private key for an ssh:// URL; left out: the worker's user's own."""
    signing_key: Annotated[str, Field(pattern=r"^/\S+$")] | None = None
    """Absolute path of an SSH key that signs the commit, for branches that ask for signed ones."""
    forge: GitForge | None = None
    """Left out: the branch is pushed, and a person opens the request."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.forge and self.repository.startswith("/"):
            raise ValueError("a forge has a repository with a URL, not with a path")
        if self.forge and not self.token:
            raise ValueError("a forge takes requests with a token only: add `token`")
        return self

    @property
    def scheme(self) -> str:
        """How it is reached: file, http, https or ssh."""
        return urlsplit(self.url).scheme

    @property
    def url(self) -> str:
        """The URL for git; a path becomes one, so that a shallow copy is made of it, too."""
        path = self.repository
        return f"file://{quote(path)}" if path.startswith("/") else path

    @property
    def project(self) -> str:
        """Its name at the forge, such as owner/name."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")
