"""Who looks at the catalog, and what there is for them: one rule, in Python and as a condition of SQL."""

from typing import Final, NamedTuple

from rig.errors import Denied
from rigd.store.catalog.nouns import user_name
from rigd.store.where import Where


class Actor(NamedTuple):
    """A user, or someone for whom there is everything."""

    user: str = ""
    all: bool = False

    @property
    def name(self) -> str:
        """Of the user's resource; empty: nobody's."""
        return user_name(self.user)

    def seen(self) -> Where:
        """Return the condition that there is a resource for them, for statements over the table resource."""
        where = Where()
        if not self.all:
            shared = "resource.root IN (SELECT resource FROM share WHERE user = ?)"
            where.add(f"(resource.owner = ? OR resource.everyone OR {shared})", self.name, self.name)
        return where

    def check_owns(self, name: str, owner: str | None) -> None:
        """Raise Denied unless they may change the resource of that name and owner."""
        if not self.all and (not self.user or owner != self.name):
            raise Denied(
                f"{name} is another's",
                hint="its owner may change it, or who has the scope `admin`",
                name=name,
            )

    def check_admin(self, what: str) -> None:
        """Raise Denied unless there is everything for them."""
        if not self.all:
            raise Denied(f"you may not {what}", hint="the rig's own socket may, and the scope `admin`")


ADMIN: Final = Actor(all=True)
"""The local socket, the scope `admin`, and the server itself."""
