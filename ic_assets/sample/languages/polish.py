"""The Polish names, subjects and sentences of a small firm that sells pumps and conveyors to other firms."""

from __future__ import annotations

from ic_assets.sample.languages.language import Language

# fmt: off
POLISH = Language(
    first_names=("Łukasz", "Małgorzata", "Paweł", "Agnieszka", "Zdzisław", "Bożena", "Michał"),
    last_names=("Wójcik", "Dąbrowska", "Żeleński", "Gąsior", "Kołodziej", "Święcicki", "Źrebiec"),
    trades=("Młyny", "Browar", "Żwirownia", "Mleczarnia"),
    legal_forms=("Sp. z o.o.", "S.A."),
    cities=("Łódź", "Gdańsk", "Wrocław", "Rzeszów"),
    products=("przenośnik taśmowy BC-40", "pompa śrubowa SP-12", "dozownik D2", "motoreduktor"),
    greeting="Dzień dobry, {person},",
    closing="Z poważaniem",
    subjects={
        "call": ("Telefon w sprawie oferty {no}", "Pytanie: {product}"),
        "email": ("Oferta {no}", "Odp: Termin dostawy {product}"),
        "meeting": ("Wizyta, {city}", "Prezentacja: {product}"),
        "note": ("Zmiana w zakupach", "Warunki płatności"),
        "task": ("Przygotować ofertę: {product}", "Sprawdzić zamówienie {no}"),
        "message": ("Spóźnię się", "Krótkie pytanie"),
        "letter": ("Podpisana umowa {no}",),
        "case": ("Wyciek: {product}", "Reklamacja {no}"),
    },
    sentences={
        "call": (
            "{person} pyta o {qty} sztuk na tydzień {week}.",
            "Nikt nie odbiera, zostawiłem wiadomość; zadzwonić za {days} dni.",
        ),
        "email": (
            "w załączeniu przesyłamy ofertę {no} na {qty} × {product}.",
            "Termin dostawy wynosi {days} dni roboczych.",
            "Cena jednostkowa: {price} EUR netto.",
        ),
        "meeting": (
            "Obchód zakładu z {person}; taśma nr 3 jest zużyta.",
            "Próba przez {days} dni na urządzeniu zastępczym.",
        ),
        "note": ("Płaci w terminie, zwykle po 30 dniach.", "Zakupy przejmuje oddział {city}."),
        "task": ("Wycenić {qty} × {product} z dostawą.", "Faktura {no}: {days} dni po terminie."),
        "message": ("Stoję w korku, będę za 20 min.", "Dziękuję, wszystko się zgadza!"),
        "letter": ("Umowa {no} odesłana z podpisami.",),
        "case": ("Nieszczelność po {days} dniach pracy.", "Linia stoi, strata {price} EUR dziennie."),
    },
    asides=("Zadzwonić w poniedziałek.", "Transport osobno.", "Kopia do {person}."),
)
