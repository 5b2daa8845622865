"""The catalogues: complete, current, safe to format. `python -m tests.messages` makes them, with GNU gettext."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils import translation

from tests import messages
from tiktok_attribution.models import State

LANGUAGES = messages.LANGUAGES
LOCALE = messages.PACKAGE / "locale"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")


def catalogue(language: str, root: Path = LOCALE) -> Catalog:
    with (root / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(message: Message) -> list[str]:
    """A message's forms, or their translations."""
    return [message] if isinstance(message, str) else list(message)


def by_id(messages: Catalog) -> dict[tuple[str, ...], list[str]]:
    """Context and forms of each message, and its translations."""
    return {(message.context or "", *texts(message.id)): texts(message.string) for message in messages if message.id}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The locale directory of a copy of the package, made anew."""
    if shutil.which("xgettext") is None:
        pytest.skip("not on this machine: GNU gettext")
    return messages.extracted(tmp_path_factory.mktemp("package"))


@pytest.mark.release
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    untold = [message.id for message in catalogue(language) if message.id and not all(texts(message.string))]
    assert untold == []


@pytest.mark.release
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_to_doubt(language: str) -> None:
    assert [message.id for message in catalogue(language) if message.id and message.fuzzy] == []
    assert list(catalogue(language).obsolete) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_the_texts_of_the_code(language: str, extracted: Path) -> None:
    fresh, kept = by_id(catalogue(language, extracted)), by_id(catalogue(language))
    assert sorted(kept) == sorted(fresh), "python -m tests.messages brings them up to date"


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_the_same(language: str) -> None:
    for message in catalogue(language):
        if not message.id:
            continue
        wanted = set(PLACEHOLDER.findall(texts(message.id)[-1]))
        for translated in filter(None, texts(message.string)):
            # The form for one may leave its number out ("ein Ereignis").
            missing = wanted - set(PLACEHOLDER.findall(translated))
            assert not missing or (message.pluralizable and len(missing) == 1), (message.id, translated)
            assert set(PLACEHOLDER.findall(translated)) <= wanted, (message.id, translated)


@pytest.mark.parametrize("language", LANGUAGES)
def test_marks_and_space_at_the_ends_are_kept(language: str) -> None:
    for message in catalogue(language):
        if not message.id:
            continue
        for original, translated in zip(texts(message.id)[-1:], texts(message.string)[-1:], strict=True):
            if not translated:
                continue
            assert original.startswith(" ") == translated.startswith(" "), message.id
            assert original.endswith(" ") == translated.endswith(" "), message.id
            assert re.findall(r"</?\w+", original) == re.findall(r"</?\w+", translated), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = by_id(read_mo(file))
    translated = {key: forms for key, forms in by_id(catalogue(language)).items() if all(forms)}
    assert compiled == translated, "python -m tests.messages compiles them"


@pytest.mark.parametrize(
    ("language", "told"), [("de", "zugestellt"), ("es", "entregado"), ("ja", "配信済み"), ("en", "delivered")]
)
def test_django_finds_them(language: str, told: str) -> None:
    with translation.override(language):
        assert str(State.DELIVERED.label) == told
