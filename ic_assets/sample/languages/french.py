"""The French names, subjects and sentences of a small firm that sells pumps and conveyors to other firms."""

from __future__ import annotations

from ic_assets.sample.languages.language import Language

# fmt: off
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
