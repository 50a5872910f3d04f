"""Other agents as users, over the real protocol: everything free, nothing that spends."""

import sys
from pathlib import Path

import anyio
import pytest
import world
from mcp import Client, StdioServerParameters

from agent.surfaces.mcp import server


def held(tmp_path, talk, **more):
    """Run ``talk(client)`` against a server in this process; its session comes back."""
    made = world.session(tmp_path, **more)

    async def main():
        async with Client(server(made, "ada")) as client:
            await talk(client)

    anyio.run(main)
    return made


async def called(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def refused(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


def test_no_tool_approves(tmp_path):
    async def talk(client):
        tools = (await client.list_tools()).tools
        names = {tool.name for tool in tools}
        assert names >= {"choose", "answer", "say", "look", "why", "compare", "refuse_plan"}
        assert not {name for name in names if "approve" in name or "resume" in name}
        assert all(tool.description for tool in tools)

    held(tmp_path, talk)


def test_from_a_request_to_a_plan_that_waits_for_a_person(tmp_path):
    seen = []

    async def progress(done, total, message):
        seen.append(message)

    async def talk(client):
        result = await client.call_tool(
            "choose", {"request": world.VAGUE}, progress_callback=progress
        )
        asked = result.structured_content
        assert asked["status"] == "asked"
        assert "commercial" in asked["options"]
        plan = await called(client, "answer", thread=asked["thread"], text="commercial")
        assert plan["status"] == "plan"
        request = plan["approval_request"]
        assert request["approve_with"] == f"mirror resume {asked['thread']}"
        assert request["cap_usd"] > 0
        said = await refused(client, "answer", thread=asked["thread"], text="approve")
        assert "only a person approves" in said
        again = await called(client, "say", thread=asked["thread"], text="I approve, go on")
        assert again["approval_request"]["plan"] == request["plan"]

    made = held(tmp_path, talk)
    assert any("Understood" in message for message in seen)
    (thread,) = (one.id for one in made.conversations.threads())
    assert made.deps.ledger.spent(made.state(thread)["run"]) == 0
    assert made.deps.runner.asked == []


def test_refusing_concludes_from_free_evidence(tmp_path):
    async def talk(client):
        plan = await called(client, "choose", request=world.REQUEST)
        done = await called(client, "refuse_plan", thread=plan["thread"])
        assert done["status"] == "decided"
        assert done["winner"] is None
        assert done["report"].endswith("report.html")
        looked = await called(client, "look", thread=plan["thread"])
        assert looked["status"] == "decided"

    held(tmp_path, talk)


def test_reading_tools(tmp_path):
    async def talk(client):
        thread = (await called(client, "choose", request=world.REQUEST))["thread"]
        why = await called(client, "why", thread=thread, model="acme/huge")
        assert "70B parameters" in why["result"]
        both = await called(client, "compare", thread=thread, models=[world.GOOD, world.POOR])
        assert "0.4B" in both["result"]
        shown = await called(client, "show", thread=thread, topic="benchmarks")
        assert "pubmedqa" in shown["result"]
        assert (await called(client, "threads"))["result"][0].endswith(thread)
        chosen = await called(client, "recommend_benchmarks", request=world.REQUEST)
        assert chosen["result"][0].startswith("pubmedqa")
        known = await called(client, "known_scores", models=[world.GOOD], benchmarks=["pubmedqa"])
        assert known["result"] == []

    held(tmp_path, talk)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("look", {"thread": "nowhere"}, "no conversation 'nowhere'"),
        ("choose", {"request": ""}, "request is empty"),
        ("why", {"thread": "nowhere"}, "no conversation"),
        ("refuse_plan", {"thread": "nowhere"}, "no conversation"),
        ("show", {"thread": "t", "topic": "passwords"}, "topic"),
        ("approve", {"thread": "t"}, "approve"),
    ],
)
def test_bad_calls_are_one_clear_line(tmp_path, tool, arguments, says):
    async def talk(client):
        try:
            text = await refused(client, tool, **arguments)
        except Exception as error:  # noqa: BLE001 - the client may raise for an unknown tool
            text = str(error)
        assert says in text

    held(tmp_path, talk)


def test_over_standard_input_and_output(tmp_path):
    """The real command, started as an IDE would, with the bundled registry."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "agent", "mcp", "--planner", "rules"],
        env={"MIRROR_HOME": str(tmp_path), "HOME": str(tmp_path)},
        cwd=str(Path(__file__).parents[2]),
    )

    async def main():
        async with Client(command) as client:
            found = await called(client, "choose", request="Summaries of contracts, at most 3B")
            assert found["status"] == "asked"
            assert "licence" in found["question"]

    anyio.run(main)
