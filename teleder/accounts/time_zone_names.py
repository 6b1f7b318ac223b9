"""Time zones by the names that people know: a city in the reader's language, and how far it is from UTC now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# To choose from. A device may be in another zone.
CITIES = {
    "Asia/Tokyo": _("Tokyo"),
    "Asia/Seoul": _("Seoul"),
    "Asia/Shanghai": _("Shanghai, Beijing"),
    "Asia/Taipei": _("Taipei"),
    "Asia/Hong_Kong": _("Hong Kong"),
    "Asia/Macau": _("Macau"),
    "Asia/Ulaanbaatar": _("Ulaanbaatar"),
    "Asia/Manila": _("Manila"),
    "Asia/Singapore": _("Singapore"),
    "Asia/Kuala_Lumpur": _("Kuala Lumpur"),
    "Asia/Brunei": _("Brunei"),
    "Asia/Jakarta": _("Jakarta"),
    "Asia/Makassar": _("Bali, Makassar"),
    "Asia/Bangkok": _("Bangkok"),
    "Asia/Ho_Chi_Minh": _("Hanoi, Ho Chi Minh City"),
    "Asia/Phnom_Penh": _("Phnom Penh"),
    "Asia/Vientiane": _("Vientiane"),
    "Asia/Yangon": _("Yangon"),
    "Asia/Dhaka": _("Dhaka"),
    "Asia/Kolkata": _("Delhi, Mumbai"),
    "Asia/Colombo": _("Colombo"),
    "Asia/Kathmandu": _("Kathmandu"),
    "Asia/Thimphu": _("Thimphu"),
    "Asia/Karachi": _("Karachi"),
    "Asia/Tashkent": _("Tashkent"),
    "Asia/Almaty": _("Almaty"),
    "Asia/Bishkek": _("Bishkek"),
    "Asia/Kabul": _("Kabul"),
    "Asia/Tehran": _("Tehran"),
    "Asia/Dubai": _("Dubai"),
    "Asia/Riyadh": _("Riyadh"),
    "Asia/Qatar": _("Doha"),
    "Asia/Kuwait": _("Kuwait"),
    "Asia/Baghdad": _("Baghdad"),
    "Asia/Amman": _("Amman"),
    "Asia/Beirut": _("Beirut"),
    "Asia/Jerusalem": _("Jerusalem"),
    "Asia/Tbilisi": _("Tbilisi"),
    "Asia/Vladivostok": _("Vladivostok"),
    "Asia/Novosibirsk": _("Novosibirsk"),
    "Australia/Sydney": _("Sydney, Melbourne"),
    "Australia/Brisbane": _("Brisbane, Cairns"),
    "Australia/Adelaide": _("Adelaide"),
    "Australia/Darwin": _("Darwin"),
    "Australia/Perth": _("Perth"),
    "Pacific/Auckland": _("Auckland"),
    "Pacific/Fiji": _("Fiji"),
    "Pacific/Guam": _("Guam, Saipan"),
    "Pacific/Palau": _("Palau"),
    "Pacific/Noumea": _("New Caledonia"),
    "Pacific/Port_Moresby": _("Port Moresby"),
    "Pacific/Tahiti": _("Tahiti"),
    "Pacific/Honolulu": _("Honolulu"),
    "Europe/London": _("London"),
    "Europe/Dublin": _("Dublin"),
    "Europe/Lisbon": _("Lisbon"),
    "Europe/Madrid": _("Madrid"),
    "Europe/Paris": _("Paris"),
    "Europe/Brussels": _("Brussels"),
    "Europe/Amsterdam": _("Amsterdam"),
    "Europe/Berlin": _("Berlin"),
    "Europe/Zurich": _("Zurich"),
    "Europe/Vienna": _("Vienna"),
    "Europe/Prague": _("Prague"),
    "Europe/Warsaw": _("Warsaw"),
    "Europe/Budapest": _("Budapest"),
    "Europe/Rome": _("Rome"),
    "Europe/Belgrade": _("Belgrade"),
    "Europe/Athens": _("Athens"),
    "Europe/Bucharest": _("Bucharest"),
    "Europe/Sofia": _("Sofia"),
    "Europe/Copenhagen": _("Copenhagen"),
    "Europe/Stockholm": _("Stockholm"),
    "Europe/Oslo": _("Oslo"),
    "Europe/Helsinki": _("Helsinki"),
    "Europe/Kyiv": _("Kyiv"),
    "Europe/Moscow": _("Moscow"),
    "Europe/Istanbul": _("Istanbul"),
    "Atlantic/Reykjavik": _("Reykjavik"),
    "Africa/Cairo": _("Cairo"),
    "Africa/Casablanca": _("Casablanca"),
    "Africa/Algiers": _("Algiers"),
    "Africa/Accra": _("Accra"),
    "Africa/Lagos": _("Lagos"),
    "Africa/Nairobi": _("Nairobi"),
    "Africa/Addis_Ababa": _("Addis Ababa"),
    "Africa/Johannesburg": _("Johannesburg"),
    "America/New_York": _("New York, Washington"),
    "America/Toronto": _("Toronto"),
    "America/Halifax": _("Halifax"),
    "America/Chicago": _("Chicago, Dallas"),
    "America/Denver": _("Denver"),
    "America/Phoenix": _("Phoenix"),
    "America/Los_Angeles": _("Los Angeles, Seattle"),
    "America/Vancouver": _("Vancouver"),
    "America/Anchorage": _("Anchorage"),
    "America/Mexico_City": _("Mexico City"),
    "America/Panama": _("Panama"),
    "America/Bogota": _("Bogotá"),
    "America/Lima": _("Lima"),
    "America/La_Paz": _("La Paz"),
    "America/Caracas": _("Caracas"),
    "America/Santiago": _("Santiago"),
    "America/Asuncion": _("Asunción"),
    "America/Sao_Paulo": _("São Paulo"),
    "America/Argentina/Buenos_Aires": _("Buenos Aires"),
}


def city_of(name: str) -> str:
    """Return the city of a time zone in the active language, of a zone that is not in CITIES as its name has it."""
    return str(CITIES.get(name) or name.rpartition("/")[2].replace("_", " "))


def zone_label(name: str) -> str:
    """Return the city with its distance from UTC now: "Tokyo (UTC+9)"."""
    minutes = _offset(name) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
    return gettext("%(city)s (UTC%(offset)s)") % {"city": city_of(name), "offset": offset}


def zone_choices(*more: str) -> Iterator[tuple[str, str]]:
    """Yield name and label of the zones to choose from, and of `more`, from east to west."""
    for name in sorted({*CITIES, *filter(None, more)}, key=lambda name: (-_offset(name), city_of(name))):
        yield name, zone_label(name)


def _offset(name: str) -> timedelta:
    return _offset_at(name, timezone.now().replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=1000)
def _offset_at(name: str, now: datetime) -> timedelta:
    return now.astimezone(ZoneInfo(name)).utcoffset() or timedelta()
