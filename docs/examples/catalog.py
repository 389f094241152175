"""A vehicle with two setups, what is different between them, and with which a lap was driven."""

import sys

import rigclient
from rig.v1 import catalog_pb2 as said

with rigclient.connect(*sys.argv[1:2]) as rig:
    catalog = rig.catalog
    vehicle = catalog.create("vehicles", said.Vehicle(title="GT3", number="12"))
    setups = [
        catalog.create(
            f"{vehicle.name}/setups",
            said.Setup(title=f"Wing {wing}", parameters=[said.Parameter(key="RearWing", value=wing)]),
        )
        for wing in ("3", "5")
    ]
    for one in catalog.diff_setups(setups[0].name, setups[1].name).differences:
        print(one.key, one.first, "->", one.second)

    lap = rig.laps()[0].name
    catalog.create("assignments", said.Assignment(lap=lap, setup=setups[1].name))
    catalog.create("notes", said.Note(target=lap, text="Understeer.", place=820.0))
    catalog.update(vehicle.name, shared_with=["*"], etag=vehicle.etag)
    for note in catalog.list("notes", target=lap):
        print(f"{note.note.place:.0f} m: {note.note.text}")
