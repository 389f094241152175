"""Columns: what is written by template and read by slicing is what any protobuf parser sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.channels import PHYSICS, SCORING, Channel, Table
from rig.columns import HEAD_BYTES, Cut, Head, Layout, Layouts, Template, field, peek, read_head, read_heads
from rig.columns import column as made_column
from rig.errors import Corrupt
from rig.v1 import telemetry_pb2
from tests.rig.samples import (
    TABLES,
    TAIL,
    Array,
    fill,
    head,
    heads,
    parsed,
    parsed_column,
    parsed_head,
    record,
    same,
    some_rows,
    subsets,
    template,
)

tables = st.sampled_from(TABLES)
seeds = st.integers(0, 2**32 - 1)
row_counts = st.integers(0, 128)


def layout(table: Table, data: bytes) -> Layout:
    return Layout(table, data, 0, len(data))


def column(found: Layout, channel: Channel, data: bytes, at: int = 0) -> Array:
    values: Array = found.view(data, at)[channel.name]
    return values


class TestTheHead:
    @given(heads())
    def test_it_comes_back(self, wanted: Head) -> None:
        data = wanted.pack()
        assert len(data) == HEAD_BYTES
        assert read_head(data) == wanted

    @given(tables, heads())
    def test_protobuf_reads_the_same(self, table: Table, wanted: Head) -> None:
        assert parsed_head(parsed(table, wanted.pack())) == wanted

    @given(st.binary(max_size=40))
    def test_it_is_found_anywhere_in_the_bytes(self, before: bytes) -> None:
        data = before + record(PHYSICS, 2)
        assert read_head(data, len(before)) == head(2)
        assert read_head(memoryview(data), len(before)) == head(2)

    @pytest.mark.parametrize("size", range(HEAD_BYTES))
    def test_too_few_bytes_are_corrupt(self, size: int) -> None:
        with pytest.raises(Corrupt, match=f"{size} are left"):
            read_head(head(0).pack()[:size])

    def test_a_peek_at_too_few_bytes_is_corrupt(self) -> None:
        assert peek(head(3).pack()) == (1, 12.5, PHYSICS.schema, 3)
        for size in range(47):
            with pytest.raises(Corrupt, match=f"this one has {size}"):
                peek(head(3).pack()[:size])

    def test_a_part_of_a_head_among_many_is_corrupt(self) -> None:
        assert read_heads(head(3).pack() * 2)["rows"].tolist() == [3, 3]
        with pytest.raises(Corrupt, match="are no heads"):
            read_heads(head(3).pack() * 2 + b"\x09")

    def test_other_tags_are_corrupt(self) -> None:
        data = bytearray(head(0).pack())
        data[9] ^= 1
        with pytest.raises(Corrupt, match="do not start with"):
            read_head(data)


class TestPacking:
    @given(tables, row_counts, seeds, st.data())
    def test_protobuf_sees_the_values(self, table: Table, rows: int, seed: int, data: st.DataObject) -> None:
        made = template(table, rows, seed)
        wanted = data.draw(heads(rows))
        message = parsed(table, made.pack(wanted))
        assert parsed_head(message) == wanted
        for channel in table.channels:
            assert same(parsed_column(channel, message), made.columns[channel.name]), channel.name

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    @pytest.mark.parametrize("rows", [0, 1, 2, 3, 10, 11, 127, 128, 341, 342, 4095, 4096, 5000])
    def test_lengths_around_every_form_are_read(self, table: Table, rows: int) -> None:
        """Padded lengths of two bytes, and of six beyond 16 383."""
        made = template(table, rows)
        data = made.pack(head(rows))
        message = parsed(table, data)
        lay = layout(table, data)
        for channel in table.channels:
            assert same(parsed_column(channel, message), made.columns[channel.name]), channel.name
            assert same(column(lay, channel, data), made.columns[channel.name]), channel.name

    @given(tables, row_counts)
    def test_four_byte_values_lie_on_four_byte_steps(self, table: Table, rows: int) -> None:
        made = Template(table, rows)
        for channel in table.channels:
            if channel.dtype.itemsize == 4:
                assert made.starts[channel.name] % 4 == 0

    @given(tables, row_counts)
    def test_headers_among_the_floats_stay_when_those_are_corrected(self, table: Table, rows: int) -> None:
        """A region spans neighbouring columns and the headers between, for one call to correct them all."""
        made = Template(table, rows)
        floats = [channel for channel in made.order if channel.dtype == np.dtype("<f4")]
        values = made.region(floats, "<f4").values
        headers = values[values != 0]
        assert len(headers) == len(floats) - 1
        assert np.isfinite(headers).all()
        assert (headers > 0).all()
        before = made.pack(head(rows))
        np.add(np.multiply(values, np.float32(1)), np.float32(0), out=values)
        assert made.pack(head(rows)) == before

    def test_a_pack_does_not_change_with_the_template(self) -> None:
        made = template(PHYSICS, 3)
        data = made.pack(head(3))
        fill(made, 2)
        assert data == record(PHYSICS, 3)

    @given(tables, row_counts, seeds)
    def test_the_tail_is_read_beside_the_columns(self, table: Table, rows: int, seed: int) -> None:
        data = template(SCORING, rows, seed).pack(head(rows), TAIL)
        message = parsed(SCORING, data)
        assert message.session_state.track_name == "Sebring"  # type: ignore[union-attr]
        assert data[layout(SCORING, data).end :] == TAIL


class TestLayouts:
    @given(tables, row_counts, seeds, seeds)
    def test_one_layout_serves_all_records_of_a_form(
        self, table: Table, rows: int, seed: int, other: int
    ) -> None:
        first, second = record(table, rows, seed), record(table, rows, other, TAIL)
        found = layout(table, first)
        assert found.fits(second, 0, len(second))
        made = template(table, rows, other)
        for channel in table.channels:
            assert same(column(found, channel, second), made.columns[channel.name])

    def test_columns_are_views(self) -> None:
        data = record(PHYSICS, 3)
        temps = column(layout(PHYSICS, data), PHYSICS.by_name["tyre_temp"], data)
        assert np.shares_memory(temps, np.frombuffer(data, np.uint8))
        assert not temps.flags.writeable

    @given(row_counts, row_counts)
    def test_other_rows_do_not_fit(self, rows: int, others: int) -> None:
        other = record(PHYSICS, others)
        assert layout(PHYSICS, record(PHYSICS, rows)).fits(other, 0, len(other)) == (rows == others)

    @given(st.integers(0, 4), subsets(PHYSICS), subsets(PHYSICS))
    def test_it_fits_what_has_its_columns(
        self, rows: int, some: list[Channel], others: list[Channel]
    ) -> None:
        """Also one whose columns are the first of the other's."""
        whole = record(PHYSICS, rows, tail=TAIL)
        first, second = (
            b"".join(Cut(layout(PHYSICS, whole), chosen, None)(whole)) for chosen in (some, others)
        )
        assert layout(PHYSICS, first).fits(second, 0, len(second)) == (set(some) == set(others))

    @given(st.lists(st.tuples(st.integers(0, 3), subsets(PHYSICS), seeds), min_size=2, max_size=6))
    def test_changing_forms_are_told_apart(self, forms: list[tuple[int, list[Channel], int]]) -> None:
        known = Layouts(PHYSICS)
        for rows, chosen, seed in forms:
            whole = record(PHYSICS, rows, seed)
            data = b"".join(Cut(layout(PHYSICS, whole), chosen, None)(whole))
            found = known.of(read_head(data), data, 0, len(data))
            assert found.spans.keys() == {channel.name for channel in chosen}
            made = template(PHYSICS, rows, seed)
            for channel in chosen:
                assert same(column(found, channel, data), made.columns[channel.name])

    @given(st.binary(max_size=30), st.binary(max_size=30), seeds)
    def test_a_record_is_read_between_others(self, before: bytes, after: bytes, seed: int) -> None:
        inner = record(PHYSICS, 3, seed, TAIL)
        data = before + inner + after
        found = Layout(PHYSICS, data, len(before), len(before) + len(inner))
        made = template(PHYSICS, 3, seed)
        for channel in PHYSICS.channels:
            assert same(column(found, channel, data, len(before)), made.columns[channel.name])

    @given(
        st.integers(max(PHYSICS.by_number) + 1, 2047),
        st.binary(max_size=300),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_columns_of_the_future_are_passed_over(
        self, number: int, payload: bytes, rows: int, place: int
    ) -> None:
        made = template(PHYSICS, rows)
        data = made.pack(head(rows), TAIL)
        starts = [HEAD_BYTES, *[span[2] for span in list(layout(PHYSICS, data).spans.values())[:3]]]
        at = starts[place]
        data = data[:at] + field(number, payload) + data[at:]
        found = layout(PHYSICS, data)
        assert found.spans.keys() == PHYSICS.by_name.keys()
        for channel in PHYSICS.channels:
            assert same(column(found, channel, data), made.columns[channel.name])
        cut = b"".join(Cut(found, PHYSICS.channels, None)(data))
        assert cut == made.pack(head(rows), TAIL)

    def test_a_column_of_another_length_is_corrupt(self) -> None:
        data = head(4).pack() + record(PHYSICS, 3)[HEAD_BYTES:]
        with pytest.raises(Corrupt, match=r"holds \d+ bytes, 4 rows need \d+"):
            layout(PHYSICS, data)


class TestAColumnTwice:
    """The last one counts, as for a protobuf parser; those behind it stay what they are."""

    @pytest.mark.parametrize("rows", [0, 3])
    @pytest.mark.parametrize("name", ["delta_time", "gap_leader"])
    def test_every_column_is_itself(self, name: str, rows: int) -> None:
        channel = next(one for one in PHYSICS.columns.values() if one.name == name)
        first, last = (made_column(channel, np.full(rows, value)) for value in (1.5, 2.5))
        whole = record(PHYSICS, rows)
        data = whole[:HEAD_BYTES] + first + last + whole[HEAD_BYTES:]
        data = data if name in PHYSICS.derived else data + last
        found, usual = layout(PHYSICS, data), layout(PHYSICS, whole)
        view, plain = found.view(data, 0), usual.view(whole, 0)
        assert view[name].tolist() == [2.5] * rows
        for other in usual.spans.keys() - {name}:
            assert view[other].dtype == plain[other].dtype
            assert view[other].tobytes() == plain[other].tobytes()


class TestCutting:
    @given(tables, st.integers(0, 12), seeds, st.data())
    def test_a_cut_is_what_numpy_selects(
        self, table: Table, rows: int, seed: int, data: st.DataObject
    ) -> None:
        chosen, picked = data.draw(subsets(table)), data.draw(some_rows(rows))
        whole = record(table, rows, seed, TAIL if table is SCORING else b"")
        before = parsed(table, whole)
        after = parsed(table, b"".join(Cut(layout(table, whole), chosen, picked)(whole)))
        kept = list(range(rows)) if picked is None else list(picked)

        assert parsed_head(after) == parsed_head(before)._replace(rows=len(kept))
        for channel in table.channels:
            wanted = parsed_column(channel, before)[kept if channel in chosen else []]
            assert same(parsed_column(channel, after), wanted), channel.name
        if table is SCORING:
            assert after.session_state == before.session_state  # type: ignore[union-attr]

    @given(st.integers(0, 128), seeds)
    def test_cutting_nothing_away_is_the_record(self, rows: int, seed: int) -> None:
        whole = record(PHYSICS, rows, seed, TAIL)
        assert b"".join(Cut(layout(PHYSICS, whole), PHYSICS.channels, None)(whole)) == whole
        assert b"".join(Cut(layout(PHYSICS, whole), PHYSICS.channels, range(rows))(whole)) == whole

    @given(st.integers(1, 8), seeds, st.data())
    def test_cuts_follow_one_another(self, rows: int, seed: int, data: st.DataObject) -> None:
        some = data.draw(subsets(SCORING))
        fewer = data.draw(st.lists(st.sampled_from(some), unique=True)) if some else []
        whole = record(SCORING, rows, seed, TAIL)
        once = b"".join(Cut(layout(SCORING, whole), some, (0,))(whole))
        twice = b"".join(Cut(layout(SCORING, once), fewer, None)(once))
        assert twice == b"".join(Cut(layout(SCORING, whole), fewer, (0,))(whole))

    def test_one_cut_serves_all_records_of_a_form(self) -> None:
        chosen = PHYSICS.pick(["speed", "gear"])
        first, second = record(PHYSICS, 3, 1), record(PHYSICS, 3, 2, TAIL)
        cut = Cut(layout(PHYSICS, first), chosen, (2, 0))
        made = template(PHYSICS, 3, 2)
        data = b"".join(cut(second))
        found = layout(PHYSICS, data)
        for channel in chosen:
            assert same(column(found, channel, data), made.columns[channel.name][[2, 0]])
        assert data.endswith(TAIL)

    def test_a_channel_that_the_record_lacks_is_left_out(self) -> None:
        whole = record(PHYSICS, 2)
        small = b"".join(Cut(layout(PHYSICS, whole), PHYSICS.pick(["speed"]), None)(whole))
        again = b"".join(Cut(layout(PHYSICS, small), PHYSICS.pick(["speed", "gear"]), None)(small))
        assert again == small

    def test_a_cut_stands_in_a_response(self) -> None:
        whole = record(PHYSICS, 4)
        cut = b"".join(Cut(layout(PHYSICS, whole), PHYSICS.pick(["speed"]), (1,))(whole))
        response = telemetry_pb2.StreamPhysicsResponse.FromString(field(2, cut) + field(2, whole))
        assert [len(tick.speed) for tick in response.ticks] == [1, 4]
        assert response.ticks[0].speed[0] == pytest.approx(response.ticks[1].speed[1], nan_ok=True)


def read_everything(table: Table, data: bytes, at: int, end: int) -> None:
    """What a reader may do to a record. Damage may show as Corrupt and as nothing else."""
    try:
        found = Layouts(table).of(read_head(data, at), data, at, end)
        for name in found.spans:
            column(found, table.by_name[name], data, at).tolist()
        rows = None if found.rows > 128 else range(found.rows)
        b"".join(Cut(found, table.channels, rows)(data[at:end]))
    except Corrupt:
        pass


class TestDamage:
    @given(tables, st.integers(0, 5), st.data())
    def test_a_cut_off_record_is_corrupt_or_shorter(
        self, table: Table, rows: int, data: st.DataObject
    ) -> None:
        whole = record(table, rows, tail=TAIL)
        read_everything(table, whole, 0, data.draw(st.integers(0, len(whole))))
        short = whole[: data.draw(st.integers(0, len(whole)))]
        read_everything(table, short, 0, len(short))

    @given(tables, st.integers(0, 5), st.data())
    def test_flipped_bits_are_corrupt_or_other_values(
        self, table: Table, rows: int, data: st.DataObject
    ) -> None:
        damaged = bytearray(record(table, rows, tail=TAIL))
        for at in data.draw(st.lists(st.integers(0, 8 * len(damaged) - 1), min_size=1, max_size=4)):
            damaged[at // 8] ^= 1 << at % 8
        read_everything(table, bytes(damaged), 0, len(damaged))

    @given(tables, st.integers(0, 2), st.data())
    def test_flipped_headers_are_corrupt_or_other_columns(
        self, table: Table, rows: int, data: st.DataObject
    ) -> None:
        damaged = bytearray(record(table, rows, tail=TAIL))
        places = [
            i for start, first, _ in layout(table, bytes(damaged)).spans.values() for i in range(start, first)
        ]
        for at in data.draw(st.lists(st.sampled_from(places + list(range(HEAD_BYTES))), max_size=4)):
            damaged[at] = data.draw(st.integers(0, 255))
        read_everything(table, bytes(damaged), 0, len(damaged))

    @given(tables, st.binary(max_size=200))
    def test_a_good_head_before_garbage_is_corrupt_or_empty(self, table: Table, garbage: bytes) -> None:
        data = head(3).pack() + garbage
        read_everything(table, data, 0, len(data))

    @given(st.integers(0, HEAD_BYTES - 1))
    def test_a_record_ends_where_it_is_said_to(self, size: int) -> None:
        """Bytes behind it belong to somebody else, even if they would make a head complete."""
        data = record(PHYSICS, 2)
        with pytest.raises(Corrupt):
            Layout(PHYSICS, data, 0, size)

    def test_a_ring_holds_whole_records(self) -> None:
        """A server takes that at its word, so a record that lacks a column must not become a layout."""
        whole = record(PHYSICS, 2)
        ids = b"".join(Cut(layout(PHYSICS, whole), PHYSICS.pick(["id"]), None)(whole))[HEAD_BYTES:]

        def learnt(schema: int, columns: bytes) -> Layout:
            data = head(2, schema=schema).pack() + columns
            return Layouts(PHYSICS, whole=True).of(read_head(data), data, 0, len(data))

        with pytest.raises(Corrupt, match="no column"):
            learnt(PHYSICS.schema, ids)
        with pytest.raises(Corrupt, match="no column 'id'"):
            learnt(1, b"")
        assert list(learnt(1, ids).spans) == ["id"], "of another version it may have others"

    def test_the_damage_is_described(self) -> None:
        data = record(PHYSICS, 2)
        with pytest.raises(Corrupt, match="ends at byte"):
            layout(PHYSICS, data[: HEAD_BYTES + 8])
        with pytest.raises(Corrupt, match="inside a number"):
            layout(PHYSICS, data[: HEAD_BYTES + 1])
