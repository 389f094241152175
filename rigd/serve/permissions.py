"""Who may call what: the one table. A method that is not in it is answered to nobody."""

from typing import Final, NamedTuple

from rigd.auth.caller import Caller, Scope


class Need(NamedTuple):
    """What a call takes: a token, and one of some scopes."""

    scopes: tuple[Scope, ...] = ()
    """Any one of them is enough; none: every token is."""
    token: bool = True

    def met(self, caller: Caller) -> bool:
        """Return whether a caller may make the call."""
        return not self.scopes or any(map(caller.may, self.scopes))


OPEN: Final = Need(token=False)
"""Everybody, without a token."""
ANY_TOKEN: Final = Need()
LIVE: Final = Need((Scope.LIVE,))
LAPS: Final = Need((Scope.LAPS,))
ALL_LAPS: Final = Need((Scope.LAPS_ALL,))
LIVE_OR_LAPS: Final = Need((Scope.LIVE, Scope.LAPS))
CATALOG: Final = Need((Scope.CATALOG,))
ADMIN: Final = Need((Scope.ADMIN,))

PERMISSIONS: Final = {
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANY_TOKEN,
    "/rig.v1.AccessService/CancelPairing": ADMIN,
    "/rig.v1.AccessService/CreatePairing": ADMIN,
    "/rig.v1.AccessService/ExchangeCode": OPEN,
    "/rig.v1.AccessService/ExtendToken": ADMIN,
    "/rig.v1.AccessService/GetCaller": ANY_TOKEN,
    "/rig.v1.AccessService/GetSeat": LIVE_OR_LAPS,
    "/rig.v1.AccessService/ListPairings": ADMIN,
    "/rig.v1.AccessService/ListTokens": ADMIN,
    "/rig.v1.AccessService/RevokeToken": ADMIN,
    "/rig.v1.AccessService/RotateCertificate": ADMIN,
    "/rig.v1.AccessService/TakeSeat": LIVE_OR_LAPS,
    "/rig.v1.AnalysisService/Chat": LAPS,
    "/rig.v1.AnalysisService/Coach": LAPS,
    "/rig.v1.AnalysisService/CompareLaps": LAPS,
    "/rig.v1.AnalysisService/GetAssistant": LAPS,
    "/rig.v1.AnalysisService/GetCircuit": LAPS,
    "/rig.v1.AnalysisService/GetSeason": LAPS,
    "/rig.v1.AnalysisService/ListCircuits": LAPS,
    "/rig.v1.AnalysisService/ListCorners": LAPS,
    "/rig.v1.CatalogService/CheckCatalog": ADMIN,
    "/rig.v1.CatalogService/CreateResource": CATALOG,
    "/rig.v1.CatalogService/DecidePlanItem": CATALOG,
    "/rig.v1.CatalogService/DeleteResource": CATALOG,
    "/rig.v1.CatalogService/DiffSetups": CATALOG,
    "/rig.v1.CatalogService/ExportCatalog": CATALOG,
    "/rig.v1.CatalogService/GetResource": CATALOG,
    "/rig.v1.CatalogService/ImportCatalog": ADMIN,
    "/rig.v1.CatalogService/ListResources": CATALOG,
    "/rig.v1.CatalogService/ResetCatalog": ADMIN,
    "/rig.v1.CatalogService/UpdateResource": CATALOG,
    "/rig.v1.LapService/DeleteLap": LAPS,
    "/rig.v1.LapService/GetLap": LAPS,
    "/rig.v1.LapService/GetSession": LAPS,
    "/rig.v1.LapService/ImportLap": LAPS,
    "/rig.v1.LapService/ListLaps": LAPS,
    "/rig.v1.LapService/ListMarks": LAPS,
    "/rig.v1.LapService/ListSessions": LAPS,
    "/rig.v1.LapService/Mark": LAPS,
    "/rig.v1.LapService/MarkLapsSynced": ALL_LAPS,
    "/rig.v1.LapService/PinLap": LAPS,
    "/rig.v1.LapService/ReadLap": LAPS,
    "/rig.v1.LapService/ReadScoring": LAPS,
    "/rig.v1.LapService/UnpinLap": LAPS,
    "/rig.v1.RigService/Backup": ADMIN,
    "/rig.v1.RigService/GetLosses": LAPS,
    "/rig.v1.RigService/GetStatus": ANY_TOKEN,
    "/rig.v1.RigService/ListChannels": ANY_TOKEN,
    "/rig.v1.RigService/Verify": ALL_LAPS,
    "/rig.v1.TelemetryService/Acknowledge": LIVE,
    "/rig.v1.TelemetryService/StreamAcknowledgements": LIVE,
    "/rig.v1.TelemetryService/StreamEvents": LIVE,
    "/rig.v1.TelemetryService/StreamPhysics": LIVE,
    "/rig.v1.TelemetryService/StreamScoring": LIVE,
}
"""By full name. Within these a caller sees its own laps, or its own car, unless its scope ends in `:all`, and
of the catalog what it owns and what is shared with it.
"""
