"""docs/reference says what the code does: nothing is missing there, and nothing is made up.

Each page is read by its form. A heading `### `NAME`` begins an entry; a line "- `name`: …" names one of its parts. Each
comparison is of two sets of names, so a failure names what is missing and what is invented.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.dispatch import Signal
from jinja2 import Environment

import tiktok_attribution
from tiktok_attribution import checks, conf, metrics, setting_validation, signals, tasks
from tiktok_attribution.admin import mixins
from tiktok_attribution.browser import signed_events, tags
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.conversions import settings_form
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.events import contents, names, properties
from tiktok_attribution.exceptions import TikTokAttributionError
from tiktok_attribution.jinja2 import TikTokExtension
from tiktok_attribution.models import State
from tiktok_attribution.templatetags.tiktok_attribution import register
from tiktok_attribution.testing import assertions, faults, ledger, plugin
from tiktok_attribution.visitor import matching

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_attribution"
REFERENCE = ROOT / "docs" / "reference"


@lru_cache
def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = heading.split(" ", maxsplit=1)[0]
    parts = re.split(rf"^{re.escape(heading)}$", page(name), flags=re.MULTILINE)
    assert len(parts) == 2, f"{name} has the heading {heading!r} {len(parts) - 1} times"
    return re.split(rf"^#{{1,{len(level)}}} ", parts[1], maxsplit=1, flags=re.MULTILINE)[0]


def before_headings(text: str) -> str:
    """What stands before the first heading inside a section."""
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def entries(name: str, level: str = "###") -> list[str]:
    """The names of the headings that name something, in their order."""
    return re.findall(rf"^{level} `(.+?)`", page(name), re.MULTILINE)


def listed(text: str) -> list[str]:
    """The names of the lines "- `name`: …"."""
    return re.findall(r"^- `(.+?)`:", text, re.MULTILINE)


def assert_same(page_name: str, documented: Iterable[str], real: Iterable[str]) -> None:
    told, there = list(documented), set(real)
    assert there, "nothing to compare with: the test looks in the wrong place"
    missing, invented = sorted(there - set(told)), sorted(set(told) - there)
    repeated = sorted({one for one in told if told.count(one) > 1})
    problems = {"missing": missing, "invented": invented, "twice": repeated}
    assert not any(problems.values()), f"docs/reference/{page_name}: { ({k: v for k, v in problems.items() if v}) }"


# Settings -------------------------------------------------------------------------------------------------------------


def test_every_setting_is_there_once() -> None:
    assert_same("settings.md", entries("settings.md"), conf.OPTIONS)


def part_of(key: str, part: str) -> str:
    found = re.findall(rf"^- {part}: (.+)$", section("settings.md", f"### `{key}`"), re.MULTILINE)
    assert len(found) == 1, f"docs/reference/settings.md: {key} has {len(found)} lines with {part!r}"
    return str(found[0])


@pytest.mark.parametrize("key", conf.OPTIONS)
def test_its_default_is_the_one_of_the_code(key: str) -> None:
    field = conf.OPTIONS[key]
    written = part_of(key, "Default")
    told = field.metadata["read"](ast.literal_eval(written.strip("`")))
    real = getattr(conf.Settings(), field.name)
    assert told == real, f"docs/reference/settings.md: the default of {key} is {real!r}, not {written}"


@pytest.mark.parametrize("key", conf.OPTIONS)
def test_its_example_can_be_read(key: str) -> None:
    written = part_of(key, "Example")
    given = eval(f"{{{written.strip('`')}}}", {"os": os})  # noqa: S307 -- our own documentation
    assert list(given) == [key]
    assert conf.read(given).problems == (), f"docs/reference/settings.md: the example of {key}"
    assert given[key] != ast.literal_eval(part_of(key, "Default").strip("`")) or "environ" in written


def limits_of(key: str) -> str:
    """Such as "from 1 to 400", in the reader's own words; "" for what is no number."""
    reader: Callable[[object], Any] = conf.OPTIONS[key].metadata["read"]
    try:
        reader(10**15)
    except setting_validation.InvalidSetting as error:
        found = re.search(r"from \S+ to \S+(?=,)", error.message)
        return found[0] if found else ""
    return ""


@pytest.mark.parametrize("key", [key for key in conf.OPTIONS if limits_of(key)])
def test_its_limits_are_those_of_the_code(key: str) -> None:
    written = part_of(key, "Unit")
    assert written.endswith(f", {limits_of(key)}"), f"docs/reference/settings.md: {key} has {limits_of(key)}"


def test_only_numbers_have_a_unit() -> None:
    told = [key for key in entries("settings.md") if "\n- Unit: " in section("settings.md", f"### `{key}`")]
    assert_same("settings.md", told, [key for key in conf.OPTIONS if limits_of(key)])


# Declarations ---------------------------------------------------------------------------------------------------------

HEADINGS = (
    "## Keys for the event",
    "## Keys for the properties",
    "## Keys for the person",
    "## Keys for attribution",
)
INTERNAL = {
    *("recent", "concerns", "had_happened", "default_event_id", "hashed_user", "tables", "owner", "first_visitor"),
    *("happens_when_made", "has_time", "model", "may_be_refunded", "describes_object", "concerns_refunds"),
}
"""What the class form has beside what a site writes or overrides. A new name belongs here or into the reference."""


def test_every_key_of_a_declaration_is_there() -> None:
    told = [key for heading in HEADINGS for key in listed(before_headings(section("declaration.md", heading)))]
    assert_same("declaration.md", told, settings_form.KNOWN_KEYS)


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("### Keys of `contents`", ("each", *settings_form.CONTENT_KEYS)),
        ("### Keys of `user`", matching.KEYS),
        ("### Properties", properties._TAKEN),
    ],
)
def test_every_key_of_a_part_is_there(heading: str, keys: Iterable[str]) -> None:
    assert_same("declaration.md", listed(section("declaration.md", heading)), keys)


def test_an_item_of_contents_takes_one_more_key_in_a_call() -> None:
    assert set(contents.CONTENT_KEYS) == {*settings_form.CONTENT_KEYS, "content_type"}


def test_every_standard_event_is_there() -> None:
    text = re.search(r"TikTok's standard events:(.+?)\. Case", page("declaration.md"), re.DOTALL)
    assert text is not None
    assert_same("declaration.md", re.findall(r"\w+", text[1]), names.STANDARD_EVENTS)


def test_every_part_of_the_class_form_is_there() -> None:
    own = {name for name in (*vars(Conversion), *Conversion.__annotations__) if not name.startswith("_")} - INTERNAL
    methods = {f"{name}()" for name in own if callable(getattr(Conversion, name, None))}
    attributes = {name for name in own if f"{name}()" not in methods}
    assert_same("declaration.md", listed(section("declaration.md", "## The class form")), methods | attributes)


def test_nothing_internal_of_the_class_form_is_gone() -> None:
    assert [name for name in sorted(INTERNAL - {"model"}) if not hasattr(Conversion, name)] == []


# Tags -----------------------------------------------------------------------------------------------------------------

TAG_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tiktok_pixel": tags.pixel_text,
    "tiktok_event": tags.event_tag,
    "tiktok_action": signed_events.action_attributes,
}


def parameters(function: Callable[..., Any], *, but: Iterable[str] = ("request",)) -> list[str]:
    """As the reference writes them: `name`, and `**name` for every other keyword."""
    found = inspect.signature(function).parameters.values()
    named = (f"**{one.name}" if one.kind is one.VAR_KEYWORD else one.name for one in found if one.name not in but)
    return list(named)


def test_every_tag_is_there_for_django_and_for_jinja() -> None:
    own = {name for name in Environment(extensions=[TikTokExtension], autoescape=True).globals if "tiktok" in name}
    assert_same("tags.md", entries("tags.md"), register.tags)
    assert_same("tags.md", entries("tags.md"), own)
    assert set(TAG_FUNCTIONS) == own


@pytest.mark.parametrize("tag", ["tiktok_event", "tiktok_action"])
def test_every_argument_of_a_tag_is_there(tag: str) -> None:
    assert_same("tags.md", listed(section("tags.md", f"### `{tag}`")), parameters(TAG_FUNCTIONS[tag]))


def test_the_pixel_tag_has_no_arguments() -> None:
    assert parameters(tags.pixel_text) == listed(section("tags.md", "### `tiktok_pixel`")) == []


# Signals --------------------------------------------------------------------------------------------------------------


def sent_with() -> dict[str, set[str]]:
    """By signal, the arguments with which the package sends it."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in ("send", "send_robust") or not isinstance(node.func.value, ast.Name):
                continue
            name = node.func.value.id
            both = ["alert_opened", "alert_closed"]  # one of the two, as monitoring/alerts.py chooses
            for one in both if name == "signal" else [name]:
                found[one] = {"sender", *(str(keyword.arg) for keyword in node.keywords)}
    return found


def test_every_signal_is_there() -> None:
    assert_same("signals.md", entries("signals.md"), (n for n, s in vars(signals).items() if isinstance(s, Signal)))


@pytest.mark.parametrize("name", [name for name, one in vars(signals).items() if isinstance(one, Signal)])
def test_its_arguments_are_those_that_are_sent(name: str) -> None:
    assert_same("signals.md", listed(section("signals.md", f"### `{name}`")), sent_with().get(name, ()))


# Commands -------------------------------------------------------------------------------------------------------------

COMMANDS = sorted(name for name, app in get_commands().items() if app == "tiktok_attribution")


def options_of(command: BaseCommand) -> set[str]:
    """As the reference writes them: an option with what it takes, or the name of an argument."""
    usual = {action.dest for action in BaseCommand().create_parser("manage.py", "usual")._actions}
    found = set()
    for action in command.create_parser("manage.py", "this")._actions:
        if action.dest in usual:
            continue
        takes = action.metavar or action.dest.upper()
        takes_value = not isinstance(action, (argparse._StoreTrueAction, argparse._StoreFalseAction))
        option = (action.option_strings or [""])[0]
        found.add(f"{option} {takes}".strip() if takes_value else option)
    return found


def test_every_command_is_there() -> None:
    assert_same("commands.md", entries("commands.md", "##"), COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_there(name: str) -> None:
    command = load_command_class("tiktok_attribution", name)
    assert_same("commands.md", listed(section("commands.md", f"## `{name}`")), options_of(command))


# States ---------------------------------------------------------------------------------------------------------------


def test_every_state_is_there_with_its_name() -> None:
    told = re.findall(r"^### `(\w+)`: (.+)$", page("states.md"), re.MULTILINE)
    assert_same("states.md", [f"{value}: {label}" for value, label in told], [f"{s.value}: {s.label}" for s in State])


@pytest.mark.parametrize("state", State)
def test_it_says_what_leads_to_a_state_and_out_of_it(state: State) -> None:
    text = section("states.md", f"### `{state.value}`: {state.label}")
    assert re.findall(r"^- (Comes from|Goes to): ", text, re.MULTILINE) == ["Comes from", "Goes to"]


def test_every_reason_of_a_suppressed_event_is_there() -> None:
    told = listed(section("states.md", "## Suppressed events"))
    assert_same("states.md", told, (one.value for one in Reason))


# Checks ---------------------------------------------------------------------------------------------------------------


def test_every_check_is_there_under_its_kind() -> None:
    source = Path(checks.__file__).read_text(encoding="utf-8")
    ids = set(re.findall(r"""(?:\bid=_id\(|\bwarning=|\berror=)"([EWI]\d{3})\"""", source))
    told = {
        kind: re.findall(r"^### (\S+)$", section("checks.md", heading), re.MULTILINE)
        for kind, heading in {"E": "## Errors", "W": "## Warnings", "I": "## Information"}.items()
    }
    assert_same("checks.md", (one for ids_of_kind in told.values() for one in ids_of_kind), ids)
    assert [one for kind, ids_of_kind in told.items() for one in ids_of_kind if one[0] != kind] == []


def test_every_check_says_how_to_fix_it() -> None:
    told = re.findall(r"^### ([EWI]\d+)$", page("checks.md"), re.MULTILINE)
    assert [one for one in told if "Fix: " not in section("checks.md", f"### {one}").replace("\n", " ")] == []


# The rest of the API --------------------------------------------------------------------------------------------------


def test_every_function_of_the_facade_is_there() -> None:
    functions = {one.removesuffix("()") for one in re.findall(r"^### `(.+)`$", page("api.md"), re.MULTILINE)}
    assert_same("api.md", functions, tiktok_attribution.__all__)


@pytest.mark.parametrize("name", ["track", "recheck", "attribution_of", "hold_back", "pending_events"])
def test_every_argument_of_a_function_is_there(name: str) -> None:
    function = getattr(tiktok_attribution, name)
    assert_same("api.md", listed(section("api.md", f"### `{name}()`")), parameters(function, but=()))


def all_below(error: type[BaseException]) -> set[type[BaseException]]:
    return {error}.union(*(all_below(one) for one in error.__subclasses__()))


def test_every_exception_is_there() -> None:
    real = {f"{one.__module__}.{one.__qualname__}" for one in all_below(TikTokAttributionError)}
    public = {one for one in real if one.split(".")[1] in ("conf", "exceptions")}
    assert_same("api.md", listed(section("api.md", "## Exceptions")), public)


def test_every_mixin_is_there() -> None:
    real = [f"{mixins.__name__}.{name}" for name in vars(mixins) if name.startswith("TikTok")]
    assert_same("api.md", listed(section("api.md", "## Admin mixins")), real)


def test_the_test_kit_is_there() -> None:
    fixtures = {name for name in vars(plugin) if name.startswith("tiktok_") and name != "tiktok_attribution"}
    asserting = {f"{name}()" for name, one in vars(assertions).items() if _is_own(one, assertions) and name[0] != "_"}
    of_ledger = {
        f"{name}()" for name in vars(ledger.Ledger) if callable(getattr(ledger.Ledger, name)) if name[0] != "_"
    }
    of_faults = {
        f"{name}()" for name in vars(faults.Faults) if callable(getattr(faults.Faults, name)) if name[0] != "_"
    }
    of_the_stand_in = {"record()", "arm()", "take()", "as_json()"}
    told = listed(section("api.md", "## Test kit"))
    assert_same("api.md", dict.fromkeys(told), fixtures | asserting | ((of_ledger | of_faults) - of_the_stand_in))


def _is_own(found: object, module: Any) -> bool:
    return inspect.isfunction(found) and found.__module__ == module.__name__


def test_every_fault_is_there() -> None:
    text = page("api.md").partition("Names of faults:")[2].partition("\n\n")[0]
    assert_same("api.md", re.findall(r"`(\w+)`", text), faults.FAULT_TYPES)


def test_every_metric_is_there() -> None:
    real = [family.name for family in metrics.TikTokCollector().describe()]
    assert_same("api.md", listed(section("api.md", "## Metrics")), real)


def test_every_task_is_there() -> None:
    source = Path(tasks.__file__).read_text(encoding="utf-8")
    real = re.findall(r'@shared_task\(name="([\w.]+)"', source)
    assert_same("api.md", listed(section("api.md", "## Celery tasks")), real)


# Form -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.md")), ids=lambda path: path.name)
def test_no_line_is_longer_than_120_characters(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if len(line) > 120] == []
