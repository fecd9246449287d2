"""The words the sample data is made of: names, subjects and sentences of a small firm that sells pumps and
conveyors to other firms, in five languages. Data only; `generate` puts them together.

Persons and companies are invented. Sentences may hold the slots {product} {qty} {price} {week} {days} {no}
{city} {person}.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language's vocabulary. ``subjects`` and ``sentences`` are by kind of communication: call, email,
    meeting, note, task, message, letter, case; ``asides`` fit any of them."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    trades: tuple[str, ...]
    legal_forms: tuple[str, ...]
    cities: tuple[str, ...]
    products: tuple[str, ...]
    greeting: str
    closing: str
    subjects: dict[str, tuple[str, ...]]
    sentences: dict[str, tuple[str, ...]]
    asides: tuple[str, ...]


# Word lists stay as they are typed: one word a line would be seven hundred lines.
# fmt: off
ENGLISH = Language(
    first_names=(
        "Alice", "Benjamin", "Chloé", "Daniel", "Eleanor", "Fergus", "Grace", "Harold", "Imogen", "James",
        "Kezia", "Liam", "Maeve", "Nathan", "Olivia", "Priya", "Quentin", "Rosalind", "Siobhán", "Tobias",
        "Una", "Victor", "Winifred", "Zoë",
    ),
    last_names=(
        "Abernathy", "Blackwood", "Carmichael", "D'Arcy", "Ellsworth", "Fairweather", "Grimshaw", "Hartnell",
        "Ingram", "Jessop", "Kirkbride", "Lockwood", "MacAllister", "Nightingale", "O'Donoghue", "Pemberton",
        "Quigley", "Ravenscroft", "St. John", "Thistlewood", "Underhill", "Whitlock", "Yardley",
    ),
    trades=(
        "Conveyors", "Foods", "Water Works", "Packaging", "Paper Mill", "Breweries", "Aggregates", "Dairies",
    ),
    legal_forms=("Ltd", "Inc.", "LLC", "& Sons", "plc", "Group, Inc."),
    cities=("Sheffield", "Cleveland", "Dayton", "Cork", "Leeds", "Toledo", "Hull", "Duluth"),
    products=(
        "belt conveyor BC-40", "screw pump SP-12", "dosing unit D2", "bucket elevator", "gear motor",
        "slurry pump", "vibrating feeder", "roller set", "control cabinet", "12\" gate valve",
    ),
    greeting="Hi {person},",
    closing="Kind regards",
    subjects={
        "call": (
            "Follow-up call on quote {no}", "Question about {product}", "Price enquiry: {product}",
            "Callback, delivery in week {week}", "Maintenance contract", "Intro call",
            "Spare parts for {product}",
        ),
        "email": (
            "Your quote {no}", "RE: {product}, lead time", "FW: Drawing for {product}",
            "Order confirmation {no}",
            "Revised offer for {qty} × {product}", "Invoice {no}", "RE: RE: Site access, week {week}",
        ),
        "meeting": (
            "Site survey, {city}", "Product demo: {product}", "Quarterly review", "Kick-off {product}",
            "Factory acceptance test", "Contract negotiation, lot {no}",
        ),
        "note": (
            "Background", "Competitor on site", "Budget {week}/26", "Payment terms", "Change of contact",
            "Plant data",
        ),
        "task": (
            "Send quote for {product}", "Chase order {no}", "Prepare demo in {city}",
            "Check stock: {product}",
            "Update forecast", "Book service visit, week {week}",
        ),
        "message": ("Running late", "Delivery update", "Quick question", "Photo of the nameplate"),
        "letter": (
            "Signed contract {no}", "Brochure and price list", "Payment reminder {no}", "Season's greetings",
        ),
        "case": (
            "Leak at {product}", "Noise from {product}", "Warranty claim {no}", "Missing parts, order {no}",
        ),
    },
    sentences={
        "call": (
            "Spoke to {person} about the {product}; they want {qty} units by week {week}.",
            "Asked for 5% off the list price, I offered 3% and free delivery to {city}.",
            "No decision before the board meets in {days} days.",
            "Voicemail left, will try again tomorrow.",
            "{person} confirmed that quote {no} is the one in front of purchasing.",
            "Wants the {product} in stainless steel, asked what that does to the lead time.",
            "Line was poor, said \"call me after the shutdown\" and hung up.",
            "Not happy with the last delivery: two pallets short, driver arrived without papers.",
        ),
        "email": (
            "Please find attached our offer {no} for {qty} × {product}.",
            "The lead time is {days} working days from receipt of order.",
            "Could you send us the drawing with the flange dimensions?",
            "As discussed, the price per unit is {price} EUR, ex works.",
            "We can hold this price until the end of week {week}.",
            "{person} in accounts would like the invoice split by cost centre.",
            "Thanks for the tour of the plant; the crusher line was impressive.",
            "We need the certificate of origin before the goods can leave {city}.",
        ),
        "meeting": (
            "Walked the line with {person}; belt 3 is worn and the motor runs hot.",
            "Agreed: we quote the {product} with and without installation.",
            "Next step is a trial of {days} days with a loan unit.",
            "Present: {person}, the plant manager, and two people from maintenance.",
            "They compare us with two others, price counts for half, service for the rest.",
            "Budget is {price} EUR including commissioning.",
            "Open point: crane access through gate 2, height only 3.8 m.",
        ),
        "note": (
            "Buys through a framework contract that ends in week {week}.",
            "Runs {qty} of the older {product}, all due for replacement within two years.",
            "Payment terms 60 days, always pays on the last one.",
            "{person} is retiring; the successor starts in {days} days.",
            "Do not call on Fridays, the plant is down for cleaning.",
            "Competitor offered the same pump at {price} EUR, but without service.",
            "Credit limit raised after the last order, see {no}.",
        ),
        "task": (
            "Work out the price for {qty} × {product}, with freight to {city}.",
            "Ask the workshop whether week {week} is still possible.",
            "Remind {person} of the signed order confirmation {no}.",
            "Get the data sheet translated before the visit.",
            "Add the spare parts kit to the offer, 10% margin is enough.",
            "Check with finance: invoice {no} is {days} days overdue.",
        ),
        "message": (
            "Stuck in traffic near {city}, there in 20 min.",
            "Truck is loaded, tracking to follow.",
            "Did you get the quote for the {product}?",
            "Thanks! Will look at it tonight.",
            "Can you send a photo of the nameplate?",
            "Connected after the fair, happy to talk about {product}.",
        ),
        "letter": (
            "Contract {no} sent back, both copies signed.",
            "Catalogue and price list posted to {person}.",
            "Second payment reminder for invoice {no}, {price} EUR.",
            "Christmas card with calendar.",
        ),
        "case": (
            "The {product} leaks at the shaft seal after {days} days of use.",
            "Customer reports noise above 85 dB, bearings replaced, noise is back.",
            "Order {no} arrived without bolts; parts sent by courier.",
            "Line stands still, they lose {price} EUR a day.",
            "Service visit planned for week {week}, {person} gives access.",
        ),
    },
    asides=(
        "Call again in {days} days.", "Copy to {person}.", "See quote {no}.",
        "They insist on the 2-year warranty.",
        "Freight is extra.", "Likely to close this quarter.", "Internal: margin is thin, < 12 % & falling.",
        "Waiting for their purchase order.", "They asked twice about spare parts.", "All fine otherwise.",
    ),
)

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

FRENCH = Language(
    first_names=("François", "Hélène", "Loïc", "Maëlys", "Jérôme", "Noémie", "Benoît", "Gaëlle", "Étienne"),
    last_names=(
        "Lefèvre", "Beaumanoir", "de La Forêt", "Crépin", "D'Aubigné", "Maréchal", "Hébrard", "Coûteaux",
    ),
    trades=("Laiteries", "Carrières", "Minoterie", "Papeterie", "Équipements"),
    legal_forms=("SARL", "SA", "SAS"),
    cities=("Besançon", "Orléans", "Nîmes", "Liège"),
    products=("convoyeur à bande BC-40", "pompe à vis SP-12", "doseur D2", "élévateur à godets"),
    greeting="Bonjour {person},",
    closing="Cordialement",
    subjects={
        "call": ("Rappel devis {no}", "Question sur {product}"),
        "email": ("Votre devis {no}", "RE: Délai {product}", "TR: Plan du {product}"),
        "meeting": ("Visite du site de {city}", "Démonstration {product}"),
        "note": ("Contexte", "Budget révisé"),
        "task": ("Préparer le devis {no}", "Relancer la commande {no}"),
        "message": ("Retard", "Petite question"),
        "letter": ("Contrat signé {no}", "Relance facture {no}"),
        "case": ("Fuite : {product}", "Réclamation {no}"),
    },
    sentences={
        "call": (
            "{person} demande {qty} unités pour la semaine {week}, remise à négocier.",
            "Pas de réponse, message laissé sur le répondeur.",
            "Décision reportée après l'été ; à rappeler dans {days} jours.",
        ),
        "email": (
            "veuillez trouver ci-joint notre offre {no} pour {qty} × {product}.",
            "Le délai est de {days} jours ouvrés à réception de la commande.",
            "Le prix unitaire s'élève à {price} EUR hors taxes.",
            "Pourriez-vous nous envoyer le plan coté, s'il vous plaît ?",
        ),
        "meeting": (
            "Visite de l'atelier avec {person} : la bande n° 3 est usée.",
            "Essai prévu pendant {days} jours avec un appareil de prêt.",
            "Budget de {price} EUR, mise en service comprise.",
        ),
        "note": (
            "Paie à 60 jours, toujours au dernier moment.",
            "{person} part à la retraite, successeur à {city}.",
        ),
        "task": (
            "Chiffrer {qty} × {product}, livré à {city}.",
            "Vérifier la facture {no} : {days} jours de retard.",
        ),
        "message": ("Bloqué sur la route, j'arrive dans 20 min.", "Merci, c'est parfait !"),
        "letter": ("Contrat {no} renvoyé signé.", "Catalogue envoyé à {person}."),
        "case": ("Fuite au joint après {days} jours.", "Ligne à l'arrêt, perte de {price} EUR par jour."),
    },
    asides=("À relancer.", "Transport en sus.", "Voir le devis {no}.", "Rien d'autre à signaler."),
)

SPANISH = Language(
    first_names=("José", "María", "Íñigo", "Begoña", "Andrés", "Lucía", "Raúl", "Mónica"),
    last_names=("Núñez", "Ibáñez Peña", "Muñoz", "Gutiérrez", "Cabañas", "Echeverría", "Güell"),
    trades=("Bodegas", "Áridos", "Conservas", "Papelera"),
    legal_forms=("S.L.", "S.A."),
    cities=("Logroño", "Cádiz", "A Coruña", "León"),
    products=("transportador BC-40", "bomba de tornillo SP-12", "dosificador D2", "motorreductor"),
    greeting="Buenos días, {person}:",
    closing="Un saludo",
    subjects={
        "call": ("Llamada: presupuesto {no}", "¿Plazo para {product}?"),
        "email": ("Su presupuesto {no}", "RE: Plazo de entrega {product}"),
        "meeting": ("Visita a {city}", "Demostración {product}"),
        "note": ("Antecedentes", "Cambio de contacto"),
        "task": ("Enviar oferta de {product}", "Reclamar pedido {no}"),
        "message": ("Llego tarde", "Consulta"),
        "letter": ("Contrato {no} firmado",),
        "case": ("Avería: {product}", "Reclamación {no}"),
    },
    sentences={
        "call": (
            "{person} pide {qty} unidades para la semana {week}.",
            "No contesta, mensaje en el buzón; volver a llamar mañana.",
        ),
        "email": (
            "adjuntamos nuestra oferta {no} por {qty} × {product}.",
            "El plazo de entrega es de {days} días laborables.",
            "El precio por unidad es de {price} EUR, IVA no incluido.",
        ),
        "meeting": (
            "Recorrido por la planta con {person}; la cinta 3 está desgastada.",
            "Prueba de {days} días con un equipo prestado, ¿instalación incluida?",
        ),
        "note": ("Compra a través de {city} desde este año.", "Paga a 60 días, siempre el último."),
        "task": (
            "Calcular el precio de {qty} × {product}.", "Revisar la factura {no}, vencida hace {days} días.",
        ),
        "message": ("Estoy en un atasco, llego en 20 min.", "¡Gracias, mañana lo miro!"),
        "letter": ("Contrato {no} devuelto con las dos firmas.",),
        "case": ("Fuga en el sello tras {days} días de uso.", "Línea parada, pérdida de {price} EUR al día."),
    },
    asides=("Insistir el lunes.", "Portes aparte.", "Copia a {person}."),
)

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

# fmt: on
# Ten entries, so that a company's number modulo ten gives the mix: mostly English, some of each other.
LANGUAGES = (ENGLISH, ENGLISH, GERMAN, ENGLISH, FRENCH, ENGLISH, GERMAN, SPANISH, ENGLISH, POLISH)

COMPANY_STEMS = (
    "Quillmoor",
    "Tarnvik",
    "Ostrabel",
    "Vellaforge",
    "Brackenfold",
    "Zylmark",
    "Harrowquay",
    "Pellingsk",
    "Norvendal",
    "Kastrowe",
    "Umbrefield",
    "Dorvanna",
    "Lysterby",
    "Grenwold",
    "Saltmerrin",
    "Fjellburne",
    "Mirabrook",
    "Cindersyke",
    "Wolvarden",
    "Thornavel",
    "Ravelstok",
    "Ashkettle",
    "Polderwyn",
    "Jessamund",
    "Eldrivane",
    "Yarrowex",
    "Crambeck",
    "Osmundale",
    "Ivelhurst",
    "Skerrivor",
)
