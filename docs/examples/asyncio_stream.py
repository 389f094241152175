"""Follow scoring and events at the same time, then read the fastest lap of each class, all in one program."""

import asyncio
import sys

from rigclient import aio


async def standings(rig: aio.AsyncRig) -> None:
    count = 0
    async for update in rig.scoring(["place", "laps", "lap_distance"], start="earliest"):
        leader = next(car for car in update if car.place == 1)
        print(f"{update.session_time:9.3f} s  car {leader.id} leads on lap {leader.laps + 1}")
        if (count := count + 1) == 5:
            return


async def events(rig: aio.AsyncRig) -> None:
    count = 0
    async for event in rig.events(start="earliest"):
        print("event:", event.WhichOneof("kind"))
        if (count := count + 1) == 5:
            return


async def main() -> None:
    async with aio.connect(*sys.argv[1:]) as rig:
        await asyncio.gather(standings(rig), events(rig))
        async for info in rig.laps(best_of="class"):
            lap = await rig.lap(info, ["speed"])
            print(f"{info.vehicle_class}: {info.driver} {info.lap_time} s, {lap.speed.max() * 3.6:.0f} km/h")


asyncio.run(main())
