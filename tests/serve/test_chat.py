"""Questions through a real server, on a race that the real archiver kept, to a scripted model."""

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rig.errors import BadRequest, Busy, NotFound, Unavailable
from rig.v1 import analysis_pb2, catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.main import rig as rig_command
from tests.assistant.scripted import ScriptedEndpoint, call, cut, say, scripted
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.stage import Stage, stage

KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedEndpoint]:
    with scripted() as made:
        yield made


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, model: ScriptedEndpoint) -> Iterator[Stage]:
    with stage() as made:
        kept = once(tmp_path_factory, "raced-real", real_drive)
        shutil.copytree(kept, made.data, dirs_exist_ok=True)
        key = made.data / "model.key"
        key.write_text(f"{KEY}\n")
        key.chmod(0o600)
        made.environment = {
            **os.environ,
            "RIGD_ASSISTANT_URL": model.url,
            "RIGD_ASSISTANT_MODEL": "model-1",
            "RIGD_ASSISTANT_KEY_FILE": str(key),
        }
        made.serve()
        yield made


@pytest.fixture(scope="module")
def rig(here: Stage) -> Iterator[Rig]:
    with connect(here.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def lap(rig: Rig) -> str:
    """A clean lap that has tips."""
    laps = rig.laps(valid=True, complete=True, order_by="lap_time desc")
    clean = (one for one in laps if not (one.in_lap or one.out_lap or one.pit_visits) and one.number)
    return next(one.name for one in clean if rig.coach(one).tips)


@pytest.fixture
def run(here: Stage) -> Any:
    def invoke(*words: str, width: str = "100") -> Result:
        return CliRunner(env={"COLUMNS": width}).invoke(rig_command, ["--rig", here.address, *words])

    return invoke


def asked(rig: Rig, lap: str, **more: Any) -> list[analysis_pb2.ChatResponse]:
    return list(rig.chat("Why is this lap slower than my best?", lap, **more))


def of(happened: list[analysis_pb2.ChatResponse], kind: str) -> list[Any]:
    return [getattr(one, kind) for one in happened if one.WhichOneof("event") == kind]


def known(model: ScriptedEndpoint, at: int = 0) -> Any:
    """What the model was told with the question."""
    return json.loads(model.asked[at]["messages"][-1]["content"].split("instructions:\n")[1])


def result(model: ScriptedEndpoint, at: int) -> Any:
    """What the last tool gave the model."""
    return json.loads(model.asked[at]["messages"][-1]["content"])


def test_the_model_is_told_findings_and_its_answer_has_our_numbers(
    rig: Rig, lap: str, model: ScriptedEndpoint
) -> None:
    coached = rig.coach(lap)
    tip = coached.tips[0]
    model.play(say(f"Mostly here: [finding:{tip.id}]. In all it is [lost]."))
    happened = asked(rig, lap)
    found = next(one for one in coached.findings if one.id == tip.id)
    text = "".join(of(happened, "text"))
    assert f"Mostly here: {found.place} ({found.lost:+.3f} s)." in text
    assert f"In all it is {coached.lost:+.3f} s." in text
    assert [(one.id, one.text) for one in of(happened, "finding")] == [(f"finding:{tip.id}", tip.text)]
    (done,) = of(happened, "done")
    assert done.calls == 1
    told = known(model)
    assert told["findings"][0]["cite"] == f"finding:{coached.findings[0].id}"
    assert lap not in json.dumps(model.asked)  # handles only
    assert model.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_every_tool_gives_what_the_library_computes(rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
    model.play(
        call("list_laps", of="L1", whose="all", order="fastest", count=5),
        call("compare", lap="L1", against="L2"),
        call("corners", lap="L1"),
        call("findings", lap="L1", against="session"),
        say("Lap [lap:L2], [corner:1], [pass:L1:1], [lost]."),
    )
    happened = asked(rig, lap)
    begun, *tools = of(happened, "tool_call")
    assert begun.about.startswith("lap ")
    assert [one.tool for one in tools] == ["list_laps", "compare", "corners", "findings"]
    assert [one.error for one in tools] == [""] * 4
    laps = result(model, 1)["laps"]
    times = [one["lap_time_s"] for one in laps]
    assert times == sorted(times)
    assert len(times) == 5
    compared = result(model, 2)
    assert compared["against"]["handle"] == "L2"
    assert compared["parts"][0]["s"] >= compared["parts"][-1]["s"]
    corners = result(model, 3)["corners"]
    mine = rig.corners(lap).corners[0]
    assert corners[0]["slowest_kmh"] == pytest.approx(3.6 * mine.least_speed, abs=0.01)
    text = "".join(of(happened, "text"))
    assert f"T1 (entry {3.6 * mine.entry_speed:.0f} km/h" in text
    assert "Lap lap " in text


def test_what_a_tool_does_not_know_it_says(rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
    model.play(
        call("corners", lap="L99"),
        call("compare", lap="L1", against="nobody"),
        call("list_laps", of="L1", count=10_000),
        call("list_laps", of="L1", order="'; DROP TABLE lap"),
        call("read_samples", lap="L1"),
        say("I could not look at that."),
    )
    happened = asked(rig, lap)
    errors = [one.error for one in of(happened, "tool_call")[1:]]
    assert all(errors)
    assert "no tool 'read_samples'" in errors[-1]
    assert "".join(of(happened, "text")) == "I could not look at that.\n"


def test_a_refused_answer_is_replaced_by_the_tips(rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
    model.play(say("Fine so far. [finding:made_up:9]"))
    happened = asked(rig, lap)
    (why,) = of(happened, "refused")
    assert "cites [finding:made_up:9], which nothing told of" in why
    assert [one.text for one in of(happened, "finding")] == [tip.text for tip in rig.coach(lap).tips]


def test_a_broken_answer_as_well(rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
    model.play(cut("Well. "))
    happened = asked(rig, lap)
    assert of(happened, "refused") == ["the reply ends in the middle"]
    assert of(happened, "finding")


def test_a_dry_run_sends_nothing(rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
    model.play(say("Never."))
    happened = asked(rig, lap, dry_run=True)
    assert [one.WhichOneof("event") for one in happened] == ["request", "done"]
    assert model.asked == []
    would = json.loads(happened[0].request)
    assert KEY not in happened[0].request
    asked(rig, lap)
    assert model.asked[0] == would


def test_odd_questions_are_refused(rig: Rig, lap: str) -> None:
    for question in ("", " \n", "x" * 2001):
        with pytest.raises(BadRequest):
            list(rig.chat(question, lap))
    with pytest.raises(NotFound):
        list(rig.chat("Why?", "sessions/x/laps/y"))
    with pytest.raises(BadRequest):
        list(rig.chat("Why?", ""))
    with pytest.raises(NotFound):
        list(rig.chat("Why?", lap, reference="sessions/x/laps/y"))


class TestCommand:
    def test_it_answers_with_findings_as_the_coach_shows_them(
        self, run: Any, rig: Rig, lap: str, model: ScriptedEndpoint
    ) -> None:
        tip = rig.coach(lap).tips[0]
        model.play(call("corners", lap="L1"), say(f"Brake later: [finding:{tip.id}]."))
        done = run("ask", "why", "is", "it", "slow?", "--lap", lap)
        assert done.exit_code == 0, done.output
        assert "looked at corners of lap" in done.output
        assert "Brake later: T" in done.output
        assert "\n1. T" in done.output
        assert "why is it slow?" in model.asked[0]["messages"][-1]["content"]

    def test_a_refusal_says_why_and_gives_the_tips(self, run: Any, lap: str, model: ScriptedEndpoint) -> None:
        model.play(say("You lose 5 s."))
        done = run("ask", "why?", "--lap", lap, width="80")
        assert done.exit_code == 0, done.output
        assert "no answer of the model: the answer was refused: it says “You lose 5 s" in done.output
        assert "The rules found:\n1. T" in done.output
        assert max(map(len, done.output.splitlines())) <= 80

    def test_requests_are_shown_without_the_key(self, run: Any, lap: str, model: ScriptedEndpoint) -> None:
        model.play(say("Brake later."))
        for option in ("--show-request", "--dry-run"):
            done = run("ask", "why?", "--lap", lap, option)
            assert '"model": "model-1"' in done.stdout
            assert KEY not in done.output
        assert len(model.asked) == 1

    def test_machines_read_it(self, run: Any, lap: str, model: ScriptedEndpoint) -> None:
        model.play(call("corners", lap="L1"), say("It is 5 s."), say("Brake in [corner:1]."))
        done = run("ask", "why?", "--lap", lap, "--json")
        told = json.loads(done.stdout)
        assert (told["answer"], told["refused"], told["calls"]) == ("Brake in T1.", None, 3)
        assert (len(told["withdrawn"]), len(told["tools"])) == (1, 2)
        assert told["plan"] is None


def test_without_a_configuration_there_is_no_assistant(tmp_path_factory: pytest.TempPathFactory) -> None:
    with stage() as bare:
        bare.serve()
        with connect(bare.address) as rig:
            assert not rig.assistant().configured
            with pytest.raises(Unavailable, match=r"no assistant is configured.*assistant\.url"):
                list(rig.chat("Why?", "sessions/x/laps/y"))


def test_who_reads_questions_is_told(rig: Rig, model: ScriptedEndpoint) -> None:
    told = rig.assistant()
    assert (told.configured, told.host, told.model, told.local) == (True, model.url[7:-3], "model-1", True)


class TestCatalog:
    """Conversations and plans, and what approved items do."""

    @pytest.fixture
    def setup(self, rig: Rig, lap: str) -> str:
        """A setup that the lap was driven with."""
        vehicles = [one.name for one in rig.catalog.list("vehicles")]
        if not vehicles:
            rig.catalog.create("vehicles", catalog_pb2.Vehicle(title="Prototype"))
            wing = catalog_pb2.Parameter(section="REARWING", key="RWSetting", value="12", unit="clicks")
            body = catalog_pb2.Setup(title="sprint", parameters=[wing], file_name="a.svm", source="x")
            made = rig.catalog.create("vehicles/prototype/setups", body)
            rig.catalog.create("assignments", catalog_pb2.Assignment(lap=lap, setup=made.name))
        return "vehicles/prototype/setups/sprint"

    def planned(self, rig: Rig, lap: str, model: ScriptedEndpoint, *items: Any) -> catalog_pb2.Resource:
        """A plan of these items."""
        model.play(
            call("setup", lap="L1"),
            call("propose", title="Try in [corner:1]", items=list(items)),
            say("Try that."),
        )
        happened = asked(rig, lap, plan=True)
        (name,) = of(happened, "plan")
        return rig.catalog.get(name)

    def test_a_conversation_is_kept_and_goes_on(self, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        tip = rig.coach(lap).tips[0]
        model.play(say(f"Brake later. [finding:{tip.id}]"))
        (done,) = of(asked(rig, lap), "done")
        kept = rig.catalog.get(done.conversation)
        assert (kept.conversation.title, kept.conversation.lap) == (
            "Why is this lap slower than my best?",
            lap,
        )
        question, answer = (
            one.message for one in rig.catalog.list(f"{kept.name}/messages", order_by="create_time")
        )
        assert question.text == "Why is this lap slower than my best?"
        assert answer.text.startswith("Brake later. T")
        assert answer.text.endswith(tip.text)
        assert list(answer.finding_ids) == [f"finding:{tip.id}"]
        model.play(say("Yes."))
        (done,) = of(list(rig.chat("Really?", "", conversation=kept.name)), "done")
        assert done.conversation == kept.name
        said = model.asked[0]["messages"]
        assert [one["role"] for one in said] == ["system", "user", "assistant", "user"]
        assert said[2]["content"] == answer.text
        assert len(list(rig.catalog.list(f"{kept.name}/messages"))) == 4
        assert rig.assistant().asked_before

    def test_what_is_refused_is_kept_as_well(self, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        model.play(say("You lose 5 s."))
        (done,) = of(asked(rig, lap), "done")
        *_, answer = rig.catalog.list(f"{done.conversation}/messages", order_by="create_time")
        assert answer.message.text.startswith("No answer of the model: the answer was refused")

    def test_only_a_conversation_goes_on(self, rig: Rig, lap: str) -> None:
        with pytest.raises(NotFound):
            list(rig.chat("Why?", lap, conversation="conversations/none"))
        with pytest.raises(BadRequest):
            list(rig.chat("Why?", lap, conversation="../laps"))

    def test_a_plan_is_proposed_and_nothing_done(
        self, rig: Rig, lap: str, setup: str, model: ScriptedEndpoint
    ) -> None:
        plan = self.planned(
            rig,
            lap,
            model,
            {"kind": "setup_change", "setup": "S1", "section": "REARWING", "key": "RWSetting", "value": "14"},
            {"kind": "note", "lap": "L1", "text": "Too slow in [corner:1]."},
            {"kind": "tag", "lap": "L1", "text": "look at this"},
            {"kind": "run", "laps": 3, "text": "brake later in T1"},
        )
        assert plan.plan.title == "Try in T1"
        texts = [item.text for item in plan.plan.items]
        assert texts[0] == "setup sprint: REARWING.RWSetting from 12 to 14 clicks"
        assert texts[1].endswith(": Too slow in T1.")
        assert texts[3] == "drive 3 laps: brake later in T1"
        assert {item.state for item in plan.plan.items} == {catalog_pb2.PLAN_ITEM_STATE_PROPOSED}
        assert list(rig.catalog.list("notes", target=lap)) == []
        assert [one.name for one in rig.catalog.list("vehicles/-/setups")] == [setup]

        wing, note, tag, run = plan.plan.items
        for item in (wing, note, tag, run):
            plan = rig.catalog.decide(plan.name, item.id, approve=True)
        assert [item.state for item in plan.plan.items] == [catalog_pb2.PLAN_ITEM_STATE_DONE] * 4
        made = rig.catalog.get(plan.plan.items[0].result)
        assert made.setup.title == "sprint, Try in T1"
        assert (made.setup.parameters[0].value, made.setup.source) == ("14", "")
        assert rig.catalog.get(setup).setup.parameters[0].value == "12"
        assert sorted(one.note.text for one in rig.catalog.list("notes", target=lap)) == [
            "Too slow in T1.",
            "drive 3 laps: brake later in T1",
        ]
        assert [one.tag.text for one in rig.catalog.list("tags", target=lap)] == ["look at this"]
        with pytest.raises(Busy):
            rig.catalog.decide(plan.name, "1", approve=True)

    @pytest.mark.parametrize(
        ("item", "why"),
        [
            ({"kind": "delete_lap", "lap": "L1"}, "no item 'delete_lap'"),
            ({"kind": "note", "lap": "L9", "text": "x"}, "no lap 'L9'"),
            ({"kind": "note", "lap": "L1", "text": "You lose 5 s."}, "a number of its own"),
            ({"kind": "note", "lap": "L1", "text": ""}, "says nothing"),
            ({"kind": "run", "laps": 500, "text": "x"}, "1 to 50"),
            ({"kind": "setup_change", "setup": "S1", "section": "A", "key": "B", "value": "1"}, "has no A.B"),
            ({"kind": "setup_change", "setup": "S7", "section": "A", "key": "B", "value": "1"}, "no setup"),
            (
                {
                    "kind": "setup_change",
                    "setup": "S1",
                    "section": "REARWING",
                    "key": "RWSetting",
                    "value": "12",
                },
                "another one than 12",
            ),
            ("nothing", "no object"),
        ],
    )
    def test_odd_proposals_are_none(
        self, rig: Rig, lap: str, setup: str, model: ScriptedEndpoint, item: Any, why: str
    ) -> None:
        model.play(call("setup", lap="L1"), call("propose", title="Try", items=[item]), say("Sorry."))
        happened = asked(rig, lap, plan=True)
        assert of(happened, "plan") == []
        assert why in of(happened, "tool_call")[-1].error + json.dumps(result(model, 2))

    def test_nobody_proposes_who_was_not_asked_to(self, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        model.play(call("propose", title="x", items=[{"kind": "tag", "text": "x"}]), say("Sorry."))
        happened = asked(rig, lap)
        assert of(happened, "plan") == []
        assert "no tool 'propose'" in of(happened, "tool_call")[-1].error

    def test_a_rejected_item_is_never_done(self, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        plan = self.planned(rig, lap, model, {"kind": "tag", "lap": "L1", "text": "never"})
        plan = rig.catalog.decide(plan.name, "1", approve=False)
        assert plan.plan.items[0].state == catalog_pb2.PLAN_ITEM_STATE_REJECTED
        with pytest.raises(Busy):
            rig.catalog.decide(plan.name, "1", approve=True)
        with pytest.raises(NotFound):
            rig.catalog.decide(plan.name, "2", approve=True)
        assert "never" not in [one.tag.text for one in rig.catalog.list("tags")]

    def test_what_was_broken_off_is_made_once(self, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        """The server died behind the note, and before the plan said so."""
        plan = self.planned(rig, lap, model, {"kind": "note", "lap": "L1", "text": "once"})
        done = rig.catalog.decide(plan.name, "1", approve=True)
        broken = catalog_pb2.Plan()
        broken.CopyFrom(done.plan)
        broken.items[0].state, broken.items[0].result = catalog_pb2.PLAN_ITEM_STATE_APPROVED, ""
        rig.catalog.update(plan.name, broken, ["items"])
        again = rig.catalog.decide(plan.name, "1", approve=True)
        assert again.plan.items[0].result == done.plan.items[0].result
        assert [one.note.text for one in rig.catalog.list("notes")].count("once") == 1

    @pytest.mark.parametrize(
        ("kind", "arguments", "why"),
        [
            ("format_disk", "{}", "no item of the kind"),
            ("note", "", "has no target"),
            ("note", "[]", "no JSON object"),
            ("note", '{"target": "sessions/x/laps/y", "text": "x"}', "there is no"),
            ("note", '{"target": "../../etc", "text": "x"}', "note.target"),
            ("setup_change", '{"setup": "tags/x", "key": "a", "value": "1"}', "there is no"),
            (
                "setup_change",
                '{"setup": "vehicles/prototype/setups/sprint", "key": "a", "value": "1"}',
                "has no",
            ),
        ],
    )
    def test_a_plan_that_somebody_wrote_fails_with_why(
        self, rig: Rig, setup: str, kind: str, arguments: str, why: str
    ) -> None:
        item = catalog_pb2.PlanItem(id="1", kind=kind, arguments=arguments, text="x")
        plan = rig.catalog.create("plans", catalog_pb2.Plan(title="x", items=[item]))
        plan = rig.catalog.decide(plan.name, "1", approve=True)
        assert plan.plan.items[0].state == catalog_pb2.PLAN_ITEM_STATE_FAILED
        assert why in plan.plan.items[0].result

    def test_commands_go_through_a_plan(self, run: Any, rig: Rig, lap: str, model: ScriptedEndpoint) -> None:
        plan = self.planned(
            rig,
            lap,
            model,
            {"kind": "tag", "lap": "L1", "text": "first"},
            {"kind": "tag", "lap": "L1", "text": "second"},
        )
        short = plan.name.removeprefix("plans/")
        assert short in run("plan", "list").output
        shown = run("plan", "show", short).output
        assert "[ ] 1. tag lap" in shown
        assert run("plan", "approve", "last").exit_code == 2
        done = run("plan", "approve", short, "1")
        assert done.exit_code == 0, done.output
        assert "[✓] 1. tag lap" in done.output
        assert "[-] 2. tag lap" in run("plan", "reject", short, "--all").output
        assert run("plan", "approve", short, "7").exit_code == 5
        told = json.loads(run("plan", "show", short, "--json").stdout)
        assert [item["state"] for item in told["plan"]["items"]] == [
            "PLAN_ITEM_STATE_DONE",
            "PLAN_ITEM_STATE_REJECTED",
        ]

    def test_ask_goes_on_with_the_last_conversation(
        self, run: Any, lap: str, model: ScriptedEndpoint
    ) -> None:
        model.play(say("Brake later."))
        run("ask", "why?", "--lap", lap)
        done = run("ask", "--continue", "really?")
        assert done.exit_code == 0, done.output
        assert len(model.asked[-1]["messages"]) >= 4
