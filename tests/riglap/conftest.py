"""A rig that tells of laps."""

from tests.rigclient.conftest import lap_rig as lap_rig
