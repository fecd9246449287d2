"""The German names, subjects and sentences of a small firm that sells pumps and conveyors to other firms."""

from __future__ import annotations

from ic_assets.sample.languages.language import Language

# fmt: off
GERMAN = Language(
    first_names=(
        "Jörg", "Käthe", "Björn", "Ursula", "Günther", "Sören", "Anneliese", "Heike", "Torsten", "Mechthild",
        "Jürgen", "Kerstin",
    ),
    last_names=(
        "Müller-Brandt", "Großkopf", "Weißhaupt", "Schäfer", "von der Heide", "Köhnlein", "Übelacker",
        "Jäger",
        "Dörr", "Straßburger", "Nußbaum",
    ),
    trades=("Fördertechnik", "Brauerei", "Mühlenwerke", "Kieswerk", "Molkerei", "Gießerei"),
    legal_forms=("GmbH", "AG", "GmbH & Co. KG", "KG"),
    cities=("Göttingen", "Würzburg", "Lübeck", "Köln", "Graz"),
    products=(
        "Gurtförderer BC-40", "Schneckenpumpe SP-12", "Dosiergerät D2", "Getriebemotor", "Schaltschrank",
    ),
    greeting="Guten Tag {person},",
    closing="Mit freundlichen Grüßen",
    subjects={
        "call": ("Rückfrage zum Angebot {no}", "Anruf wegen {product}", "Liefertermin KW {week}"),
        "email": (
            "Ihr Angebot {no}", "AW: Lieferzeit {product}", "WG: Zeichnung {product}",
            "Auftragsbestätigung {no}",
        ),
        "meeting": ("Vor-Ort-Termin {city}", "Vorführung {product}", "Jahresgespräch"),
        "note": ("Hintergrund", "Wechsel im Einkauf", "Zahlungsziel"),
        "task": ("Angebot schreiben: {product}", "Auftrag {no} nachfassen", "Prospekt schicken"),
        "message": ("Verspätung", "Kurze Frage"),
        "letter": ("Vertrag {no}, unterschrieben", "Zahlungserinnerung {no}"),
        "case": ("Undichtigkeit {product}", "Reklamation {no}"),
    },
    sentences={
        "call": (
            "{person} möchte {qty} Stück bis KW {week}, Preis ist noch offen.",
            "Niemand zu erreichen, auf die Mailbox gesprochen.",
            "Fragt nach Skonto; 2 % innerhalb von {days} Tagen zugesagt.",
            "Der {product} läuft zu heiß, Monteur wird gebraucht.",
        ),
        "email": (
            "anbei erhalten Sie unser Angebot {no} über {qty} × {product}.",
            "Die Lieferzeit beträgt {days} Arbeitstage ab Auftragseingang.",
            "Bitte senden Sie uns die Maße der Flansche, auch für die Rückseite.",
            "Der Stückpreis beträgt {price} EUR zzgl. MwSt.",
        ),
        "meeting": (
            "Rundgang mit {person}: Förderband 3 verschlissen, Geräusch im Getriebe.",
            "Vereinbart: Probebetrieb über {days} Tage mit einem Leihgerät.",
            "Budget liegt bei {price} EUR einschließlich Inbetriebnahme.",
        ),
        "note": (
            "Einkauf läuft künftig über {city}, Ansprechpartner bleibt {person}.",
            "Zahlt pünktlich, meist mit Skonto.",
            "Hat {qty} ältere Anlagen, Ersatz in den nächsten zwei Jahren.",
        ),
        "task": (
            "Preis für {qty} × {product} kalkulieren, frei Haus {city}.",
            "Mit der Werkstatt klären, ob KW {week} möglich ist.",
            "Rechnung {no} ist seit {days} Tagen fällig.",
        ),
        "message": (
            "Stehe im Stau, komme 20 min später.", "Ist das Angebot für {product} angekommen?",
            "Danke, passt!",
        ),
        "letter": ("Unterschriebenen Vertrag {no} zurückgeschickt.", "Zweite Mahnung zu Rechnung {no}."),
        "case": (
            "{product} nach {days} Tagen undicht, Dichtung getauscht.",
            "Anlage steht, Schaden etwa {price} EUR pro Tag.",
        ),
    },
    asides=("Nächste Woche nachfassen.", "Fracht extra.", "Kopie an {person}.", "Sonst alles in Ordnung."),
)
