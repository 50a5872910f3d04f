"""ISO 639-1 codes and the English names of languages, as model cards and benchmarks use them."""

from __future__ import annotations

from tools.request.domains import words_of

_TABLE = """
af Afrikaans · am Amharic · ar Arabic · as Assamese · az Azerbaijani · be Belarusian · bg Bulgarian
bn Bengali · bs Bosnian · ca Catalan · cs Czech · cy Welsh · da Danish · de German · el Greek
en English · es Spanish · et Estonian · eu Basque · fa Persian · fi Finnish · fr French · ga Irish
gl Galician · gu Gujarati · ha Hausa · he Hebrew · hi Hindi · hr Croatian · ht Haitian
hu Hungarian · hy Armenian · id Indonesian · ig Igbo · is Icelandic · it Italian · ja Japanese
jv Javanese · ka Georgian · kk Kazakh · km Khmer · kn Kannada · ko Korean · ky Kyrgyz · lo Lao
lt Lithuanian · lv Latvian · mg Malagasy · mi Maori · mk Macedonian · ml Malayalam · mn Mongolian
mr Marathi · ms Malay · mt Maltese · my Burmese · ne Nepali · nl Dutch · no Norwegian · or Odia
pa Punjabi · pl Polish · ps Pashto · pt Portuguese · qu Quechua · ro Romanian · ru Russian
rw Kinyarwanda · sd Sindhi · si Sinhala · sk Slovak · sl Slovenian · sn Shona · so Somali
sq Albanian · sr Serbian · su Sundanese · sv Swedish · sw Swahili · ta Tamil · te Telugu · tg Tajik
th Thai · tl Tagalog · tr Turkish · ug Uyghur · uk Ukrainian · ur Urdu · uz Uzbek · vi Vietnamese
wo Wolof · xh Xhosa · yi Yiddish · yo Yoruba · zh Chinese · zu Zulu
"""

LANGUAGES: dict[str, str] = dict(
    entry.split(maxsplit=1) for line in _TABLE.split("\n") for entry in line.split(" · ") if entry
)
_ALSO = {"mandarin": "zh", "farsi": "fa", "darija": "ar", "castilian": "es", "flemish": "nl"}
CODES: dict[str, str] = {name.lower(): code for code, name in LANGUAGES.items()} | _ALSO


def languages_in(text: str) -> set[str]:
    """Codes of the languages that ``text`` names in English; codes in it are not looked for."""
    return {CODES[word] for word in words_of(text) if word in CODES}
