"""The Spanish names, subjects and sentences of a small firm that sells pumps and conveyors to other firms."""

from __future__ import annotations

from ic_assets.sample.languages.language import Language

# fmt: off
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
