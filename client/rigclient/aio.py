"""The client for asyncio; `rigclient.blocking` is made from it by `client/make_blocking.py`."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from rig.errors import NotFound, RigError
from rig.infos import LapInfo, SessionInfo
from rig.v1 import access_pb2, event_pb2, laps_pb2, rig_pb2, session_pb2, telemetry_pb2
from rigclient import losses, paired, queries, requests
from rigclient.asynchronous import AsyncConnection, AsyncStream
from rigclient.frames import Decoder, PhysicsFrame, ScoringFrame
from rigclient.laplist import AsyncLapList, frame
from rigclient.resume import Reception, Response, framed, unpack_events, unparsed
from riglap.lap import DataFrame, Lap, ScoringAssembler, ScoringRows
from riglap.names import session_name

if TYPE_CHECKING:
    from rig.v1 import analysis_pb2, season_pb2
    from rigclient.asynccatalog import AsyncCatalog
    from riglap.circuits.circuit import Circuit

__all__ = ["AsyncLaps", "AsyncRig", "AsyncStream", "connect"]


class AsyncLaps(AsyncLapList):
    """Laps, fetched page by page as one iterates; `pick_...` narrow them down."""

    def __aiter__(self) -> AsyncIterator[LapInfo]:
        return self._walk()

    async def to_list(self) -> list[LapInfo]:
        """Return all of them."""
        while self._request is not None:
            await self._fetch()
        return list(self._known)

    async def to_pandas(self) -> DataFrame:
        """Return a pandas.DataFrame with a row per lap. Raises Unavailable without pandas."""
        return frame(await self.to_list())

    async def pick_fastest(self) -> LapInfo | None:
        """Return the fastest valid lap, None where there is none."""
        async for lap in self._by_time():
            return lap
        return None

    async def _walk(self) -> AsyncGenerator[LapInfo]:
        at = 0
        while await self._reach(at + 1):
            yield self._known[at]
            at += 1

    async def _reach(self, count: int) -> bool:
        """Fetch until so many are known; False when there are fewer."""
        while len(self._known) < count and self._request is not None:
            await self._fetch()
        return len(self._known) >= count

    async def _fetch(self) -> None:
        assert self._request is not None
        self._request.parent = await self._rig.find_session(self._request.parent)
        self._take(await self._rig._ask(self._rig._lap.ListLaps, self._request))


class AsyncRig(AsyncConnection):
    """A connection to one rig. Use `connect`."""

    # Streams.

    def physics(
        self,
        channels: Iterable[str] = (),
        cars: requests.Cars = "all",
        *,
        delta_reference: str = "",
        reconnect: bool = True,
        **options: Unpack[requests.SubscribeOptions],
    ) -> AsyncStream[PhysicsFrame]:
        """Return telemetry ticks, of these channels (default: all that are recorded) and cars, an array of a
        value per car. A channel may be a formula, "kmh = speed [km/h]"; the channel `delta_reference` is
        against the lap of that name.
        """
        request = requests.physics(channels, cars, delta_reference=delta_reference, **options)
        decoder = Decoder(PhysicsFrame, request.channels)
        return self._stream("StreamPhysics", Reception(request, framed(decoder), reconnect))

    def scoring(
        self,
        channels: Iterable[str] = (),
        cars: requests.Cars = "all",
        *,
        reconnect: bool = True,
        **options: Unpack[requests.SubscribeOptions],
    ) -> AsyncStream[ScoringFrame]:
        """Return scoring updates, stored when something has changed or once a second."""
        request = requests.scoring(channels, cars, **options)
        return self._stream("StreamScoring", Reception(request, framed(Decoder(ScoringFrame)), reconnect))

    def events(
        self, start: requests.Start = "now", *, durable_only: bool = False, reconnect: bool = True
    ) -> AsyncStream[event_pb2.Event]:
        """Return events, with `durable_only` those on the disk; what is missing comes as an event with
        a gap.
        """
        request = requests.events(start, durable_only=durable_only)
        return self._stream("StreamEvents", Reception(request, unpack_events, reconnect))

    def responses(
        self,
        request: telemetry_pb2.StreamPhysicsRequest
        | telemetry_pb2.StreamScoringRequest
        | telemetry_pb2.StreamEventsRequest,
        *,
        reconnect: bool = True,
    ) -> AsyncStream[Response]:
        """Return a stream's responses as the bytes they came in, for who hands them on. `rigclient.requests`
        makes requests. From a cursor it goes on: what has gone since is a gap and no error.
        """
        name = type(request).__name__.removesuffix("Request")
        resumed = bool(request.start.cursor)
        return self._stream(name, Reception(request, unparsed, reconnect, resumed))

    # The rig.

    async def channels(self) -> list[rig_pb2.ChannelInfo]:
        """Return the rig's channel registry."""
        answer: rig_pb2.ListChannelsResponse = await self._ask(
            self._rig.ListChannels, rig_pb2.ListChannelsRequest()
        )
        return list(answer.channels)

    async def losses(self, session: str = "", stream: str = "") -> rig_pb2.GetLossesResponse:
        """Return what a session was to bring and what of it is missing, with every gap; "": the newest
        session, all streams. Raises NotFound, Corrupt.
        """
        pages = losses.Pages(losses.get_losses(session, stream))
        while pages.take(await self._ask(self._rig.GetLosses, pages.request)):
            pass
        return pages.answer

    def backup(
        self, *, without_ring: bool = False, with_secrets: bool = False
    ) -> AsyncGenerator[rig_pb2.BackupResponse]:
        """Have everything copied that the rig keeps, while it goes on: the bytes of a file for `rigd
        restore`, and how far that is. `with_secrets` also what proves who somebody is. Raises NotFound,
        Denied, Exhausted.
        """
        request = rig_pb2.BackupRequest(without_ring=without_ring, with_secrets=with_secrets)
        return self._parts(self._rig.Backup, request)

    def verify(self, *, deep: bool = False) -> AsyncGenerator[rig_pb2.VerifyResponse]:
        """Check everything that the rig keeps, `deep` with every lap that its ring still holds: how far that
        is, and what is found. Raises Exhausted while another check runs.
        """
        return self._parts(self._rig.Verify, rig_pb2.VerifyRequest(deep=deep))

    async def seat(self) -> access_pb2.GetSeatResponse:
        """Return who is in the seat of the rig, and since when."""
        seat: access_pb2.GetSeatResponse = await self._ask(self._access.GetSeat, access_pb2.GetSeatRequest())
        return seat

    async def take_seat(self, user: str) -> str:
        """Put a user into the seat, "" for nobody: laps that the rig's own car begins from now on are theirs.
        Returns who is in it. Raises Denied, BadRequest.
        """
        answer = await self._ask(self._access.TakeSeat, access_pb2.TakeSeatRequest(user=user))
        return str(answer.user)

    @property
    def catalog(self) -> "AsyncCatalog":
        """What people have entered at the rig: events, vehicles, setups, notes and more."""
        from rigclient.asynccatalog import AsyncCatalog  # most callers do without

        return AsyncCatalog(self)

    # Sessions and laps.

    def sessions(self, **wanted: Unpack[queries.SessionFilter]) -> AsyncGenerator[SessionInfo]:
        """Yield sessions, newest first, asked for as they are used."""
        return self._sessions(queries.list_sessions(**wanted))

    async def _sessions(self, request: laps_pb2.ListSessionsRequest) -> AsyncGenerator[SessionInfo]:
        while True:
            answer = await self._ask(self._lap.ListSessions, request)
            for session in answer.sessions:
                yield SessionInfo.of(session)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def session(self, session: str | SessionInfo = "") -> SessionInfo:
        """Return one session, by a part of its name; "": the newest. Raises NotFound, BadRequest."""
        request = laps_pb2.GetSessionRequest(name=await self.find_session(session))
        return SessionInfo.of((await self._ask(self._lap.GetSession, request)).session)

    def laps(
        self, session: str | SessionInfo = queries.ALL, **wanted: Unpack[queries.LapFilter]
    ) -> AsyncLaps:
        """Return laps of all sessions, or of one by a part of its name, "" the newest. They are fetched as
        they are used; that raises NotFound, BadRequest.
        """
        parent = session if isinstance(session, str) else session.name
        return AsyncLaps(self, queries.list_laps(parent, **wanted))

    async def lap_info(self, lap: str | LapInfo = queries.BEST) -> LapInfo:
        """Return what a lap is, without its samples; found as by `lap`."""
        return await self._lap_info(await self.find_lap(lap))

    async def lap(
        self,
        lap: str | LapInfo = queries.BEST,
        channels: Iterable[str] = (),
        *,
        progress: queries.Progress | None = None,
        **part: Unpack[queries.ReadOptions],
    ) -> Lap:
        """Return a lap, or a part of it, with these channels (default: all), and what formulas among them
        such as "kmh = speed [km/h]" take.

        `lap` is "best", "last", the name within the newest session such as "car010-0006", a whole name, or
        what `laps` gave. `progress` is told the bytes as they arrive. Raises NotFound, MissingChannel,
        Corrupt.
        """
        wanted = queries.wanted(channels)
        request = queries.read_lap(await self.find_lap(lap), wanted.needed, **part)
        total = (await self._lap_info(request.name)).bytes if progress and queries.whole(request) else 0
        reading = queries.Reading(total, progress)
        async for response in self._parts(self._lap.ReadLap, request):
            reading.take(response)
        return wanted.made(reading.lap())

    async def lap_file(self, lap: str | LapInfo) -> bytes:
        """Return the bytes of a lap's file, as it lies on the rig. Raises NotFound, Corrupt."""
        reading = queries.Reading()
        async for part in self._parts(self._lap.ReadLap, queries.read_lap(await self.find_lap(lap))):
            reading.take(part)
        return reading.data()

    async def lap_scoring(
        self,
        lap: str | LapInfo,
        channels: Iterable[str] = (),
        lap_time: queries.Span | None = None,
        triggers: Iterable[int] = (),
    ) -> ScoringRows:
        """Return the scoring updates of a lap. Raises as `lap` does."""
        request = queries.read_scoring(await self.find_lap(lap), channels, lap_time, triggers)
        updates = ScoringAssembler()
        async for part in self._parts(self._lap.ReadScoring, request):
            updates.take(part.columns)
        return updates.rows()

    async def corners(self, lap: str | LapInfo = queries.BEST) -> "analysis_pb2.ListCornersResponse":
        """Return what a lap did in the corners of its circuit, as the contract says it. Raises NotFound,
        Unavailable for a lap with too few samples, BadRequest for a piece of a lap.
        """
        from rig.v1 import analysis_pb2, analysis_pb2_grpc

        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        request = analysis_pb2.ListCornersRequest(lap=await self.find_lap(lap))
        answer: analysis_pb2.ListCornersResponse = await self._ask(stub.ListCorners, request)
        return answer

    async def circuits(self) -> "list[Circuit]":
        """Return the circuits that the rig has surveyed, the newest version of each layout."""
        from rig.v1 import analysis_pb2, analysis_pb2_grpc
        from riglap.circuits.circuit import decoded

        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        listed = await self._ask(stub.ListCircuits, analysis_pb2.ListCircuitsRequest())
        found = []
        for circuit in listed.circuits:
            answer = await self._ask(stub.GetCircuit, analysis_pb2.GetCircuitRequest(name=circuit.name))
            found.append(decoded(answer.circuit.file, circuit.name))
        return found

    async def circuit(self, lap: str | LapInfo = queries.BEST) -> "Circuit | None":
        """Return the circuit of a lap: its reference line and corners. None where the rig has not surveyed
        the track yet, or is too old to. Raises NotFound for an unknown lap, Corrupt.
        """
        from rig.v1 import analysis_pb2, analysis_pb2_grpc  # most callers do without
        from riglap.circuits.circuit import decoded

        name = await self.find_lap(lap)
        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        try:
            answer = await self._ask(stub.GetCircuit, analysis_pb2.GetCircuitRequest(lap=name))
        except NotFound:
            await self._lap_info(name)
            return None
        except RigError as error:
            if error.message.startswith("UNIMPLEMENTED"):
                return None
            raise
        return decoded(answer.circuit.file, answer.circuit.name)

    async def coach(
        self, lap: str | LapInfo = queries.LAST, reference: str | LapInfo = "", given: Iterable[str] = ()
    ) -> "analysis_pb2.CoachResponse":
        """Return what costs a lap time, and up to five tips but those `given`, by their ids.

        `reference` is a lap, or one of the words of `riglap.references`; without it the rig chooses, and says
        what. Raises NotFound, Mismatch, Unavailable and BadRequest for what cannot be compared.
        """
        from rig.v1 import analysis_pb2, analysis_pb2_grpc

        against = await self._reference(reference)
        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        request = analysis_pb2.CoachRequest(lap=await self.find_lap(lap), reference=against, given=given)
        answer: analysis_pb2.CoachResponse = await self._ask(stub.Coach, request)
        return answer

    async def assistant(self) -> "analysis_pb2.GetAssistantResponse":
        """Return whether the rig has an assistant, and to whom questions go."""
        from rig.v1 import analysis_pb2, analysis_pb2_grpc

        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        answer: analysis_pb2.GetAssistantResponse = await self._ask(
            stub.GetAssistant, analysis_pb2.GetAssistantRequest()
        )
        return answer

    async def chat(
        self, question: str, lap: str | LapInfo = queries.LAST, reference: str | LapInfo = "", **more: Any
    ) -> AsyncGenerator["analysis_pb2.ChatResponse"]:
        """Ask the rig's assistant about a lap; yields what happens until the answer is whole. `more` are
        other fields of ChatRequest. Raises Unavailable where there is no assistant, NotFound, BadRequest,
        Exhausted.
        """
        from rig.v1 import analysis_pb2, analysis_pb2_grpc

        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        name = await self.find_lap(lap) if lap else ""
        against = await self._reference(reference)
        request = analysis_pb2.ChatRequest(question=question, lap=name, reference=against, **more)
        async for event in self._parts(stub.Chat, request):
            yield event

    async def _reference(self, reference: str | LapInfo) -> str:
        """Return a word of `riglap.references`, or the whole name of a lap."""
        from riglap.references import WORDS

        text = reference if isinstance(reference, str) else reference.name
        return text if not text or text in WORDS else await self.find_lap(text)

    async def season(
        self,
        points: "season_pb2.PointsRule | None" = None,
        *,
        by_car: bool = False,
        **wanted: Unpack[queries.SeasonFilter],
    ) -> "season_pb2.Season":
        """Return what sessions add up to, races unless another kind is wanted: results, standings by a rule
        of points, figures and factors of drivers, forecasts. With `by_car` numbers of cars stand in place of
        drivers. Raises NotFound where no lap passes, BadRequest.
        """
        from rig.v1 import analysis_pb2_grpc, season_pb2

        stub: Any = analysis_pb2_grpc.AnalysisServiceStub(self._channel)
        request = season_pb2.GetSeasonRequest(
            filter=queries.season_filter(**wanted), points=points, by_car=by_car
        )
        answer: season_pb2.GetSeasonResponse = await self._ask(stub.GetSeason, request)
        return answer.season

    async def find_laps(self, laps: Iterable[str | LapInfo]) -> list[str]:
        """Return the whole names of laps, each once, all found before anything is done with one."""
        return list(dict.fromkeys([await self.find_lap(lap) for lap in laps]))

    async def find_session(self, session: str | SessionInfo = "") -> str:
        """Return `sessions/{session}` by a part of its name, or that itself; "": the newest that the rig
        recorded, where there is none the newest import, "-": all. Raises NotFound with the nearest name,
        BadRequest for several.
        """
        session = session if isinstance(session, str) else session.name
        if session in ("-", queries.ALL):
            return queries.ALL
        if not session:
            for imported in (False, None):
                async for newest in self.sessions(page_size=1, imported=imported):
                    return newest.name
            raise NotFound("no session has been kept yet", hint=queries.KEPT_LATER)
        if session.startswith("sessions/"):
            return session
        names = [known.name async for known in self.sessions()]
        if session_name(session) in names:
            return session_name(session)
        # 5f3a-2 is the end of one name, though it is in that of 5f3a-21 as well.
        ends = [name for name in names if name.endswith(f"-{session}")]
        found = ends or [name for name in names if session in name]
        return queries.only(session, found, names, "`rig sessions`")

    async def find_lap(self, lap: str | LapInfo = queries.BEST) -> str:
        """Return the whole name of a lap: of "best", of "last", of its name within the newest session such as
        "car010-0006" or the end of it, or of one of these after a part of a session's name and a slash.
        Raises NotFound with the nearest name, BadRequest for several.
        """
        text = lap if isinstance(lap, str) else lap.name
        if "/laps/" in text:
            return text
        part, _, wanted = text.rpartition("/")
        session = await self.find_session(part)
        if wanted == queries.BEST:
            return await self._best(session)
        if wanted == queries.LAST:
            return await self._last(session)
        try:
            return (await self._lap_info(f"{session}/laps/{wanted}")).name
        except NotFound:
            names = [known.name async for known in self.laps(session)]
        found = [name for name in names if name.endswith(wanted)]
        return queries.only(text, found, names, f"`rig laps {session.removeprefix('sessions/')} --all`")

    async def _best(self, session: str) -> str:
        found = self.laps(session)
        if (best := await found.pick_fastest()) is not None:
            return best.name
        others = await found._reach(1)
        own = session.removeprefix("sessions/")
        hint = f"`rig laps {own} --all` shows the others" if others else queries.KEPT_LATER
        raise NotFound(f"no valid lap in {session}", hint=hint)

    async def _last(self, session: str) -> str:
        for player in (True, None):
            newest = self.laps(session, player=player, complete=True, order_by="start_time desc", page_size=1)
            async for lap in newest:
                return lap.name
        raise NotFound(f"no complete lap in {session}", hint=queries.KEPT_LATER)

    async def _lap_info(self, name: str) -> LapInfo:
        return LapInfo.of((await self._ask(self._lap.GetLap, laps_pb2.GetLapRequest(name=name))).lap)

    # Who may read. But for `caller` it takes the scope `admin`, or the socket of the rig's own machine.

    async def create_pairing(
        self, name: str, scopes: Iterable[str], user: str = "", lifetime_s: int = 0
    ) -> access_pb2.CreatePairingResponse:
        """Return a join string for a device, good for ten minutes and once; its token is then valid for
        `lifetime_s`, 0: a year. Raises BadRequest, Denied; Busy where the rig has no address for others.
        """
        request = access_pb2.CreatePairingRequest(name=name, user=user, scopes=scopes, lifetime_s=lifetime_s)
        answer: access_pb2.CreatePairingResponse = await self._ask(self._access.CreatePairing, request)
        return answer

    async def pairings(self) -> list[access_pb2.Pairing]:
        """Return the pairing codes that wait to be used, the oldest first. Raises Denied."""
        answer = await self._ask(self._access.ListPairings, access_pb2.ListPairingsRequest())
        return list(answer.pairings)

    async def cancel_pairing(self, pairing: str) -> None:
        """End a pairing code that nobody has used, by its id. Raises NotFound, Denied."""
        await self._ask(self._access.CancelPairing, access_pb2.CancelPairingRequest(id=pairing))

    async def tokens(self) -> AsyncGenerator[access_pb2.Token]:
        """Yield the tokens, newest first, asked for as they are used. Raises Denied."""
        request = access_pb2.ListTokensRequest(page_size=queries.PAGE)
        while True:
            answer = await self._ask(self._access.ListTokens, request)
            for token in answer.tokens:
                yield token
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def revoke_token(self, token: str) -> access_pb2.Token:
        """End a token, by its id, and the streams that are open with it. Raises NotFound, Denied."""
        answer = await self._ask(self._access.RevokeToken, access_pb2.RevokeTokenRequest(id=token))
        revoked: access_pb2.Token = answer.token
        return revoked

    async def extend_token(self, token: str, lifetime_s: int) -> access_pb2.Token:
        """Have a token, by its id, expire so many seconds from now; 0: never. Raises NotFound, Denied."""
        request = access_pb2.ExtendTokenRequest(id=token, lifetime_s=lifetime_s)
        extended: access_pb2.Token = (await self._ask(self._access.ExtendToken, request)).token
        return extended

    async def rotate_certificate(self, *, use: bool = False) -> access_pb2.RotateCertificateResponse:
        """Make the next certificate and announce it to all who connect; with `use` use it from now on. Raises
        Denied; Busy where there is none to be used, and where the certificate is not the rig's own.
        """
        request = access_pb2.RotateCertificateRequest(use=use)
        answer: access_pb2.RotateCertificateResponse = await self._ask(
            self._access.RotateCertificate, request
        )
        return answer

    # What is kept.

    async def mark(
        self,
        before_s: float,
        after_s: float,
        at: requests.WallClock | None = None,
        cars: Iterable[int] = (),
        note: str = "",
    ) -> laps_pb2.Moment:
        """Keep the time around a moment, now by default, of all cars or of some slots. Raises CursorExpired
        where the ring has let go of it.
        """
        answer: laps_pb2.MarkResponse = await self._ask(
            self._lap.Mark, queries.mark(before_s, after_s, at, cars, note)
        )
        return answer.mark

    async def marks(self) -> AsyncGenerator[laps_pb2.Moment]:
        """Yield marks, newest first, asked for as they are used."""
        request = laps_pb2.ListMarksRequest(page_size=queries.PAGE)
        while True:
            answer = await self._ask(self._lap.ListMarks, request)
            for mark in answer.marks:
                yield mark
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def pin(self, lap: str | LapInfo) -> LapInfo:
        """Keep a lap whatever else has to go. Raises NotFound, Unavailable."""
        request = laps_pb2.PinLapRequest(name=await self.find_lap(lap))
        return LapInfo.of((await self._ask(self._lap.PinLap, request)).lap)

    async def unpin(self, lap: str | LapInfo) -> LapInfo:
        """Let a lap go like any other. Raises as `pin` does."""
        request = laps_pb2.UnpinLapRequest(name=await self.find_lap(lap))
        return LapInfo.of((await self._ask(self._lap.UnpinLap, request)).lap)

    async def delete_lap(self, lap: str | LapInfo) -> None:
        """Delete a lap for good. Raises NotFound, Denied, Pinned, Unavailable."""
        await self._ask(self._lap.DeleteLap, laps_pb2.DeleteLapRequest(name=await self.find_lap(lap)))

    async def import_lap(
        self, session: session_pb2.Session, data: bytes, *, replace: bool = False
    ) -> laps_pb2.ImportLapResponse:
        """Have the rig keep a lap file that was made of another program's recording, with the session it is
        of: source IMPORT, status COMPLETED. Its lap's `user` is the caller's, but with the scope `laps:all`.
        Returns the lap's name, and whether that very file was there.

        `replace` lets it take the place of another file of that lap. Raises Raced where there is one,
        BadRequest, Corrupt, Denied, Exhausted, Unavailable.
        """
        messages = queries.import_lap(session, data, replace=replace)
        sending = queries.sending(self._lap.ImportLap, len(data))
        answer: laps_pb2.ImportLapResponse = await self._ask(sending, messages)
        return answer

    async def mark_synced(self, digests: Mapping[str, str]) -> list[str]:
        """Tell that a warehouse has these laps, by name with their digests, at most 200 at a time.

        Returns the names of those that are gone or have another digest. Raises Exhausted, Unavailable.
        """
        answer = await self._ask(self._lap.MarkLapsSynced, queries.mark_synced(digests))
        return list(answer.unmarked)


def connect(rig: str = "") -> AsyncRig:
    """Return a connection to a rig, made on first use: host:port, unix:PATH, the name of one on this machine
    or of a paired one; "": the one that answers here. Raises BadRequest for no address, and where several
    answer; Denied and Corrupt where what is kept of a paired rig is open to others or damaged.
    """
    return AsyncRig(paired.resolve(rig))
