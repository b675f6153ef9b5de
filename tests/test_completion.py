"""``ray-pipeline completion``: scripts that shells run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ray_pipeline.cli import main
from ray_pipeline.commands.listing import COMMANDS

ASK = """
source {script}
function=$(complete -p ray-pipeline | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
$function ray-pipeline "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script_for(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(script: Path, *words: str) -> set[str]:
    """Return what bash proposes for a last word that is not complete."""
    text = ASK.format(script=script, words=" ".join(f"'{word}'" for word in words))
    done = subprocess.run(
        ["bash", "-c", text], check=True, capture_output=True, text=True, cwd=script.parent
    )
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, options, their values, and paths where one is needed."""
    script = tmp_path / "script"
    script.write_text(script_for("bash", capsys))
    (tmp_path / "my_run").mkdir()
    assert completed(script, "ray-pipeline", "sta") == {"status"}
    assert completed(script, "ray-pipeline", "ru") == {"run", "runs"}
    assert completed(script, "ray-pipeline", "run", "--fre") == {"--fresh"}
    assert completed(script, "ray-pipeline", "status", "my_") == {"my_run"}
    assert completed(script, "ray-pipeline", "predict", "my_run", "--data-dir", "my_") == {"my_run"}
    assert completed(script, "ray-pipeline", "run", "--log-format", "") == {"text", "json"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_in_every_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And options besides."""
    script = script_for(shell, capsys)
    assert "ray-pipeline" in script
    for command in COMMANDS:
        assert command.name in script
    assert "log-format" in script


def test_other_shells_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(SystemExit) as ended:
        main(["completion", "bsh"])
    assert ended.value.code == 2
    assert "Did you mean 'bash'?" in capsys.readouterr().err
