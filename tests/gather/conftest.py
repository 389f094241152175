"""A simulated game that is recorded as fast as it goes."""

from tests.archive.conftest import tape as tape
