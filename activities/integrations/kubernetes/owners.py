"""The role of owners: those who write what a rollback writes, found, held and given back."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from activities.integrations.kubernetes import autoscalers, deny_list, fields, gitops, objects
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.held import HELD, KINDS, Held, held_of, note
from activities.integrations.kubernetes.live import Written
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.place import uid_as_pinned
from activities.integrations.kubernetes.world import Reader
from activities.integrations.kubernetes.writes import compare_and_set, try_out
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.operation import Mark
from rollback_manager.owners import Agreement, Owner, OwnerKind
from rollback_manager.plan import OwnersHeld
from rollback_manager.platforms import Controller, GitOpsTarget, TrafficTarget
from rollback_manager.stays import Live

GONE = "it is not there any more"


class KubernetesOwners:
    """Those of one service. holder: `ENV/SERVICE`, for an owner may be held for several.

    apis: by the name of their cluster; GitOps often runs in another one.
    """

    def __init__(
        self,
        holder: str,
        reader: Reader,
        traffic: TrafficTarget,
        gitops: GitOpsTarget | None,
        apis: Mapping[str, Api],
    ) -> None:
        self._holder = holder
        self._reader = reader
        self._written = Written(reader, traffic)
        self._gitops = gitops
        self._apis = apis
        self._key = f"{objects.MARK}-{hashlib.sha256(holder.encode()).hexdigest()[:10]}"

    def found(self) -> tuple[Owner, ...]:
        """GitOps, autoscalers, and whoever else wrote the same fields."""
        return (*self._deployers(), *self._autoscalers(), *self._others())

    def set(self, wanted: OwnersHeld, mark: Mark) -> str:
        """Hold or give back each of them; one that is as wanted gets the mark alone."""
        done = [self._set(one, wanted, mark) for one in wanted.owners]
        return "; ".join(text for text in done if text)

    def missing(self, wanted: OwnersHeld) -> str:
        """Those that are not as wanted, each with what is wrong."""
        found = ((one, self._missing(one, wanted)) for one in wanted.owners)
        return "; ".join(f"{one.name}: {text}" for one, text in found if text)

    def agrees(self, owner: Owner, since: datetime) -> Agreement:
        """As its own kind tells it."""
        return KINDS[owner.kind].agrees(self._get(owner), since)

    def deny(self, version: str) -> str:
        """Its images onto the list of the namespace, where there is one."""
        target = self._reader.target
        lines = deny_list.images(self._reader.now(), version, target.version_label)
        service = self._holder.partition("/")[2]
        return deny_list.add(self._reader.api, target.namespace, service, lines)

    def try_out_deny(self) -> None:
        """A write of that list that changes nothing, as a dry run. Raises what it would."""
        deny_list.try_out(self._reader.api, self._reader.target.namespace)

    def live(self) -> Live:
        """Controllers and traffic as they are written now."""
        return self._written.live()

    def _deployers(self) -> Iterator[Owner]:
        if self._gitops is not None:
            yield self._deployer(self._gitops)
            return
        told: dict[str, Owner] = {}
        for item in self._reader.now().controllers.values():
            meta = item["metadata"]
            for one in gitops.told_by(meta.get("labels", {}), meta.get("annotations", {})):
                told.setdefault(one.name, one)
        yield from told.values()

    def _deployer(self, named: GitOpsTarget) -> Owner:
        """One that cannot be read keeps nobody from going back: it is said."""
        api = self._apis[named.cluster]
        try:
            item = api.get(gitops.path_of(named))
        except PermanentError as refusal:
            return gitops.unread(named, refusal.what)
        return self._noted(gitops.named(named, item, api.context), item)

    def _autoscalers(self) -> Iterator[Owner]:
        target, world = self._reader.target, self._reader.now()
        if target.controller is Controller.DAEMON_SET:
            return
        label, alone = target.version_label, len(world.controllers) == 1
        versions = {
            name: "" if alone else objects.version_of(one["spec"]["template"], label)
            for name, one in world.controllers.items()
        }
        path = autoscalers.PATH.format(namespace=target.namespace)
        try:
            items = self._reader.api.items(path)
        except PermanentError as refusal:
            yield autoscalers.unread(refusal.what, target.namespace)
            return
        where = (target.cluster, self._reader.api.context, target.namespace)
        for item in items:
            for one in autoscalers.of([item], str(target.controller), versions, where):
                yield self._noted(one, item)

    def _noted(self, owner: Owner, item: Json) -> Owner:
        """With what only this service knows of it: its own hold, and whether we may hold at all.

        A right that is missing is said before approval; a hold that fails would stop the way back.
        """
        noted = owner.model_copy(update={"held_before": self._holder in held_of(item).by})
        if not owner.can_be_held:
            return noted
        api, set_ = (
            self._apis[owner.cluster],
            _Set(self._holder, owner, OwnersHeld(owners=(owner,))),
        )
        try:
            try_out(api, owner.path, set_.change, key=self._key, notes=set_.notes)
        except PermanentError as refusal:  # no right to it, or a policy that says no
            because = f"not held, for the worker may not write to it ({refusal.what})"
            words = {"not_held_because": because, "remedy": "let the worker get and patch it"}
            return noted.model_copy(update=words)
        return noted

    def _others(self) -> Iterator[Owner]:
        rows = list(fields.managers(self._written.parts()))
        if not rows:
            return
        told = ", ".join(f"{manager} ({field})" for manager, field in rows)
        yield Owner(
            kind=OwnerKind.WRITER,
            name=f"written before by {told}",
            not_held_because="not held; whoever writes meanwhile is seen, named and not fought",
        )

    def _set(self, owner: Owner, wanted: OwnersHeld, mark: Mark) -> str:
        set_ = _Set(self._holder, owner, wanted)
        api = self._apis[owner.cluster]
        if api.pinned:  # it need not be the service's own cluster, of which the step has asked
            uid_as_pinned(api)
        try:
            compare_and_set(api, owner.path, mark, set_.change, key=self._key, notes=set_.notes)
        except NotFound:
            if wanted.hold:
                raise
            return f"{owner.name}: {GONE}"
        return set_.told

    def _missing(self, owner: Owner, wanted: OwnersHeld) -> str:
        try:
            item = self._get(owner)
        except NotFound:
            return GONE if wanted.hold else ""
        held = self._holder in held_of(item).by
        if not wanted.hold:
            return "it is held still" if held else ""
        return KINDS[owner.kind].missing(item, wanted.minimum) or ("" if held else "not held by us")

    def _get(self, owner: Owner) -> Json:
        return self._apis[owner.cluster].get(owner.path)


class _Set:
    """One owner's change, from how it stands; told: in words, once it was asked for."""

    def __init__(self, holder: str, owner: Owner, wanted: OwnersHeld) -> None:
        self._holder, self._owner, self._wanted = holder, owner, wanted
        self._kind = KINDS[owner.kind]
        self.told = ""

    def change(self, seen: Json) -> Sequence[Json]:
        """Operations that hold it or give it back; none where it stays held for others."""
        held = held_of(seen)
        self.told = ""
        if self._wanted.hold:
            self.told = f"{self._owner.name} held"
            return self._kind.hold(seen, self._wanted.minimum)
        if held.by != (self._holder,):
            return []
        self.told = f"{self._owner.name} given back what it had"
        return self._kind.free(seen, held.was, self._wanted.minimum)

    def notes(self, seen: Json) -> dict[str, str | None]:
        """What it had, and for whom it is held."""
        held, ours = held_of(seen), {self._holder}
        by = set(held.by) | ours if self._wanted.hold else set(held.by) - ours
        was = held.was if held.by else self._kind.was(seen)
        return {HELD: note(Held(was, tuple(by)))}
