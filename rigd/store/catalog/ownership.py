"""Whose a resource is: said by itself, or by what it is below."""

from rig.errors import BadRequest
from rigd.store.catalog.actor import Actor
from rigd.store.catalog.nouns import Noun, Resource, above


def check_own(noun: Noun, given: Resource, there: Resource) -> None:
    """Raise BadRequest where it is given another owner or other users than are said by what is there."""
    owner, shared = given.owner or there.owner, list(given.shared_with) or list(there.shared_with)
    if (owner, shared) != (there.owner, list(there.shared_with)):
        what = above(there.name) or there.name if noun.above else "its user"
        raise BadRequest(f"{noun.collection} have no owner of their own", hint=f"{what} says whose they are")


def say_own(resource: Resource, there: Resource) -> None:
    """Have a resource say the owner and the users that another says."""
    resource.owner = there.owner
    del resource.shared_with[:]
    resource.shared_with.extend(there.shared_with)


def check_change(noun: Noun, before: Resource, after: Resource, actor: Actor) -> None:
    """Raise Denied, BadRequest for changes of owner and drivers that cannot be."""
    if noun.above or noun.kind == "user":
        check_own(noun, after, before)
        say_own(after, before)
    if before.owner != after.owner:
        actor.check_admin("give away what is yours")
    if noun.kind == "user" and list(before.user.drivers) != list(after.user.drivers):
        actor.check_admin("say who your drivers are")  # it would give you their laps
