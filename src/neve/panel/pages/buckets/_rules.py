"""A lifecycle rule as sentences in the visitor's language."""

from datetime import date
from xml.etree.ElementTree import Element

from babel.dates import format_date

from neve.client.lifecycle import filter_of, is_true, number, unknown_actions
from neve.panel.visit import Visit


def about(visit: Visit, rule: Element) -> list[str]:
    """Return what the rule is about: no text for everything in the bucket."""
    lang, place = visit.language, filter_of(rule)
    found = [visit._("under %(prefix)s", prefix=place.prefix)] if place.prefix else []
    found += [
        visit._("with the tag %(name)s=%(value)s", name=name, value=value)
        for name, value in place.tags.items()
    ]
    if place.size_above is not None:
        found.append(visit._("larger than %(size)s", size=lang.size(place.size_above)))
    if place.size_below is not None:
        found.append(visit._("smaller than %(size)s", size=lang.size(place.size_below)))
    return found


def does(visit: Visit, rule: Element) -> list[str]:
    """Return what happens to it."""
    found = _expiry(visit, rule)
    found += _old(visit, rule)
    if is_true(rule, "Expiration/ExpiredObjectDeleteMarker"):
        found.append(visit._("Delete markers end when no version is behind them."))
    days = number(rule, "AbortIncompleteMultipartUpload/DaysAfterInitiation")
    if days is not None:
        found.append(
            visit.language.ngettext(
                "Uploads that are not completed end after %(count)s day.",
                "Uploads that are not completed end after %(count)s days.",
                days,
            )
        )
    found += [visit._("Also: %(what)s.", what=name) for name in unknown_actions(rule)]
    return found


def _expiry(visit: Visit, rule: Element) -> list[str]:
    found = []
    days, day = number(rule, "Expiration/Days"), rule.findtext("Expiration/Date", "")[:10]
    if days is not None:
        found.append(
            visit.language.ngettext(
                "Objects end %(count)s day after they were written.",
                "Objects end %(count)s days after they were written.",
                days,
            )
        )
    if day:
        found.append(visit._("Objects end from %(day)s on.", day=_day(visit, day)))
    if found and is_true(rule, "Expiration/ExpiredObjectAllVersions"):
        found.append(visit._("They end with all their versions."))
    return found


def _old(visit: Visit, rule: Element) -> list[str]:
    found, lang = [], visit.language
    days = number(rule, "NoncurrentVersionExpiration/NoncurrentDays")
    newer = number(rule, "NoncurrentVersionExpiration/NewerNoncurrentVersions")
    if days is not None:
        found.append(
            lang.ngettext(
                "Older versions end %(count)s day after they became old.",
                "Older versions end %(count)s days after they became old.",
                days,
            )
        )
    elif newer is not None:
        found.append(visit._("Older versions end."))
    if newer is not None:
        found.append(
            lang.ngettext("The newest of them stays.", "The newest %(count)s of them stay.", newer)
        )
    return found


def _day(visit: Visit, text: str) -> str:
    try:
        return format_date(date.fromisoformat(text), "long", visit.language.code)
    except ValueError:
        return text
