# SPDX-License-Identifier: ISC
"""Questions that users type into the search of the knowledge base, with the documents that it must find, and no
others."""

import pytest

from usagedata import analyst

DOCUMENTS = {
    "Recorder": ("en", "The recorder is waterproof and may be used outdoors."),
    "NVR": ("en", "The model DS-7604NI-E1/4P/A has four ports."),
    "NVR8": ("en", "The model DS-7608NI-K2 takes two disks."),
    "Certificate": ("en", "Our warehouse is certified to ISO 9001."),
    "Cold": ("en", "The camera works at -40 degrees Celsius."),
    "Server": ("en", "The server runs on Node.js version 20."),
    "Lobby": ("en", "The café on the ground floor opens at eight; ask for Zoë García."),
    "Parcels": ("en", "Refunds are paid within 14 days once the parcel has come back to the warehouse in Bremen."),
    "Wireless": ("en", "The Wi-Fi password is printed on the router. AT&T customers call 555-1234."),
    "Opening hours": ("en", "Monday to Friday, nine to five."),
    "退款": ("zh", "退款将在收到包裹后14天内支付。配送需要三天。"),
    "返金": ("ja", "返金は荷物の到着後14日以内に行われます。カメラは防水です。"),
    "คืนเงิน": ("th", "การคืนเงินจะดำเนินการภายใน 14 วัน"),
    "환불": ("ko", "환불은 소포가 도착한 후 14일 이내에 처리됩니다."),
    "Versand": ("de", "Der Versand nach Österreich dauert drei Werktage. Rücksendungen sind kostenlos."),
    "Livraison": ("fr", "La livraison à l'étranger coûte dix euros. Les réclamations sont traitées en une semaine."),
    "Возврат": ("ru", "Деньги возвращаются после получения посылки."),
    "Toimitus": ("und", "Toimitusaika on kolme päivää."),
}

# question: titles of the expected documents, the best first
SEARCHES = [
    # no character is an operator
    ("recorder - waterproof?", ["Recorder"]), ("recorder \u2013 waterproof?", ["Recorder"]), ("recorder -waterproof", ["Recorder"]),
    ("at -40 degrees", ["Cold"]), ("-40", ["Cold"]), ("\u221240 degrees", ["Cold"]), ("camera & celsius | !degrees", ["Cold"]),
    ("waterproof: recorder?", ["Recorder"]), ("\"recorder\" (waterproof)", ["Recorder"]), ("parcel -refund", ["Parcels"]),
    ("!!! ((( '' \\ & | <-> :*", []), ("'; DROP TABLE knowledge_chunks", []), ("and the of", []), ("- ?", []),
    # codes
    ("DS-7604NI", ["NVR"]), ("ds-7604ni?", ["NVR"]), ("DS7604NI", ["NVR"]), ("DS 7604 NI", ["NVR"]), ("7604NI", ["NVR"]),
    ("7604", ["NVR"]), ("DS-7604NI-E1/4P/A", ["NVR"]), ("Does the DS\u20117604NI have ports?", ["NVR"]),
    ("DS_7604NI", ["NVR"]), ("ＤＳ－７６０４ＮＩ", ["NVR"]), ("DS-7608NI", ["NVR8"]),
    ("DS-7604NI-K2", []), ("DS-7609NI", []), ("760", []), ("604NI", []), ("ISO-9001", ["Certificate"]), ("ISO 9001", ["Certificate"]),
    ("ISO9001", ["Certificate"]), ("iso/9001?", ["Certificate"]), ("ISO 9002", []), ("node", ["Server"]), ("Node.js", ["Server"]),
    ("nodejs", ["Server"]), ("NodeJS 20", ["Server"]), ("node-js", ["Server"]), ("wifi password", ["Wireless"]),
    ("wi-fi", ["Wireless"]), ("wi fi password", ["Wireless"]), ("AT&T", ["Wireless"]), ("5551234", ["Wireless"]),
    ("waterproof/dustproof", ["Recorder"]),
    # accents and forms
    ("cafe", ["Lobby"]), ("café", ["Lobby"]), ("cafe\u0301", ["Lobby"]), ("CAFÉS", ["Lobby"]), ("zoe garcia", ["Lobby"]),
    ("osterreich", ["Versand"]), ("Österreich", ["Versand"]), ("Oesterreich", ["Versand"]), ("reclamation", ["Livraison"]),
    ("päivää", ["Toimitus"]), ("paivaa", ["Toimitus"]),
    # languages
    ("When are refunds paid?", ["Parcels"]), ("refunded", ["Parcels"]), ("Rücksendung", ["Versand"]), ("ruecksendung", ["Versand"]),
    ("Wie lange dauert der Versand?", ["Versand"]), ("combien coûte la livraison à l'étranger ?", ["Livraison"]),
    ("когда возвращается посылка", ["Возврат"]), ("opening hours", ["Opening hours"]),
    # languages without blanks between words
    ("退款", ["退款"]), ("怎么退款？", ["退款"]), ("我什么时候可以收到包裹的退款？", ["退款"]), ("配送要几天", ["退款"]),
    ("明天北京天气怎么样", []), ("返金はいつですか？", ["返金"]), ("カメラ", ["返金"]), ("ｶﾒﾗ", ["返金"]), ("天気はどうですか", []),
    ("คืนเงินเมื่อไหร่", ["คืนเงิน"]), ("อากาศวันนี้เป็นอย่างไร", []), ("환불은 언제 되나요?", ["환불"]), ("날씨가 어때요?", []),
    # unrelated words
    ("hovercraft", []), ("What is the weather in Patagonia tomorrow?", []), ("zeppelin flights", []), ("horse", []), ("paid leave policy for employees", []),
]

# misspelled: all results are found by similarity
MISSPELLED = [("refnud", ["Parcels"]), ("pracel", ["Parcels"]), ("waterprof recoder", ["Recorder"]), ("wharehouse in bremn", ["Parcels"]),
              ("certifcate", ["Certificate"]), ("pasword", ["Wireless"])]

OPERATORS = [("recorder -waterproof", []), ("waterproof", ["Recorder"]), ("recorder waterproof", ["Recorder"]), ("recorder parcel", []),
             ("recorder or parcel", ["Recorder", "Parcels"]), ("\"is waterproof\"", ["Recorder"]), ("\"waterproof is\"", []),
             ("model -7608", ["NVR"]), ("model -\"two disks\"", ["NVR"]), ("-recorder", []), ("refnud", []),
             ("退款", ["退款"]), ("退款 -配送", [])]


@pytest.fixture(scope="module")
def filled(shared, rows):
    operator = analyst(shared, rows, "operator")
    for title, (language, text) in DOCUMENTS.items():
        made = operator.post("/api/knowledge", {"title": title, "text": text, "language": language})
        assert made.status_code == 201, made.text
    return operator


def found(user, query, **more):
    answer = user.post("/api/knowledge/search", {"query": query, "limit": 50, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def titles(hits):
    return [hit["title"] for hit in hits]


@pytest.mark.parametrize("query,want", SEARCHES)
def test_found(filled, query, want):
    hits = found(filled, query)
    assert titles(hits) == want
    assert all(hit["match"] == "words" for hit in hits)


@pytest.mark.parametrize("query,want", MISSPELLED)
def test_misspelled(filled, query, want):
    hits = found(filled, query)
    assert titles(hits) == want
    assert all(hit["match"] == "similar" for hit in hits)


@pytest.mark.parametrize("query,want", OPERATORS)
def test_operators(filled, query, want):
    assert sorted(titles(found(filled, query, operators=True))) == sorted(want)


def test_documents_say_how_they_are_found(filled):
    by = {d["title"]: (d["language"], d["found_by"]) for d in filled.get("/api/knowledge").json()}
    assert {t: by[t] for t in ("Parcels", "Versand", "Toimitus", "退款", "คืนเงิน")} == {
        "Parcels": ("en", "stems"), "Versand": ("de", "stems"), "Toimitus": ("und", "words"), "退款": ("zh", "pairs"),
        "คืนเงิน": ("th", "pairs")}


def test_a_language_that_is_not_there(filled):
    answer = filled.post("/api/knowledge", {"title": "x", "text": "y", "language": "tlh"})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "language"]


def test_every_letter_can_be_indexed(filled, rows):
    """Documents with every character of the first Unicode planes are stored and found."""
    rows("SELECT knowledge_words(string_agg(chr(i) || chr(i), ' a ' ORDER BY i), l) FROM generate_series(1, 196607) i, "
         "unnest(ARRAY['en', 'de', 'und']) l WHERE i NOT BETWEEN 55296 AND 57343 GROUP BY l, i / 500")
    rows("SELECT count(u.query) FROM (SELECT string_agg(chr(i) || chr(i), '-' ORDER BY i) AS t FROM generate_series(1, 196607) i "
         "WHERE i NOT BETWEEN 55296 AND 57343 GROUP BY i / 100) g, knowledge_units(g.t, 'fr') u")


def test_words_go_with_their_documents(filled, rows):
    made = filled.post("/api/knowledge", {"title": "Secret", "text": "Rumpelstiltskin"}).json()["id"]
    assert titles(found(filled, "rumpelstilzkin")) == ["Secret"]
    assert filled.delete(f"/api/knowledge/{made}").status_code == 204
    assert found(filled, "rumpelstilzkin") == [] and rows("SELECT count(*) FROM knowledge_terms WHERE term = 'rumpelstiltskin'") == [(0,)]


def test_every_language(filled):
    """The languages of the API and those of the database are the same."""
    pairs, stems = "ja km ko lo my th zh", "ar ca da de el en es eu fi fr ga hi hu hy id it lt ne nl no pt ro ru sr sv ta tr yi"
    for how, languages in (("stems", stems), ("pairs", pairs), ("words", "und")):
        for language in languages.split():
            made = filled.post("/api/knowledge", {"title": "Languages", "text": "qwertz", "language": language}).json()
            assert (made["language"], made["found_by"]) == (language, how)
            assert [hit["document"] for hit in found(filled, "qwertz")] == [made["id"]]
            assert filled.delete(f"/api/knowledge/{made['id']}").status_code == 204
