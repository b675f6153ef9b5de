"""What to do after a run's verdict: one line of Python each (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.results.contents import RunContents
from ray_pipeline.wording import agreeing, plural

__all__ = ["NextStep", "next_steps"]


@dataclass(frozen=True, slots=True)
class NextStep:
    """Code to write, empty if there is none, and its purpose."""

    code: str
    why: str


def next_steps(contents: RunContents) -> list[NextStep]:
    """Suggest what to do with the findings, the most urgent first."""
    if contents.status == "failed":
        return [
            NextStep("run.failures", "which units failed, with their tracebacks"),
            NextStep(
                "", "fix the cause and repeat the same call: it continues from the finished work"
            ),
        ]
    if contents.status != "done":
        return [NextStep("", "the same call continues it; this shows what is written so far")]
    steps: list[NextStep] = []
    doubted = contents.doubted
    if doubted:
        n = len({each.target for each in doubted})
        are = f"{plural(n, 'target')} {agreeing(n, 'is', 'are')}"
        first = doubted[0].target
        steps.append(NextStep(f"run.explain({first!r})", f"{are} too good to believe: why"))
    doubtful = {each.target for each in doubted}
    believed = [name for name in contents.chosen if name not in doubtful]
    if believed:
        best = believed[0]
        steps += [
            NextStep(
                f"run.explain({best!r})", "from which features, for which symbols, with which error"
            ),
            NextStep("run.evaluation", "what its predictions would have earned, after costs"),
            NextStep(f"run.to_long({best!r})", "out-of-sample scores, for a backtest"),
            NextStep("run.predict(frame)", "scores of new rows"),
        ]
    elif not doubted:
        steps.append(
            NextStep(
                "run.targets", "how far each target was from being predictable, and why: see reason"
            )
        )
    if contents.leaks is not None and contents.leaks.num_rows:
        n = len(set(contents.leaks.column("feature").to_pylist()))
        told = f"{plural(n, 'feature')} {agreeing(n, 'knows', 'know')} the future, or may: look"
        steps.append(NextStep("run.leaks", told))
    steps.append(NextStep("run.report", "everything on one page"))
    return steps
