"""How the command line ends: a line for people, an object for programs, the version."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version

import pytest

from ic_assets_tests import processes


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["load", "--months", "1999-12"], ["'1999-12'", "2000-01 to 20"]),
        (["push", "--months", "2019-03:2099-01"], ["'2019-03:2099-01'", "2000-01 to 20"]),
        (["rollback", "activities", "--months", "2099-01", "--yes"], ["'2099-01'", "IC_PARTITIONS_START"]),
        (["unresolved", "--csv", "missing.csv"], ["--csv wants to know for which table"]),
        (["status", "--no-such-option"], ["--no-such-option"]),
        (["push", "--mode", "wild"], ["'wild'"]),
    ],
)
def test_a_refusal_is_one_line_and_with_json_an_object_as_well(arguments: list[str], words: list[str]) -> None:
    plain, found = ended(*arguments), ended(*arguments, "--json")
    assert (plain.returncode, plain.stdout, found.returncode) == (2, "", 2)
    (line,) = plain.stderr.splitlines()
    assert [word for word in words if word not in line] == []
    assert found.stderr == plain.stderr
    assert json.loads(found.stdout.splitlines()[-1]) == {"refused": line.removeprefix("ic-assets: ")}


def test_the_version_is_that_of_the_package() -> None:
    assert ended("--version").stdout == f"ic-assets {version('ic_assets')}\n"
