"""The languages of the panel: message catalogues, and how numbers, sizes and dates are written.

English is the language of the sources. Other languages have `locale/<language>/*.po`, one file for
each part of the panel, read at the start; a message that is missing is shown in English.
"""

import functools
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup

LANGUAGES = {"en": "English", "fr": "Français"}
DEFAULT = "en"
_FOLDER = os.path.join(os.path.dirname(__file__), "locale")
_UNITS = {
    "en": ("B", "KiB", "MiB", "GiB", "TiB", "PiB"),
    "fr": ("o", "Kio", "Mio", "Gio", "Tio", "Pio"),
}


class Language:
    """How one language says things. Immutable."""

    def __init__(self, code: str, messages: Mapping[str, str | tuple[str, ...]]) -> None:
        self.code = code
        self.name = LANGUAGES[code]
        self._locale = Locale.parse(code)
        self._messages = messages

    def gettext(self, message: str, **values: object) -> str:
        """Return a message, with `%(name)s` filled in."""
        found = self._messages.get(message, message)
        text = found if isinstance(found, str) else found[0]
        return text % values if values else text

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """Return the form of a message that fits a number, which is `%(count)s` in it."""
        found = self._messages.get(one)
        if isinstance(found, tuple):
            text = found[min(self._plural(count), len(found) - 1)]
        else:
            text = one if count == 1 else many
        return text % {"count": self.number(count), **values}

    def _plural(self, count: int) -> int:
        return int(count > 1) if self.code == "fr" else int(count != 1)

    def number(self, value: float) -> str:
        """Return a number with its groups of digits."""
        return format_decimal(value, locale=self._locale)

    def percent(self, part: float) -> str:
        """Return a part of 1 as percent."""
        return format_percent(part, locale=self._locale)

    def size(self, count: float) -> str:
        """Return bytes in units of 1,024."""
        units = _UNITS[self.code]
        unit = 0
        while count >= 1024 and unit < len(units) - 1:
            count /= 1024
            unit += 1
        number = format_decimal(count, "#,##0" if not unit else "#,##0.0", locale=self._locale)
        return f"{number} {units[unit]}"

    def date(self, moment: datetime) -> str:
        """Return a moment in UTC, to the minute."""
        text = format_datetime(moment.astimezone(UTC), "d MMM y HH:mm", locale=self._locale)
        return f"{text} UTC"

    def when(self, moment: datetime | None) -> Markup:
        """Return a moment as an element that scripts turn into the local time."""
        if moment is None:
            return Markup("–")
        iso = moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Markup('<time datetime="{}">{}</time>').format(iso, self.date(moment))

    def duration(self, seconds: float) -> str:
        """Return a length of time in its two greatest units."""
        days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
        if days:
            return self.gettext("%(days)d d %(hours)d h", days=days, hours=hours % 24)
        if hours:
            return self.gettext("%(hours)d h %(minutes)d min", hours=hours, minutes=minutes % 60)
        if minutes:
            return self.gettext(
                "%(minutes)d min %(seconds)d s", minutes=minutes, seconds=seconds % 60
            )
        return self.gettext("%(seconds)d s", seconds=seconds)


@functools.cache
def language(code: str) -> Language:
    """Return one of `LANGUAGES`."""
    return Language(code, _catalogue(code))


def choose(wanted: str, accepted: str) -> Language:
    """Return the language of a choice, else of an Accept-Language header, else English."""
    if wanted in LANGUAGES:
        return language(wanted)
    ranked = []
    for order, part in enumerate(accepted[:1000].split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), order, name.strip().lower()[:2]))
        except ValueError:
            continue
    for _, _, code in sorted(ranked):
        if code in LANGUAGES:
            return language(code)
    return language(DEFAULT)


def _catalogue(code: str) -> dict[str, str | tuple[str, ...]]:
    folder = os.path.join(_FOLDER, code)
    found: dict[str, str | tuple[str, ...]] = {}
    if not os.path.isdir(folder):
        return found
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".po"):
            continue
        with open(os.path.join(folder, name), "rb") as stream:
            for message in read_po(stream, locale=code):
                if not message.id or message.fuzzy or not message.string:
                    continue
                key = message.id if isinstance(message.id, str) else message.id[0]
                text = message.string
                found[key] = text if isinstance(text, str) else tuple(text)
    return found
