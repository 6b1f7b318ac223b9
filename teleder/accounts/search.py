"""How names are compared when people are searched for."""

from __future__ import annotations

from django.db import models

# Katakana and what the same sound is in hiragana; the sign of a long vowel is one in both.
KATAKANA = "".join(map(chr, (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)))
HIRAGANA = "".join(chr(ord(letter) - 0x60) for letter in KATAKANA)
# Kanji of names that NFKC leaves apart, each with the usual form under which it is looked for.
NAME_KANJI = {
    "髙": "高", "﨑": "崎", "嵜": "崎", "邊": "辺", "邉": "辺", "齋": "斎", "齊": "斎", "斉": "斎", "澤": "沢",
    "濱": "浜", "濵": "浜", "廣": "広", "國": "国", "德": "徳", "惠": "恵", "眞": "真", "瀨": "瀬", "櫻": "桜",
    "嶋": "島", "嶌": "島", "龍": "竜", "黑": "黒", "增": "増", "橫": "横", "淺": "浅", "學": "学", "實": "実",
    "壽": "寿", "榮": "栄", "圓": "円", "關": "関", "縣": "県", "豐": "豊", "藏": "蔵", "寬": "寛", "曾": "曽",
    "𠮷": "吉", "冨": "富", "桒": "桑", "舘": "館", "條": "条", "恆": "恒", "彌": "弥", "萬": "万", "晉": "晋",
    "槇": "槙", "遙": "遥", "檜": "桧", "栁": "柳", "靜": "静", "澁": "渋", "渕": "淵", "禮": "礼", "來": "来",
}  # fmt: skip
FROM, TO = KATAKANA + "".join(NAME_KANJI), HIRAGANA + "".join(NAME_KANJI.values())


class SearchKey(models.Func):
    """A name for comparison: one width, one kind of kana, the usual form of a kanji, lower case, and without spaces, dashes,
    middle dots and invisible characters."""

    function = "regexp_replace"
    template = (
        f"regexp_replace(translate(lower(normalize(%(expressions)s, NFKC)), '{FROM}', '{TO}'), '[[:space:]"
        "\u200b-\u200f\u2010-\u2015\u2028-\u202e\u2043\u2060-\u206f\u2212\u2500\u2501\ufeff\ufe00-\ufe0f"
        "\U000e0100-\U000e01ef・·-]', '', 'g')"
    )
    output_field = models.TextField()
